"""`make sbom`: the bill of materials and the notices, from the locks (R8.8)."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from tests.asvs import proves
from tests.test_supply import ROOT, lock

FILES = {"sbom.cdx.json", "THIRD-PARTY-NOTICES.txt"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the program has written both."""
    folder = tmp_path_factory.mktemp("supply") / "build"
    run = subprocess.run(
        [sys.executable, "deploy/supply/sbom.py", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert {path.name for path in folder.iterdir()} == FILES
    return folder


@pytest.fixture
def bill(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "sbom.cdx.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def notices(made: Path) -> dict[str, str]:
    """Return what stands under each package, by its name and version."""
    text = (made / "THIRD-PARTY-NOTICES.txt").read_text(encoding="utf-8")
    parts = re.split(r"^={100}\n(\S+ \S+)\n(?=Licence: .*\n={100}$)", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@proves("V15.1.2")
def test_the_bill_is_cyclonedx(made: Path) -> None:
    text = (made / "sbom.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = json.loads(text)
    broken["components"][0]["type"] = "no such kind"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)) is not None


@proves("V15.1.2")
def test_the_bill_has_every_locked_package_with_all_its_hashes(bill: dict[str, Any]) -> None:
    told = {
        one["purl"]: (
            one["scope"],
            {text["content"] for reference in one["externalReferences"] for text in reference["hashes"]},
        )
        for one in bill["components"]
    }
    runs = lock("bank")
    for name, lines in lock("dev").items():
        for one in lines:
            hashes = {text.removeprefix("sha256:") for text in one.hash_options}
            scope = "required" if name in runs else "excluded"
            assert told.pop(f"pkg:pypi/{name}@{one.get_pinned_version}") == (scope, hashes), name
    assert [purl.partition("@")[0] for purl in told] == ["pkg:npm/axe-core"]


def test_the_bill_says_who_needs_whom(bill: dict[str, Any]) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    without_version = {ref.partition("@")[0]: {one.partition("@")[0] for one in found} for ref, found in needs.items()}
    assert {"pkg:pypi/asgiref", "pkg:pypi/sqlparse"} <= without_version["pkg:pypi/django"]
    assert "pkg:pypi/psycopg-binary" in without_version["pkg:pypi/psycopg"], "of an extra"
    assert len(without_version["alder-bank"]) == len(lock("bank"))


def test_the_bill_and_the_notices_have_what_browsers_get(bill: dict[str, Any], notices: dict[str, str]) -> None:
    carried = {one["name"]: one["version"] for whole in bill["components"] for one in whole.get("components", [])}
    assert carried.keys() == {"Bootstrap", "Font Awesome Free", "jQuery", "Swagger UI", "Redoc"}
    text = "\n".join(notices.values())
    for name, version in carried.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert f"--- carries {name} {version}: " in text
    assert "SIL OPEN FONT LICENSE" in text, "Noto Sans, and Font Awesome's fonts"
    assert "Select2" in text or "select2" in text.lower(), "in Django's admin"


def test_the_notices_have_every_package_that_the_bank_runs_with_and_its_whole_licence(
    notices: dict[str, str],
) -> None:
    wanted = {f"{name} {one.get_pinned_version}" for name, lines in lock("bank").items() for one in lines}
    assert notices.keys() == wanted
    for name, text in notices.items():
        assert re.match(r"Licence: \S", text), name
        # The shortest of them, MIT-0, has 140 words.
        assert len(text.split()) > 120, name


def test_a_package_without_the_text_of_a_licence_is_not_passed_over() -> None:
    program = (
        "import locked\ndel locked.WITHOUT_A_TEXT['fontpkg']\nfrom notices import notices\nnotices(locked.locked())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "deploy/supply", capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "fontpkg comes without the text of its licence" in run.stderr


def test_no_name_is_written_in_two_ways() -> None:
    assert [name for name in lock("dev") if name != canonicalize_name(name)] == []


def test_the_bill_is_made_and_not_kept() -> None:
    """It is true of the commit that it is made from."""
    assert "/build/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
