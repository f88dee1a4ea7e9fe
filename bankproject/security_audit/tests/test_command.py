"""`manage.py security_audit`: three verdicts, an exit status for each, a table for people, JSON for machines (R8.5)."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bankproject.security_audit import catalogue, results
from bankproject.security_audit.programs import CannotLook
from bankproject.security_audit.results import Result, State, Verdict, exit_status, verdict_of


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put these results in the place of the real checks, by name."""

    def put(**states: Result | Exception) -> None:
        def looks(result: Result | Exception) -> Any:
            def check(subject: Any) -> Result:
                if isinstance(result, Exception):
                    raise result
                return result

            return check

        monkeypatch.setattr(catalogue, "CHECKS", {name: looks(result) for name, result in states.items()})

    return put


def run(*arguments: str) -> tuple[int, str]:
    output = StringIO()
    try:
        call_command("security_audit", *arguments, stdout=output, no_color=True)
    except CommandError as error:
        return error.returncode, output.getvalue()
    return 0, output.getvalue()


PASSED = results.passed("All is well.")
FAILED = results.failed("It is not.", [f"fault {number}" for number in range(30)])
UNSEEN = CannotLook("It is not installed here.")
TOLD = results.information("You may want to know.")


@pytest.mark.parametrize(
    ("found", "verdict", "status", "strict_status"),
    [
        ({"a": PASSED, "b": TOLD}, "PASS", 0, 0),
        ({"a": PASSED, "b": FAILED}, "FAIL", 1, 1),
        ({"a": PASSED, "b": UNSEEN}, "NOT REACHABLE", 0, 2),
        ({"a": UNSEEN, "b": FAILED}, "FAIL", 1, 1),
    ],
)
def test_the_verdict_is_one_of_three(
    checks: Any, found: dict[str, Any], verdict: str, status: int, strict_status: int
) -> None:
    checks(**found)
    assert run()[0] == status
    assert run()[1].endswith(f"Verdict: {verdict}\n")
    assert run("--strict")[0] == strict_status


def test_nothing_looked_at_is_no_pass() -> None:
    assert verdict_of([]) == Verdict.NOT_REACHABLE
    assert exit_status(Verdict.PASS, strict=True) == 0


def test_people_read_a_table_with_the_first_faults(checks: Any) -> None:
    checks(**{"audit-log": PASSED, "ledger": FAILED})
    lines = run()[1].splitlines()
    assert lines[0] == "audit-log     pass           All is well."
    assert lines[1] == "ledger        fail           It is not."
    assert lines[2].strip() == "- fault 0"
    assert "10 more; --json has all" in lines[22]


def test_machines_read_stable_keys(checks: Any) -> None:
    checks(a=PASSED, b=FAILED, c=UNSEEN)
    status, output = run("--json")
    report = json.loads(output)
    assert status == report["exit_status"] == 1
    assert set(report) == {"format", "at", "verdict", "strict", "exit_status", "checks"}
    assert (report["format"], report["verdict"], report["strict"]) == (1, "FAIL", False)
    assert [check["state"] for check in report["checks"]] == ["pass", "fail", "not reachable"]
    assert all(set(check) == {"name", "state", "sentence", "details"} for check in report["checks"])
    assert len(report["checks"][1]["details"]) == 30
    assert report["checks"][2]["sentence"] == "It is not installed here."


def test_only_the_named_checks_run(checks: Any) -> None:
    checks(a=FAILED, b=PASSED, c=PASSED)
    status, output = run("--only", "c", "b")
    assert (status, [line.split()[0] for line in output.splitlines()[:2]]) == (0, ["c", "b"])
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("security_audit", "--only", "d")


def test_states_and_verdicts_are_the_agreed_words() -> None:
    assert list(State) == ["pass", "fail", "not reachable", "information"]
    assert list(Verdict) == ["PASS", "FAIL", "NOT REACHABLE"]


def test_what_was_asked_for_is_all_there() -> None:
    assert list(catalogue.CHECKS) == [
        *("settings", "deploy", "refusals", "triggers", "ledger", "audit-log", "encryption", "keys"),
        *("bandit", "ruff", "secrets", "dependencies"),
    ]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_new_bank_passes_but_for_what_is_far_away() -> None:
    """Nobody serves the list of advisories at the address given here. How the bank starts has tests of its own, and
    its source is read by `make audit` itself, in `.ci/run`."""
    elsewhere = {"settings", "deploy", "refusals", "bandit", "ruff", "secrets"}
    names = [name for name in catalogue.CHECKS if name not in elsewhere]
    status, output = run("--json", "--advisories", "http://127.0.0.1:9/", "--only", *names)
    found = {check["name"]: check for check in json.loads(output)["checks"]}
    assert found.pop("dependencies")["state"] == "not reachable"
    assert {name: check for name, check in found.items() if check["state"] not in {"pass", "information"}} == {}
    assert status == 0


@pytest.mark.slow
def test_the_program_ends_with_the_status(repository: Path) -> None:
    """That all other endings come from `run`, which is in this process, is shown above."""
    here = ["--only", "dependencies", "--advisories", "http://127.0.0.1:9/"]
    ran = subprocess.run(
        [sys.executable, "manage.py", "security_audit", *here, "--strict"],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "Verdict: NOT REACHABLE" in ran.stdout
