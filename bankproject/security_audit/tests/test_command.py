"""`manage.py security_audit`: three verdicts, an exit status for each, a table for people, JSON for machines (R8.5)."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bankproject.security_audit import catalogue, results
from bankproject.security_audit.results import CannotLook, Result, State, Verdict, exit_status, verdict_of
from tests.asvs import proves
from tests.tables import in_one_world


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the real checks with these results, by name."""

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


@proves("V16.4.2")
@in_one_world(
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


def test_no_check_at_all_is_not_a_pass() -> None:
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
        *("settings", "deploy", "refusals", "triggers", "ledger", "audit-log", "names", "encryption", "keys"),
        *("bandit", "ruff", "secrets", "dependencies"),
    ]
