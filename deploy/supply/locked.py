"""What the locks name, and what each package says of itself where it is installed (R8.8, ADR 34)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip_requirements_parser import RequirementsFile

ROOT = Path(__file__).resolve().parents[2]
LICENCES = Path(__file__).with_name("licences")
_NAME_OF_A_LICENCE = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)
# The shortest that anybody uses, MIT-0, has more; a pointer to a licence, as Apache's for each file, has fewer.
_SHORTEST_IN_WORDS = 120
_CODE = {".js", ".json", ".py", ".pyc", ".pyi"}


@dataclass(frozen=True)
class Licence:
    """An SPDX expression and who holds the copyright. Its text is among LICENCES, or the package `brings` it."""

    name: str
    holder: str
    brings: str = ""

    def text(self) -> str:
        if self.brings:
            return f"{self.holder}\n\nThe text is {self.brings}, above."
        return f"{self.holder}\n\n{(LICENCES / f'{self.name}.txt').read_text(encoding='utf-8')}"


# They come without their licence's text.
WITHOUT_A_TEXT = {
    "async-timeout": Licence("Apache-2.0", "Copyright aio-libs collaboration"),
    "fontpkg": Licence("MIT", "Copyright (c) Evan Jones"),
    "mssql-python-rs": Licence("MIT", "Copyright (c) Microsoft Corporation"),
    "ua-parser-builtins": Licence("Apache-2.0", "Copyright the authors of ua-parser"),
}


@dataclass(frozen=True)
class Bundled:
    """What a package of PyPI carries for browsers, made by others; `file` tells its version."""

    name: str
    package: str
    file: str
    version_in_file: str
    licence: Licence

    @cached_property
    def version(self) -> str:
        """Return what the file says.

        Raises:
            LookupError: the file no longer names its version.
        """
        text = Path(str(distribution(self.package).locate_file(self.file))).read_text(encoding="utf-8")
        found = re.search(self.version_in_file, text)
        if found is None:
            raise LookupError(f"{self.file} of {self.package} no longer says which {self.name} it is.")
        return found[1]


BUNDLED = (
    Bundled(
        *("Bootstrap", "django-bootstrap-static", "bootstrap/static/bootstrap/css/bootstrap.css"),
        *(r"Bootstrap\s+v([\d.]+)", Licence("MIT", "Copyright 2011-2024 The Bootstrap Authors")),
    ),
    Bundled(
        *("jQuery", "django-bootstrap-static", "bootstrap/static/bootstrap/js/jquery.js"),
        *(r"Library v([\d.]+)", Licence("MIT", "Copyright OpenJS Foundation and other contributors")),
    ),
    Bundled(
        *("Font Awesome Free", "django-bootstrap-static", "fontawesome/static/fontawesome/css/all.css"),
        r"Font Awesome Free ([\d.]+)",
        Licence("CC-BY-4.0 AND OFL-1.1 AND MIT", "Copyright 2024 Fonticons, Inc.", brings="LICENSE-fontawesome-free"),
    ),
    Bundled(
        *("Swagger UI", "django-ninja", "ninja/static/ninja/swagger-ui-bundle.js"),
        *(r'PACKAGE_VERSION:"([\d.]+)"', Licence("Apache-2.0", "Copyright 2020-2021 SmartBear Software Inc.")),
    ),
    Bundled(
        *("Redoc", "django-ninja", "ninja/static/ninja/redoc.standalone.js"),
        *(r'ReDoc Version: ","([\d.]+)"', Licence("MIT", "Copyright (c) 2015-present, Rebilly, Inc.")),
    ),
)


@dataclass(frozen=True)
class Package:
    """A package of a lock. `runs`: the bank runs with it; the others are tools."""

    name: str
    version: str
    sha256: tuple[str, ...]
    extras: frozenset[str]
    runs: bool = True

    @cached_property
    def installed(self) -> Distribution | None:
        """Return None where the lock has it for another Python only.

        Raises:
            LookupError: what is installed is not what the lock names.
        """
        try:
            found = distribution(self.name)
        except PackageNotFoundError:
            return None
        # pip is the one that Python brought, until an install has put the lock's in its place.
        if found.version != self.version and self.name != "pip":
            raise LookupError(f"{self.name} {found.version} is installed, not {self.version}: make setup")
        return found

    @property
    def licence(self) -> str:
        """Return what it declares: an SPDX expression, its own words, or where its text is."""
        if self.installed is None:
            return WITHOUT_A_TEXT[self.name].name if self.name in WITHOUT_A_TEXT else ""
        told = self.installed.metadata
        words = (*told.get_all("License-Expression", []), *told.get_all("License", []))
        short = [text for text in words if text and "\n" not in text]
        kinds = [text.rpartition(" :: ")[2] for text in told.get_all("Classifier", []) if text.startswith("License ::")]
        return (short or kinds or ["see the text of the licence"])[0].strip()

    @property
    def bundled(self) -> list[Bundled]:
        return [one for one in BUNDLED if one.package == self.name]

    def texts(self) -> dict[str, str]:
        """Return the licences and notices that it is shipped with, by file; the whole text under "" if they have none.

        Raises:
            LookupError: they have none, and WITHOUT_A_TEXT does not know it.
        """
        files = (self.installed.files or []) if self.installed else []
        named = {
            str(file): Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
            for file in files
            if _NAME_OF_A_LICENCE.search(file.name) and file.suffix not in _CODE
        }
        # The same words in several folders are told once.
        different = {text: file for file, text in named.items()}
        found = {file: text for text, file in different.items()}
        if sum(len(text.split()) for text in found.values()) >= _SHORTEST_IN_WORDS:
            return found
        if self.name not in WITHOUT_A_TEXT:
            raise LookupError(f"{self.name} comes without the text of its licence: see WITHOUT_A_TEXT.")
        return found | {"": WITHOUT_A_TEXT[self.name].text()}

    def needs(self) -> Iterator[str]:
        """Yield the canonical names of what it asks for on this machine, with the extras that the lock names."""
        for line in (self.installed.requires or []) if self.installed else []:
            asked = Requirement(line)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in ("", *self.extras)):
                yield canonicalize_name(asked.name)


def locked() -> list[Package]:
    """Return every package of the two locks that the bank is run and tested with, by name."""
    runs = {package.name for package in _read("requirements.txt")}
    return [replace(package, runs=package.name in runs) for package in _read("requirements-dev.txt")]


def _read(lock: str) -> list[Package]:
    found = [
        Package(
            name=canonicalize_name(one.name),
            version=one.get_pinned_version,
            sha256=tuple(text.removeprefix("sha256:") for text in one.hash_options),
            extras=frozenset(one.extras),
        )
        for one in RequirementsFile.from_file(str(ROOT / lock)).requirements
    ]
    return sorted(found, key=lambda package: package.name)


def from_npm() -> dict[str, dict[str, str]]:
    """Return what the browser tests take from npm: by name its version, licence and integrity."""
    lock = json.loads((ROOT / "tests" / "browser" / "package-lock.json").read_text(encoding="utf-8"))
    return {path.removeprefix("node_modules/"): one for path, one in lock["packages"].items() if path}
