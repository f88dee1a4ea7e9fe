"""A plugin of pytest that records how each test ended, for tests that run on another copy of the bank.

The file that `OUTCOMES` names gets a JSON object: by the name of each test without its parameters, the ends of its
parts, "passed", "assertion" (it was asserted, or expected to be raised, and was not so), "skipped", or else the step
and the kind of the exception: "call: KeyError", "setup: OperationalError".
"""

import json
import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_ends: defaultdict[str, set[str]] = defaultdict(set)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if call.when == "call" or call.excinfo is not None:
        _ends[item.nodeid.partition("[")[0]].add(_end_of(call))
    return report


def _end_of(call: pytest.CallInfo[None]) -> str:
    error = call.excinfo.value if call.excinfo is not None else None
    if error is None:
        return "passed"
    if isinstance(error, pytest.skip.Exception):
        return "skipped"
    if call.when == "call" and isinstance(error, AssertionError | pytest.fail.Exception):
        return "assertion"
    return f"{call.when}: {type(error).__name__}"


def pytest_sessionfinish() -> None:
    ends = {test: sorted(found) for test, found in _ends.items()}
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(ends), encoding="utf-8")
