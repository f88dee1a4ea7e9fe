"""A plugin of pytest that tries mutants instead of running the tests: for each it forks a child, which puts the mutant
in and runs the tests that run the changed lines, until one fails.

Mutants outside of functions are not tried here: `__main__` runs them from the start.
"""

import difflib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mutation.coverage import Runs, run_one, traced
from tests.faults.mutation.swapping import Pair, changed_functions, put_in

# A test may take this many times as long as without the mutant, and no less than this: a mutant that loops is ended,
# and counted apart from noticed ones. Seconds of processor time; a test that waits for nothing is ended by the other
# limit, for a child.
_TIMES, _LEAST_SECONDS, _WAITS_SECONDS = 5, 10, 1800
# Code that runs once in a process, such as compiling a statement, seems to be run only by the first test. If few tests
# run a line, all that run anything of the module follow.
_FEW = 10
KILLED, SURVIVED, TIMED_OUT, FROM_THE_START = "killed", "survived", "timed out", "from the start"
# No test ran: the bank or the tests could not be imported, or there were none.
NOT_RUN = "not run"


@dataclass(frozen=True)
class Trial:
    """A mutant, and where it differs from the bank."""

    module: str
    operator: str
    occurrence: int
    text: str  # of the whole module

    @property
    def name(self) -> str:
        return f"{self.module} {self.operator} {self.occurrence}"

    def changed_functions(self) -> list[Pair] | None:
        """Return the functions that differ; None if something outside of them does."""
        file = Path(self.module)
        return changed_functions(str(file.resolve()), file.read_text(encoding="utf-8"), self.text)

    def change(self) -> tuple[list[int], str, str]:
        """Return the numbers of the changed lines, and their texts before and after."""
        before = Path(self.module).read_text(encoding="utf-8").splitlines()
        after = self.text.splitlines()
        spans = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        numbers = [number for kind, start, end, *_ in spans if kind != "equal" for number in range(start, end)]
        new = [line for kind, _, _, start, end in spans if kind != "equal" for line in after[start:end]]
        return [number + 1 for number in numbers], _joined([before[number] for number in numbers]), _joined(new)


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


