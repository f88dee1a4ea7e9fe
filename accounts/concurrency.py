"""One database transaction that wins against its rivals: committed whole, or retried whole."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import Error, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
# SQL Server 1205, PostgreSQL 40P01 and 40001, SQLite's busy: the engine ended our transaction, not our rules.
# The texts are looked at since drivers differ in the exception they raise for the same thing.
_VICTIM_MARKS = ("1205", "40001", "40p01", "deadlock", "database is locked", "could not serialize")


def is_deadlock_victim(error: Error) -> bool:
    """Whether the database gave up this transaction for another's sake, so that trying again is right."""
    text = f"{error} {getattr(error.__cause__, 'sqlstate', '') or ''}".lower()
    return any(mark in text for mark in _VICTIM_MARKS)


def own_transaction(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in a transaction of its own, committed when it returns; a deadlock victim is run again.

    Raises:
        RuntimeError: called inside another transaction, whose rollback could undo what was promised.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic(durable=True):
                    return service(*args, **kwargs)
            except Error as error:
                if attempt == ATTEMPTS or not is_deadlock_victim(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    return run


def joined(service: Callable[P, R]) -> Callable[P, R]:
    """The body of an `own_transaction` service, as one step of a caller that owns a transaction already.

    Raises:
        RuntimeError: called outside a transaction.
    """
    body: Callable[P, R] = service.__wrapped__  # type: ignore[attr-defined]

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not connection.in_atomic_block:
            raise RuntimeError(f"{body.__name__} is to join a transaction, and there is none.")
        return body(*args, **kwargs)

    return run
