"""The content of the Dockerfiles and of docker-compose.yml, read as their engines would read it."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
_INSTRUCTION = re.compile(r"([A-Z]+)\s+(.*)", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


@dataclass(frozen=True)
class Dockerfile:
    """The instructions, in order: (name, its arguments, in one line)."""

    instructions: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [text for found, text in self.instructions if found == name]

    def last_stage(self) -> "Dockerfile":
        begin = max(place for place, (name, _) in enumerate(self.instructions) if name == "FROM")
        return Dockerfile(self.instructions[begin:])

    def command(self) -> list[str]:
        return [str(word) for word in json.loads(self.all("CMD")[-1])]

    def health_check(self) -> list[str]:
        """Return the engine's command to see whether it is alive."""
        return [str(word) for word in json.loads(self.all("HEALTHCHECK")[-1].partition(" CMD ")[2])]

    def variables(self) -> dict[str, str]:
        pairs = (word.split("=", 1) for text in self.all("ENV") for word in shlex.split(text))
        return {name: value for name, value in pairs}


def dockerfile(path: str) -> Dockerfile:
    """Return the file at this path below the repository."""
    lines = [line for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [_INSTRUCTION.fullmatch(line.strip()) for line in whole.splitlines() if line.strip()]
    assert all(found), "a line that begins with no instruction"
    return Dockerfile([(match[1], match[2]) for match in found if match])


def compose(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return docker-compose.yml; with an environment its references are replaced, and settings without a value are left
    out.

    Raises:
        LookupError: a value that must be given is missing.
    """
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    whole: dict[str, Any] = yaml.safe_load(text)
    return whole if environment is None else _resolved(whole, environment)


def _resolved(value: Any, environment: Mapping[str, str], *, within: str = "") -> Any:
    if isinstance(value, dict):
        if within == "environment":
            value = {name: environment.get(name) if given is None else given for name, given in value.items()}
            value = {name: given for name, given in value.items() if given is not None}
        return {name: _resolved(each, environment, within=name) for name, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, environment) for each in value]
    return _REFERENCE.sub(lambda match: _value(match, environment), value) if isinstance(value, str) else value


def _value(match: re.Match[str], environment: Mapping[str, str]) -> str:
    name, kind, rest = match.groups()
    if name is None:
        return "$"
    if kind == "?" and not environment.get(name):
        raise LookupError(f"{name}: {rest}")
    return environment.get(name) or (rest if kind == "-" else "") or ""


def in_the_image(folder: Path = ROOT) -> Iterator[Path]:
    """Return the files in the context of a build, as the .dockerignore beside them says; relative to the folder."""
    text = (folder / ".dockerignore").read_text(encoding="utf-8")
    patterns = [line for line in text.splitlines() if line and not line.startswith("#")]
    yield from (path for path in _walk(folder, Path(), patterns))


def _walk(root: Path, below: Path, patterns: list[str]) -> Iterator[Path]:
    for path in sorted((root / below).iterdir()):
        inside = below / path.name
        if any(_matches(inside, pattern) for pattern in patterns):
            continue
        if path.is_dir():
            yield from _walk(root, inside, patterns)
        else:
            yield inside


def _matches(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.name, pattern.removeprefix("**/"))
    parts = pattern.split("/")
    return len(path.parts) == len(parts) and all(map(fnmatchcase, path.parts, parts))


def copy_context(folder: Path) -> None:
    """Copy what a build of the bank's image would get, as `COPY . .` does."""
    for path in in_the_image():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
