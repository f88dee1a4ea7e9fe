"""Reading from a replica, a readable copy of the database that is behind by an unknown time (docs/scaling.md).

A read goes there only if two things say so: a function marked `may_be_behind`, and a model with `readable_on_replica`.
And only in answer to a request that changes nothing, from a person who has changed nothing for REPLICA_LAG_SECONDS.
Everything else goes to the primary: decisions about money and about who a person is, limits, jobs, everything inside a
transaction.

On the ground floor, since every app reads.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections, models
from django.utils import timezone

P = ParamSpec("P")
R = TypeVar("R")

REPLICA = "replica"
AWAY_SECONDS = 30

logger = logging.getLogger(__name__)


class Behind(Exception):
    """The replica lacks something that the answer must have."""


@dataclass
class _Asked:
    """The current request. Until its person is known, it is answered from the primary."""

    may_be_behind: bool = False


@dataclass
class _Replica:
    """What this process knows of the replica: each process finds out for itself, which costs one failed try in
    `AWAY_SECONDS`."""

    away_until: float = 0.0


_asked: ContextVar[_Asked | None] = ContextVar("asked", default=None)
_reading: ContextVar[bool] = ContextVar("reading", default=False)
_replica = _Replica()


def is_configured() -> bool:
    return REPLICA in connections


@contextmanager
def question() -> Iterator[None]:
    """Surround a request that changes nothing: its reads may come from the replica, once `asked_by()` says so."""
    token = _asked.set(_Asked())
    try:
        yield
    finally:
        _asked.reset(token)


def asked_by(*, last_wrote_at: datetime | None) -> None:
    """Say when the person who asks last changed something, on any server: they see their change at once."""
    asked = _asked.get()
    if asked is not None:
        lag = timedelta(seconds=settings.REPLICA_LAG_SECONDS)
        asked.may_be_behind = last_wrote_at is None or timezone.now() - last_wrote_at > lag


def may_be_behind(read: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that only reads, and whose answer may be a moment old.

    It must return what it has read, not a query to be run later. If the replica fails, or if it raises `Behind`, it
    runs once more, on the primary.
    """

    @wraps(read)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _is_open():
            return read(*args, **kwargs)
        token = _reading.set(True)
        try:
            return read(*args, **kwargs)
        except Behind:
            _stay_on_the_primary()
        except Error as error:
            _leave_alone(error)
        finally:
            _reading.reset(token)
        return read(*args, **kwargs)

    return run


def is_reading() -> bool:
    """Return whether the current reads go to the replica, so that the caller can check whether it has come far
    enough."""
    return _reading.get() and not _is_in_transaction()


def as_now(steps: Iterator[R]) -> Iterator[R]:
    """Return the same iterator, each step taken as it would be now: a streamed answer is read when its request is
    over."""
    end: Any = object()
    return iter(partial(copy_context().run, next, steps, end), end)


class ReplicaRouter:
    """For `DATABASE_ROUTERS`, where there is a replica."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        """Choose the database, but not by the instance that a related row is read for, as Django would: it may have
        come from the replica."""
        is_open = getattr(model, "readable_on_replica", False) and is_reading()
        return REPLICA if is_open else DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        """Allow all relations: it is one bank, wherever its rows were read."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Allow no migration of the replica: the database copies tables as it copies rows."""
        return False if db == REPLICA else None


def _is_open() -> bool:
    asked = _asked.get()
    return (
        asked is not None
        and asked.may_be_behind
        and not _reading.get()  # inside another one, which takes care of failures
        and not _is_in_transaction()
        and time.monotonic() >= _replica.away_until
    )


def _is_in_transaction() -> bool:
    return connections[DEFAULT_DB_ALIAS].in_atomic_block


def _stay_on_the_primary() -> None:
    asked = _asked.get()
    if asked is not None:
        asked.may_be_behind = False


def _leave_alone(error: Error) -> None:
    """Read on the primary for a while. Log only the kind of the error: its text may hold values from the query."""
    logger.warning("The replica failed a read (%s): the primary answers for now.", type(error).__name__)
    _replica.away_until = time.monotonic() + AWAY_SECONDS
    with suppress(Error):
        connections[REPLICA].close()