class Trying:
    """The plugin: `trials` in, `told(trial, outcome, by, seconds)` for each.

    Args:
        at_once: how many children at a time.
        most_seconds: of processor time that the tests of one mutant may take; those of its own files first.
    """

    def __init__(
        self,
        trials: list[Trial],
        told: Callable[[Trial, str, str, float], None],
        *,
        lines: Path,
        at_once: int,
        most_seconds: float,
    ) -> None:
        self._trials, self._told, self._lines = trials, told, lines
        self._at_once, self._most_seconds = at_once, most_seconds
        self.runs: Runs = {}
        self._items: dict[str, pytest.Item] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out tests that are slow or need more than Python, as in the everyday run."""
        from tests.plugin import MARKS_OF_FOLDERS

        parts = collection_path.relative_to(Path.cwd()).parts
        return None if MARKS_OF_FOLDERS.keys().isdisjoint(parts) else True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        self.runs = self._known_runs(session.items)
        template = next(Path(session.config.cache.mkdir("migrated")).glob("*.sqlite3"))
        os.environ["MIGRATED_DATABASE"] = str(template)
        children: dict[int, tuple[Trial, _Child]] = {}
        try:
            self._try_all(children)
        finally:  # a signal, perhaps
            for pid, (_, child) in children.items():
                child.end(pid)
                child.clear()
        return True

    def _try_all(self, children: dict[int, tuple[Trial, "_Child"]]) -> None:
        waiting = iter(self._trials)
        while True:
            while len(children) < self._at_once and (trial := next(waiting, None)) is not None:
                pairs, tests = trial.changed_functions(), self.tests_of(trial)
                if pairs is None:
                    self._told(trial, FROM_THE_START, "", 0)
                elif not tests:
                    self._told(trial, SURVIVED, "no test runs it", 0)
                else:
                    child = _Child(tests)
                    children[child.start(partial(self._try, child, pairs))] = trial, child
            if not children:
                return
            for pid in [pid for pid, (_, child) in children.items() if child.is_over(pid)]:
                trial, child = children.pop(pid)
                self._told(trial, *child.outcome())

    def _known_runs(self, items: list[pytest.Item]) -> Runs:
        """Return what each test runs; recorded once, in a child too, so that no test has left anything behind."""
        if not self._lines.exists():
            files = {str(path) for path in Path("transfers").resolve().rglob("*.py") if "tests" not in path.parts}
            child = _Child([])
            pid = child.start(lambda: _write(self._lines, traced(items, files)))
            try:
                os.waitpid(pid, 0)
            finally:
                child.end(pid)
                child.clear()
        return json.loads(self._lines.read_text(encoding="utf-8"))

    def tests_of(self, trial: Trial) -> list[str]:
        """Return the tests that run a changed line, those of files with the module's name first, then the quick ones;
        for code that runs at import, all that run anything of the module."""
        stem, found = Path(trial.module).stem, list[str]()
        lines = trial.change()[0]
        if trial.changed_functions() is None:
            lines, found = [0], [test for test, (_, seen) in self.runs.items() if seen.get(trial.module)]
        for number in range(lines[-1], 0, -1):  # a statement of several lines runs where it begins
            found += [test for test, (_, seen) in self.runs.items() if number in seen.get(trial.module, ())]
            if found and number <= lines[0]:
                break
        if len(set(found)) < _FEW:
            found += [test for test, (_, seen) in self.runs.items() if seen.get(trial.module)]
        found.sort(key=lambda test: (stem not in test, self.runs[test][0]))
        chosen: list[str] = []
        for test in dict.fromkeys(found):
            if sum(self.runs[one][0] for one in chosen) < self._most_seconds:
                chosen.append(test)
        return chosen

    def _try(self, child: "_Child", pairs: list[Pair]) -> None:
        """Try it in the child: the outcome goes into its folder."""
        if not put_in(pairs):
            _write(child.result, [FROM_THE_START, ""])
            return
        items = [self._items[test] for test in child.tests if test in self._items]
        for number, item in enumerate(items):
            _allow(max(_TIMES * self.runs[item.nodeid][0], _LEAST_SECONDS))
            reports = run_one(item, items[number + 1] if number + 1 < len(items) else None)
            if not all(report.passed or report.skipped for report in reports):
                _write(child.result, [KILLED, item.nodeid])
                item.session._setupstate.teardown_exact(None)
                return
        _write(child.result, [SURVIVED, f"{len(items)} tests"])


class _Child:
    """A process that runs tests, in a folder and on a database of its own."""

    def __init__(self, tests: list[str]) -> None:
        self.tests = tests
        self._folder = Path(tempfile.mkdtemp(prefix="mutant-", dir=os.environ["TEST_RUN_FOLDER"]))
        self.result = self._folder / "result.json"
        self._began = time.monotonic()

    def start(self, work: Callable[[], None]) -> int:
        """Fork, and do the work there; return the process id of the child."""
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            self._make_own()
            work()
        finally:
            os._exit(0)

    def _make_own(self) -> None:
        from django.db import connection

        silent = os.open(self._folder / "output", os.O_WRONLY | os.O_CREAT)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        connection.settings_dict["TEST"]["NAME"] = str(self._folder / "test.sqlite3")

    def is_over(self, pid: int) -> bool:
        """Return whether it has ended; end it if it has waited too long."""
        time.sleep(0.005)
        if os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() - self._began < _WAITS_SECONDS:
            return False
        self.end(pid)
        return True

    def end(self, pid: int) -> None:
        """Kill everything that is left of it and of what it started."""
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def outcome(self) -> tuple[str, str, float]:
        """Return the outcome of the mutant, by which test, after how many seconds; the folder is gone then."""
        seconds = time.monotonic() - self._began
        what, by = json.loads(self.result.read_text()) if self.result.exists() else (TIMED_OUT, "")
        self.clear()
        return what, by, seconds

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def outcome_of(run: "subprocess.CompletedProcess[str]", tests: list[str]) -> tuple[str, str]:
    """Return the outcome of a mutant in a pytest of its own that printed the lines of `-rfE`, and by what."""
    if run.returncode == pytest.ExitCode.OK:
        return SURVIVED, f"{len(tests)} tests, from the start"
    lines = run.stdout.splitlines()
    failed = next((line for line in lines if line.startswith("FAILED ")), "")
    if run.returncode == pytest.ExitCode.TESTS_FAILED and failed:
        return KILLED, failed
    return NOT_RUN, next((line for line in lines if line.startswith("ERROR ")), f"pytest ended with {run.returncode}")


def _allow(seconds: float) -> None:
    """Let this process be ended after this many more seconds of processor time."""
    soft = int(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _write(file: Path, what: Any) -> None:
    made = file.with_suffix(".making")
    made.write_text(json.dumps(what), encoding="utf-8")
    made.rename(file)


def read_trials(lines: Iterator[str]) -> list[Trial]:
    """Return the mutants that `made.py` prints."""
    return [Trial(**json.loads(line)) for line in lines]
