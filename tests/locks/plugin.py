"""Fail each test in which a service takes a lock against the order of docs/locks.md."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.locks.recorder import Recorder

_recorders: list["Recorder"] = []


@pytest.fixture(scope="session", autouse=True)
def _locks_are_recorded() -> Iterator[None]:
    # Here, since Django's apps are ready only now.
    from tests.locks.order import written_order
    from tests.locks.recorder import Recorder

    with Recorder(written_order()).recording() as recorder:
        _recorders.append(recorder)
        yield
        _recorders.remove(recorder)


def present() -> "Recorder":
    """Return the one that listens now."""
    return _recorders[-1]


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the errors with which a transaction was given up in favour of another, and run again."""
    from foundation import transactions

    errors: list[str] = []
    ask = transactions.is_deadlock_victim

    def asked(error: Any) -> bool:
        if ask(error):
            errors.append(str(error))
        return ask(error)

    monkeypatch.setattr(transactions, "is_deadlock_victim", asked)
    return errors


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    return (yield from with_locks_in_order())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    return (yield from with_locks_in_order())


def with_locks_in_order() -> Generator[None, Any, Any]:
    """Surround code that takes locks.

    Raises:
        AssertionError: some were taken against the order.
    """
    try:
        result = yield
    finally:
        found = [text for recorder in _recorders for text in recorder.take()]
    assert not found, "Locks against the order of docs/locks.md:\n" + "\n".join(found)
    return result
