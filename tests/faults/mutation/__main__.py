"""Try the mutants of some modules, and say which survive: `make mutants`, or

    python -m tests.faults.mutation --cosmic-ray PYTHON [--results FILE] transfers/orders/fraud.py …

Without modules: the ledger, the orders and the interest. Mutants with a result are not tried again, so a run may be
stopped and continued; a changed module is tried again. Not for CI: it takes hours.
"""

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.copies import broken, copied_bank, pytest_in
from tests.faults.mutation import report
from tests.faults.mutation.trying import FROM_THE_START, TIMED_OUT, Trial, Trying, outcome_of, read_trials

ROOMS = ("transfers/ledger", "transfers/orders", "transfers/interest")
# The everyday tests in which money moves; `support` offers staff's acts on it.
TESTS = ("transfers/tests", "support/tests", "tests")
FOLDER = Path(".mutants")


def main() -> int:
    asked = _asked()
    for one in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: children and folders go with us
        signal.signal(one, signal.default_int_handler)
    FOLDER.mkdir(exist_ok=True)
    modules = asked.modules or [str(path) for room in ROOMS for path in sorted(Path(room).glob("[!_]*.py"))]
    results = Results(asked.results)
    made = _made(asked.cosmic_ray, modules)
    trials = [trial for trial in made if not results.has(trial)]
    lines = asked.lines or FOLDER / f"lines-{_digest_of_tests()}.json"
    trying = Trying(trials, results.add, lines=lines, at_once=asked.at_once, most_seconds=asked.most_seconds)
    # Output is not captured: each child would write into the same file.
    ended = pytest.main(["-q", "-s", "-p", "no:xdist", *TESTS], plugins=[trying])
    if ended != pytest.ExitCode.OK:
        return int(ended)
    for trial in [trial for trial in trials if results.of(trial) == FROM_THE_START]:
        results.add(trial, *_from_the_start(trial, trying.tests_of(trial)))
    sys.stdout.write(report.of(results.rows(made), modules))
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--cosmic-ray", required=True, help="the Python that has cosmic-ray")
    parser.add_argument("--results", type=Path, default=FOLDER / "results.jsonl")
    parser.add_argument("--lines", type=Path, help="which test runs which lines, as an earlier run has noted it")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--most-seconds", type=float, default=30, help="of tests for one mutant")
    return parser.parse_args()


def _made(python: str, modules: list[str]) -> list[Trial]:
    made = subprocess.run(
        [python, "tests/faults/mutation/made.py", *modules], stdout=subprocess.PIPE, text=True, check=True
    )
    return read_trials(iter(made.stdout.splitlines()))


class Results:
    """A file with a line of JSON for each mutant that was tried; the last one counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[str, dict[str, Any]] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self._rows[row["name"]] = row

    def has(self, trial: Trial) -> bool:
        """Return whether exactly this mutant has an outcome."""
        row = self._rows.get(trial.name)
        return row is not None and row["digest"] == _digest(trial) and row["outcome"] != FROM_THE_START

    def of(self, trial: Trial) -> str:
        return self._rows[trial.name]["outcome"]

    def add(self, trial: Trial, outcome: str, by: str, seconds: float) -> None:
        numbers, before, after = trial.change()
        row = {"name": trial.name, "module": trial.module, "operator": trial.operator, "line": numbers[0]}
        row |= {"before": before, "after": after, "outcome": outcome, "by": by}
        row |= {"seconds": round(seconds, 2), "digest": _digest(trial)}
        self._rows[trial.name] = row
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self, trials: list[Trial]) -> list[dict[str, Any]]:
        return [self._rows[trial.name] for trial in trials]


def _digest_of_tests() -> str:
    """Return the digest of the tests and of the code they try: after a change, the lines of each test are recorded
    again."""
    told = hashlib.sha256()
    for place in ("transfers", *TESTS):
        for path in sorted(Path(place).rglob("*.py")):
            told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _digest(trial: Trial) -> str:
    return hashlib.sha256(trial.text.encode()).hexdigest()[:16]


def _from_the_start(trial: Trial, tests: list[str]) -> tuple[str, str, float]:
    """Try a mutant in a copy of the bank, in a pytest of its own."""
    began = time.monotonic()
    with copied_bank() as bank:
        broken(bank / trial.module, trial.text)
        try:
            run = pytest_in(bank, "-x", "-rfE", "--tb=no", *tests)
        except subprocess.TimeoutExpired:
            return TIMED_OUT, "", time.monotonic() - began
    seconds = time.monotonic() - began
    return *outcome_of(run, tests), seconds


if __name__ == "__main__":
    sys.exit(main())
