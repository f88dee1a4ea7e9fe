"""The report on the mutants that were made by machine (`tests/faults/mutation/`)."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mutation import report
from tests.faults.mutation.trying import KILLED, NOT_RUN, SURVIVED, TIMED_OUT, Trial, outcome_of

FRAUD = "transfers/orders/fraud.py"


def row(outcome: str, after: str = "return 1", module: str = FRAUD) -> dict[str, Any]:
    about = {"module": module, "line": 7, "operator": "NumberReplacer", "before": "return 0", "after": after}
    return about | {"outcome": outcome, "by": "3 tests"}


def test_a_mutant_whose_time_was_up_is_not_counted_as_killed() -> None:
    said = report.of([row(KILLED), row(KILLED), row(SURVIVED), row(TIMED_OUT), row(KILLED, module="x.py")], [FRAUD])
    assert f"| {FRAUD} | 4 | 2 | 1 | 1 | 0 | 50.0 % |" in said
    assert "| all | 4 | 2 | 1 | 1 | 0 | 50.0 % |" in said
    assert said.count("no reason is listed") == 2


@pytest.mark.parametrize(
    ("code", "printed", "outcome"),
    [
        (1, "FAILED t.py::test_one", (KILLED, "FAILED t.py::test_one")),
        (1, "", (NOT_RUN, "pytest ended with 1")),
        (2, "ERROR t.py - NameError\nFAILED t.py::test_one", (NOT_RUN, "ERROR t.py - NameError")),
        (4, "", (NOT_RUN, "pytest ended with 4")),
        (5, "", (NOT_RUN, "pytest ended with 5")),
        (0, "2 passed", (SURVIVED, "2 tests, from the start")),
    ],
)
def test_only_a_test_that_fails_has_killed_a_mutant(code: int, printed: str, outcome: tuple[str, str]) -> None:
    """An import that breaks, or missing tests, do not count."""
    run = subprocess.CompletedProcess([], code, printed)
    assert outcome_of(run, ["one", "two"]) == outcome
    said = report.of([row(outcome[0])], [FRAUD])
    assert (f"| {FRAUD} | 1 | 0 | 0 | 0 | 1 | 0.0 % |" in said) == (outcome[0] == NOT_RUN)


def test_a_survivor_is_told_with_the_reason_that_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "survivors.md"
    listed.write_text(f"| Module | Then | Why |\n| --- | --- | --- |\n| {FRAUD} | `` a \\| b `` | It is the same. |\n")
    monkeypatch.setattr(report, "SURVIVORS", listed)
    said = report.of([row(SURVIVED, "a | b"), row(SURVIVED, "a & b")], [FRAUD])
    assert "survived (3 tests): It is the same.\n  - return 0\n  + a | b" in said
    assert said.count("no reason is listed") == 1


def test_every_reason_is_about_a_module_that_there_is() -> None:
    root = Path(__file__).resolve().parents[2]
    assert {module for module, _ in report._reasons() if not (root / module).is_file()} == set()


def test_a_trial_knows_which_lines_it_changes(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("a = 1\n\n\ndef one():\n    return a\n")
    changed = Trial(str(module), "NumberReplacer", 0, "a = 1\n\n\ndef one():\n    return not a\n")
    assert changed.change() == ([5], "return a", "return not a")
    assert changed.changed_functions() is not None
    assert Trial(str(module), "NumberReplacer", 0, "a = 2\n\n\ndef one():\n    return a\n").changed_functions() is None
