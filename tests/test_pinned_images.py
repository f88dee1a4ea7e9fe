"""`deploy/supply/pin_images.py`: images by what they are, not by a tag that can be moved; a registry of our own answers
(R8.8)."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.asvs import proves
from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "deploy" / "supply" / "pin_images.py"
TOKEN = base64.b64encode(b"for everybody").decode()


class Registry(ThreadingHTTPServer):
    """Answers as a registry does: 401 with where to fetch a token, then the manifest and its digest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.manifests: dict[str, bytes] = {}
        self.says: str | None = None
        self.realm = f"http://127.0.0.1:{self.server_port}/token"
        self.tokens: Any = {"token": TOKEN}
        self.seen: list[str] = []

    def add(self, path: str, tag: str, **content: Any) -> str:
        """Put an image there; return its name and its digest."""
        body = json.dumps({"schemaVersion": 2, **content}).encode()
        self.manifests[f"/v2/{path}/manifests/{tag}"] = body
        return f"127.0.0.1:{self.server_port}/{path}:{tag}@sha256:{hashlib.sha256(body).hexdigest()}"


class Asked(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        path = self.path.partition("?")[0]
        if path == "/token":
            return self.answer(200, json.dumps(self.server.tokens).encode())
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="{self.server.realm}",service="registry",scope="whatever"'
            return self.answer(401, b"{}", **{"WWW-Authenticate": challenge})
        if path not in self.server.manifests:
            return self.answer(404, b"{}")
        assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
        body = self.server.manifests[path]
        digest = self.server.says or f"sha256:{hashlib.sha256(body).hexdigest()}"
        return self.answer(200, body, **{"Docker-Content-Digest": digest})

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(*files: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "no_proxy": "*"},
    )


@pytest.fixture
def files(registry: Registry, tmp_path: Path) -> tuple[Path, Path]:
    """Return a Dockerfile and a compose file whose images are in our registry, as they are before."""
    base = registry.add("library/python", "3.11-slim", manifests=[{"platform": "both"}]).partition("@")[0]
    cache = registry.add("valkey/valkey", "8.1", layers=[]).partition("@")[0]
    dockerfile, compose = tmp_path / "Dockerfile", tmp_path / "docker-compose.yml"
    dockerfile.write_text(f"# FROM nothing:1\nFROM {base} AS build\nRUN true\nFROM {base}\nCOPY --from=build /a /a\n")
    compose.write_text(f"services:\n  cache:\n    image: {cache}@sha256:{'0' * 64}\n  web:\n    image: alder-bank\n")
    return dockerfile, compose


@proves("V15.2.4")
def test_each_image_gets_the_digest_that_its_registry_has_now(registry: Registry, files: tuple[Path, Path]) -> None:
    dockerfile, compose = files
    base = registry.add("library/python", "3.11-slim", manifests=[{"platform": "both"}])
    cache = registry.add("valkey/valkey", "8.1", layers=[])
    ran = run(*files)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(ran.stdout.split()) == sorted([base, cache])
    assert dockerfile.read_text() == (
        f"# FROM nothing:1\nFROM {base} AS build\nRUN true\nFROM {base}\nCOPY --from=build /a /a\n"
    )
    assert compose.read_text() == f"services:\n  cache:\n    image: {cache}\n  web:\n    image: alder-bank\n"
    tokens = [path for path in registry.seen if path.startswith("/token")]
    assert any("scope=repository%3Alibrary%2Fpython%3Apull" in path for path in tokens)

    # Once more: the tag was moved meanwhile, and the digest moves with it.
    moved = registry.add("valkey/valkey", "8.1", layers=[{"mended": True}])
    assert run(*files).returncode == 0
    assert f"    image: {moved}\n" in compose.read_text()
    assert moved != cache


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("another digest", "it says sha256:ffff"),
        ("not there", "HTTP Error 404"),
        ("a page", "what came is not a manifest"),
        ("a token from elsewhere", "is not HTTPS"),
        ("no token", "the registry gave no token"),
        ("nobody answers", "Connection refused"),
    ],
)
@proves("V15.2.4")
def test_no_digest_is_made_up_and_nothing_is_half_pinned(
    registry: Registry, files: tuple[Path, Path], case: str, said: str
) -> None:
    before = [file.read_text() for file in files]
    if case == "another digest":
        registry.says = "sha256:" + "f" * 64
    elif case == "not there":
        registry.manifests.popitem()
    elif case == "a page":
        registry.manifests = dict.fromkeys(registry.manifests, b'{"sign": "in"}')
    elif case == "no token":
        registry.tokens = {"error": "denied"}
    elif case == "a token from elsewhere":
        registry.realm = "file:///etc/passwd"
    else:
        registry.shutdown()
        registry.server_close()
    ran = run(*files)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Nothing was pinned. 127.0.0.1:")
    assert said in ran.stderr
    assert [file.read_text() for file in files] == before


@in_one_world(
    ("name", "address"),
    [
        ("debian:bookworm-slim", "https://registry-1.docker.io/v2/library/debian/manifests/bookworm-slim"),
        ("valkey/valkey:8.1-alpine", "https://registry-1.docker.io/v2/valkey/valkey/manifests/8.1-alpine"),
        ("mcr.microsoft.com/mssql/server:2022", "https://mcr.microsoft.com/v2/mssql/server/manifests/2022"),
        ("registry.example:5000/bank/web:1", "https://registry.example:5000/v2/bank/web/manifests/1"),
        ("localhost:5000/bank:1", "http://localhost:5000/v2/bank/manifests/1"),
    ],
)
def test_an_image_is_asked_for_where_an_engine_would(name: str, address: str) -> None:
    code = f"import pin_images; print(pin_images.parsed({name!r}).address)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROGRAM.parent, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == address


def test_it_finds_every_image_that_there_is() -> None:
    code = (
        "import pin_images as p\n"
        "print(*(m['name'] for f in p.FILES for m in p._IMAGE.finditer((p.ROOT / f).read_text())), sep='\\n')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROGRAM.parent, capture_output=True, text=True, check=True)
    texts = [(ROOT / name).read_text() for name in ("Dockerfile", "deploy/firewall/Dockerfile")]
    texts += [(ROOT / name).read_text() for name in ("docker-compose.yml", ".github/workflows/ci.yml")]
    named = re.compile(r"^(?:FROM|\s+image:) (\S+?)(?:@\S+)?(?: |$)", re.MULTILINE)
    told = [name for text in texts for name in named.findall(text)]
    assert sorted(ran.stdout.split()) == sorted(name for name in told if not name.startswith("alder-bank"))


def test_the_workflow_pins_before_it_builds() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    job = text.partition("\n  image:\n")[2]
    assert 0 < job.index("python3 deploy/supply/pin_images.py") < job.index("docker compose build")
