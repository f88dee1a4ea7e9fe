"""What is installed is what the locks name, file by file (R8.8, ADR 34)."""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip_requirements_parser import InstallRequirement, RequirementsFile

from tests.asvs import proves
from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parent.parent
# The group of pyproject.toml, and the lock that `make lock` writes from it.
LOCKS = {
    "bank": "requirements.txt",
    "dev": "requirements-dev.txt",
    "lock": "deploy/supply/requirements.txt",
    "node": "tests/browser/requirements.txt",
    "mutants": "tests/faults/mutation/requirements.txt",
    "scanners": "tests/scanners/requirements.txt",
}
# Where commands stand that people and machines install by. History is told as it was.
TOLD = (
    *("Makefile", "Dockerfile", "deploy/firewall/Dockerfile", ".ci/run", "deploy/run_https"),
    *(".github/workflows/ci.yml", ".github/SECURITY.md", "README.md", "CONTRIBUTING.md"),
    *("tests/faults/mutation/made.py", "tests/scanners/scan.py"),
)
# Python brings them into each new environment, before anything is installed.
OF_PYTHON = {"pip", "setuptools"}


def asked_for(group: str) -> list[Requirement]:
    """Return what a group of pyproject.toml asks for, with the groups that it includes."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    found = []
    for one in groups[group]:
        found += [Requirement(one)] if isinstance(one, str) else asked_for(one["include-group"])
    return found


def lock(group: str) -> dict[str, list[InstallRequirement]]:
    """Return the lines of a lock by canonical name; several where Pythons differ."""
    found: dict[str, list[InstallRequirement]] = {}
    for one in RequirementsFile.from_file(str(ROOT / LOCKS[group])).requirements:
        found.setdefault(canonicalize_name(one.name), []).append(one)
    return found


@proves("V15.1.2", "V15.2.4")
@in_one_world("group", LOCKS)
def test_everything_asked_for_is_locked_at_that_version_with_its_hashes(group: str) -> None:
    """If this fails: `make lock`."""
    locked = lock(group)
    for asked in asked_for(group):
        version = re.fullmatch(r"==([0-9][\w.+!-]*)", str(asked.specifier))
        assert version, f"pyproject.toml asks for {asked}, which is no version"
        lines = locked.get(canonicalize_name(asked.name), [])
        assert [one.get_pinned_version for one in lines] == [version[1]], asked
        assert all(asked.extras <= set(one.extras) for one in lines), asked


@proves("V15.1.2", "V15.2.4")
@in_one_world("group", LOCKS)
def test_every_line_of_a_lock_has_a_version_and_a_hash(group: str) -> None:
    read = RequirementsFile.from_file(str(ROOT / LOCKS[group]))
    assert read.requirements
    assert list(read.invalid_lines) == []
    for one in read.requirements:
        assert one.is_pinned, one.name
        assert one.link is None, one.name
        assert one.hash_options, one.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in one.hash_options), one.name


def test_no_other_file_is_installed_from() -> None:
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("requirements*.txt")}
    for folder in ("deploy", "tests", "benchmarks", "docs"):
        found |= {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("requirements*.txt")}
    assert found == set(LOCKS.values())


def test_the_tests_run_with_the_very_files_that_the_bank_runs_with() -> None:
    tools = lock("dev")
    for name, lines in lock("bank").items():
        for one, other in zip(lines, tools[name], strict=True):
            assert one.get_pinned_version == other.get_pinned_version, name
            assert one.hash_options == other.hash_options, name


@proves("V15.2.4")
def test_nothing_is_installed_that_no_lock_names() -> None:
    """Versions included. If this fails: what is new belongs in pyproject.toml; what is old, `make setup` renews."""
    locked = {
        name: {one.get_pinned_version for one in lines}
        for group in ("dev", "node")
        for name, lines in lock(group).items()
    }
    installed = {canonicalize_name(one.name): one.version for one in distributions()}
    assert len(installed) > 100
    other = {name: version for name, version in installed.items() if version not in locked.get(name, set())}
    assert {name: version for name, version in other.items() if name not in OF_PYTHON} == {}


# --- Commands ----------------------------------------------------------------------------------------------------


def installs() -> Iterator[tuple[str, str]]:
    """Yield each command that installs from a registry, in one line, with the file that it stands in."""
    for path in (*(ROOT / name for name in TOLD), *sorted((ROOT / "docs").glob("*.md"))):
        text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
        for match in re.finditer(r"(?:\bpip3?|-m pip) install\b[^`\n]*|\bnpm (?:ci|install|i)\b[^`\n]*", text):
            yield str(path.relative_to(ROOT)), match[0]


@proves("V15.1.2", "V15.2.4")
def test_every_command_installs_by_hash_and_builds_nothing() -> None:
    found = list(installs())
    assert {"Makefile", "Dockerfile", "docs/deployment.md"} <= {file for file, _ in found}
    for file, command in found:
        if command.startswith("npm"):
            assert re.match(r"npm ci .*--ignore-scripts", command), f"{file}: {command}"
            continue
        assert "--require-hashes" in command, f"{file}: {command}"
        # Two environments apart need packages that come as source only.
        apart = file in {"tests/faults/mutation/made.py", "tests/scanners/scan.py"}
        assert apart or "--only-binary :all:" in command, f"{file}: {command}"
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"\$\(INSTALL\) (\S+ \S+)", recipes) == [
        *("-r requirements-dev.txt", "-r tests/browser/requirements.txt", "-r $<"),
    ]


@proves("V15.2.4")
def test_what_comes_from_npm_is_checked_by_its_sha_512() -> None:
    packages = json.loads((ROOT / "tests/browser/package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 1
    assert [path for path, one in packages.items() if path and not one["integrity"].startswith("sha512-")] == []


def wheel(folder: Path, name: str, version: str, needs: str = "") -> str:
    """Make the smallest package that pip takes; return its SHA-256."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    told = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "raise SystemExit('not what was locked')\n")
        file.writestr(f"{told}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        file.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{told}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("case", "said"),
    [("another content", "DO NOT MATCH THE HASHES"), ("something nobody locked", "must have their versions pinned")],
)
@proves("V15.2.4")
def test_pip_refuses_what_the_lock_does_not_name(case: str, said: str, tmp_path: Path) -> None:
    """As from an index that somebody else fills: the same name and version, or one package more."""
    served = tmp_path / "served"
    served.mkdir()
    file = tmp_path / "requirements.txt"
    if case == "another content":
        idna = lock("bank")["idna"][0]
        wheel(served, "idna", str(idna.get_pinned_version))
        hashes = " ".join(f"--hash={text}" for text in idna.hash_options)
        file.write_text(f"idna=={idna.get_pinned_version} {hashes}\n", encoding="utf-8")
    else:
        digest = wheel(served, "locked_one", "1.0", "Requires-Dist: stowaway\n")
        wheel(served, "stowaway", "1.0")
        file.write_text(f"locked_one==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    command = re.search(r"^INSTALL := -m (pip install .*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert command
    ran = subprocess.run(
        [
            *(sys.executable, "-m", *command[1].split(), "--no-index", "--find-links", str(served)),
            *("--target", str(tmp_path / "into"), "-r", str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"},
    )
    assert ran.returncode == 1
    assert said in ran.stderr
    assert not (tmp_path / "into").exists()
