"""Which test runs which lines, and how long it takes, so that a mutant is tried only by tests that can notice it."""

import os
import sys
import threading
import time
from collections import defaultdict
from types import FrameType
from typing import Any

import pytest

# By test: its seconds of processor time, and the lines that it runs of each file.
Runs = dict[str, tuple[float, dict[str, list[int]]]]


class Lines:
    """Records the lines of some files that run."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self.seen: defaultdict[str, set[int]] = defaultdict(set)

    def start(self) -> None:
        sys.settrace(self._call)
        threading.settrace(self._call)

    def stop(self) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        # With the line on which the function begins: a mutant may be in its head.
        self.seen[frame.f_code.co_filename] |= {frame.f_lineno, frame.f_code.co_firstlineno}
        return self._line


def traced(items: list[pytest.Item], files: set[str]) -> Runs:
    """Run the tests, and return those that passed."""
    runs: Runs = {}
    for number, item in enumerate(items):
        lines, began = Lines(files), time.process_time()
        lines.start()
        reports = run_one(item, items[number + 1] if number + 1 < len(items) else None)
        lines.stop()
        if all(report.passed for report in reports):
            seen = {os.path.relpath(file): sorted(found) for file, found in lines.seen.items()}
            runs[item.nodeid] = time.process_time() - began, seen
    return runs


def run_one(item: pytest.Item, following: pytest.Item | None) -> list[Any]:
    """Run one test; return the reports on it and its rows."""
    reports: list[Any] = []
    noting = _Noting(reports)
    item.config.pluginmanager.register(noting)
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    finally:
        item.config.pluginmanager.unregister(noting)
    return reports


class _Noting:
    def __init__(self, reports: list[Any]) -> None:
        self._reports = reports

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._reports.append(report)
