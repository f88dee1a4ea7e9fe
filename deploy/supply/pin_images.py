"""Write beside the tag of each image that containers are built from and run with the digest that its registry has now.

    python3 deploy/supply/pin_images.py [FILE …]

`debian:bookworm-slim` becomes `debian:bookworm-slim@sha256:…`, and a digest that is there is renewed. A tag is moved by
whoever may write to the registry; a digest is the content itself. The digest is computed here from what the registry
answers, never taken on its word. Without arguments: both Dockerfiles, docker-compose.yml and the workflow. Needs Python
alone. Exits with 1, and leaves every file as it was, if one registry does not answer.
"""

import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("Dockerfile", "deploy/firewall/Dockerfile", "docker-compose.yml", ".github/workflows/ci.yml")
# What is built here has no tag, and no registry.
_IMAGE = re.compile(
    r"(?P<before>^(?:FROM|[ \t]+image:)[ \t]+)"
    r"(?P<name>[\w./-]+(?::\d+/[\w./-]+)?:[\w.-]+)(?:@sha256:[0-9a-f]{64})?(?=\s|$)",
    re.MULTILINE,
)
# An image of several processors, or of one.
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MOST_BYTES = 4_000_000
_SECONDS = 30
_LOOPBACK = {"localhost", "127.0.0.1"}


class NoDigest(Exception):
    """The registry did not say what the image is."""


class _NoDetour(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be the answer: where it leads to was not looked at."""

    def redirect_request(self, *args: object) -> None:
        return None


@dataclass(frozen=True)
class Image:
    """Where it is asked for: registry (host and port), repository, tag."""

    registry: str
    repository: str
    tag: str

    @property
    def address(self) -> str:
        """Engines speak plain HTTP with a registry on their own machine alone; so do we."""
        scheme = "http" if self.registry.partition(":")[0] in _LOOPBACK else "https"
        return f"{scheme}://{self.registry}/v2/{self.repository}/manifests/{self.tag}"


def parsed(name: str) -> Image:
    """Return what an engine understands by this name: `debian:12` is Docker Hub's `library/debian`."""
    path, _, tag = name.rpartition(":")
    first, _, rest = path.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return Image(first, rest, tag)
    return Image("registry-1.docker.io", path if rest else f"library/{path}", tag)


def digest_of(image: Image) -> str:
    """Return `sha256:…` of the manifest that the tag stands for.

    Raises:
        NoDigest: the registry cannot be asked, or what it answers is not a manifest, or not the one that it says.
    """
    try:
        body, told = _manifest(image)
        if "schemaVersion" not in json.loads(body):
            raise NoDigest("what came is not a manifest")
    except (OSError, ValueError) as error:
        raise NoDigest(str(error)) from error
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if told not in {"", digest}:
        raise NoDigest(f"it says {told}, and sends {digest}")
    return digest


def _manifest(image: Image) -> tuple[bytes, str]:
    headers = {"Accept": ", ".join(_KINDS)}
    try:
        return _fetch(image.address, headers)
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        # Public images are for everybody who asks for a token first, naming nobody.
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', error.headers.get("WWW-Authenticate", "")))
        error.close()
    asked = {"service": challenge.get("service", ""), "scope": f"repository:{image.repository}:pull"}
    answer, _ = _fetch(f"{challenge.get('realm', '')}?{urllib.parse.urlencode(asked)}", {})
    answered = json.loads(answer)
    token = answered.get("token") or answered.get("access_token") if isinstance(answered, dict) else ""
    if not isinstance(token, str) or not token:
        raise NoDigest("the registry gave no token")
    return _fetch(image.address, headers | {"Authorization": f"Bearer {token}"})


def _fetch(address: str, headers: dict[str, str]) -> tuple[bytes, str]:
    """Return the body and the digest that the answer tells.

    Raises:
        NoDigest: the address is neither HTTPS nor on this machine, or the answer is too long.
        OSError: nobody answers, or not with 200.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise NoDigest(f"{address} is not HTTPS")
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the scheme was looked at above
    with urllib.request.build_opener(_NoDetour).open(request, timeout=_SECONDS) as answer:
        body = answer.read(_MOST_BYTES + 1)
        if len(body) > _MOST_BYTES:
            raise NoDigest("the answer is too long")
        return body, answer.headers.get("Docker-Content-Digest", "")


def pin(files: list[Path]) -> list[str]:
    """Pin every image of these files; return a line for each.

    Raises:
        NoDigest: one has none. Nothing was written then.
    """
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    names = sorted({match["name"] for text in texts.values() for match in _IMAGE.finditer(text)})
    digests = {}
    for name in names:
        try:
            digests[name] = digest_of(parsed(name))
        except NoDigest as error:
            raise NoDigest(f"{name}: {error}") from error
    for file, text in texts.items():
        pinned = _IMAGE.sub(lambda match: f"{match['before']}{match['name']}@{digests[match['name']]}", text)
        file.write_text(pinned, encoding="utf-8")
    return [f"{name}@{digest}" for name, digest in digests.items()]


def main(names: list[str]) -> None:
    try:
        lines = pin([Path(name) for name in names] or [ROOT / name for name in FILES])
    except NoDigest as error:
        raise SystemExit(f"Nothing was pinned. {error}") from error
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
