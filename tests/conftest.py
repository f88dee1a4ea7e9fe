import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.access_walk import Hers, things_of


@pytest.fixture
def hers(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> Hers:
    """One of everything that a customer can have, of Alice's."""
    return things_of(alice, bob, open_account, browser_of)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs that the test starts make folders, and by which they are found (`processes_of`)."""
    with tempfile.TemporaryDirectory(prefix="bank-place-") as name:
        Path(name).chmod(0o711)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many cases `test_api_fuzz` sent, and the answers."""
    fuzzed: Counter[str] = Counter()
    operations = 0
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, statuses in report.user_properties:
            if name == "fuzzed" and report.when == "call":
                fuzzed.update(statuses)
                operations += 1
    if operations:
        answers = ", ".join(f"{times} x {status}" for status, times in sorted(fuzzed.items()))
        terminalreporter.write_line(f"{fuzzed.total()} cases over {operations} operations, answered {answers}")
