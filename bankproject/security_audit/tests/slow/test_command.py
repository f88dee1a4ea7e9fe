"""`manage.py security_audit`: three verdicts, an exit status for each, a table for people, JSON for machines (R8.5)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bankproject.security_audit import catalogue
from bankproject.security_audit.tests.test_command import run


@pytest.mark.django_db
def test_a_new_bank_passes_except_what_is_far_away() -> None:
    """Nobody serves the list of advisories at the address given here. Other tests cover how the bank starts, and `make
    audit` in `.ci/run` reads its source."""
    elsewhere = {"settings", "deploy", "refusals", "bandit", "ruff", "secrets"}
    names = [name for name in catalogue.CHECKS if name not in elsewhere]
    status, output = run("--json", "--advisories", "http://127.0.0.1:9/", "--only", *names)
    found = {check["name"]: check for check in json.loads(output)["checks"]}
    assert found.pop("dependencies")["state"] == "not reachable"
    assert {name: check for name, check in found.items() if check["state"] not in {"pass", "information"}} == {}
    assert status == 0


def test_the_program_ends_with_the_status(repository: Path) -> None:
    """The tests above show all other endings, which come from `run`, in this process."""
    here = ["--only", "dependencies", "--advisories", "http://127.0.0.1:9/"]
    ran = subprocess.run(
        [sys.executable, "manage.py", "security_audit", *here, "--strict"],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "Verdict: NOT REACHABLE" in ran.stdout
