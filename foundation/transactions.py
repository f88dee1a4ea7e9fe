"""One database transaction that wins against its rivals: committed whole, or retried whole."""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from django.db import DataError, Error, IntegrityError, OperationalError, connection, transaction

from foundation import request_context, standby
from foundation.drivers import OUTDATED_IN

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
# A longer absence of the server is reported to the caller: a worker that waits serves nobody.
_PATIENCE_SECONDS = 5
_CANCELLED_WITHIN_SECONDS = 0.5
_LOST_AT_COMMIT = "The connection was lost while the database was committing."

# SQL Server 1205, PostgreSQL 40P01 and 40001, and PostgreSQL where a migration altered a column since the statement was
# prepared: the engine ended our transaction, not our rules. The texts are compared since drivers raise different
# exceptions for the same thing.
_VICTIM = re.compile(rf"\b(1205|40001|40p01)\b|deadlock|could not serialize|{OUTDATED_IN}", re.IGNORECASE)
# SQLite's busy, PostgreSQL's 55P03, and SQL Server's 1222: what another transaction held did not come free in time.
_LOCKED = re.compile(r"database (?:table )?is locked|\b55p03\b|lock timeout|lock request time ?out", re.IGNORECASE)
# SQLSTATE 08xxx, PostgreSQL's 57P01 to 57P05 (it is being shut down), 25006 (it takes no writes any more) and 58030
# (its disk fails), and the words of the drivers that do not give the SQLSTATE: mssql-python's for 08xxx and a login
# that took too long, psycopg's, and those of libpq below it. SQLite's words are for a disk that fails: after a failed
# sync a commit may come back.
_LOST = re.compile(
    r"\b(08[0-9a-z]{3}|57p0[1-5]|25006|hyt01)\b"
    r"|communication link failure|connection failure|connection not open|disconnect error|connection operation failed"
    r"|unable to (?:establish|complete) (?:a )?connection|server rejected the connection|login timeout expired"
    r"|tcp provider|ssl provider|server closed the connection|terminating connection|a closed connection"
    r"|connection (?:timeout expired|already closed|refused|is bad|failed|reset)|the connection is (?:closed|lost)"
    r"|no connection to the server|could not (?:send|receive) data|(?:eof|socket) (?:detected|closed)|unexpected eof"
    r"|cannot open a new connection in an atomic block|insufficient data in|lost synchronization|failed to resolve host"
    r"|broken pipe|\b58030\b|disk i/o error|unable to open database file",
    re.IGNORECASE,
)
# SQLite's words, PostgreSQL's 53100, and SQL Server's for a full file group (1105) or log (9002).
_FULL = re.compile(
    r"\b53100\b|database or disk is full|filegroup is full|transaction log for database \S+ is full", re.IGNORECASE
)
# These messages quote people's values, which may contain anything.
_ABOUT_VALUES = (IntegrityError, DataError)


class OutcomeUnknown(OperationalError):
    """The connection was lost while the database was committing: the work is done whole, or not at all."""


class OutOfTime(OperationalError):
    """The web server ends the worker that waited for this. The database may have done it or not."""


# The connection exists, and cannot be used any more.
_OVER = (OutOfTime, standby.NotOnStandby)


def is_deadlock_victim(error: Error) -> bool:
    """Return whether the database gave up this transaction in favour of another one, so that trying again is right."""
    return is_locked_out(error) or (not isinstance(error, _ABOUT_VALUES) and bool(_VICTIM.search(_words_of(error))))


def is_locked_out(error: Error) -> bool:
    """Return whether the database gave up waiting for what another transaction holds."""
    return not isinstance(error, _ABOUT_VALUES) and bool(_LOCKED.search(_words_of(error)))


def is_connection_lost(error: Error) -> bool:
    """Return whether the database does not answer, or its disk fails: the connection must not be used again."""
    return isinstance(error, _OVER) or (not isinstance(error, _ABOUT_VALUES) and bool(_LOST.search(_words_of(error))))


def is_disk_full(error: Error) -> bool:
    """Return whether the database had no room for the write: it rolled back, and another run would find no room
    either."""
    return not isinstance(error, _ABOUT_VALUES) and bool(_FULL.search(_words_of(error)))


def is_away(error: Error) -> bool:
    """Return whether the database cannot be used for a while, and none of our statements is at fault."""
    return isinstance(error, OutcomeUnknown) or is_connection_lost(error) or is_disk_full(error)


class Service(Protocol[P, R]):
    """A service that runs in a transaction of its own; `service.joined(…)` runs it as one step of the caller's
    transaction.

    Raises:
        RuntimeError: joined outside a transaction.
    """

    joined: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def __get__(self, instance: Any, owner: Any) -> Callable[..., R]: ...  # as functions do, for methods


def own_transaction(service: Callable[P, R]) -> Service[P, R]:
    """Run a service in a transaction of its own, committed when it returns.

    The whole service runs again when the database gave it up in favour of another one, and over a new connection when
    the old one was lost before COMMIT: then the database has rolled back.

    Raises:
        RuntimeError: called inside another transaction, whose rollback could undo what was promised.
        OutcomeUnknown: the connection was lost at COMMIT, or the wait for the standby was cancelled. It is not run
            again: that could do it twice.
    """
    return _owned(service, is_repeatable=False)


def own_repeatable_transaction(service: Callable[P, R]) -> Service[P, R]:
    """Run a service like `own_transaction`, and again when the connection was lost at COMMIT: the service finds what an
    earlier run has done, and returns that.

    The service must begin by taking the lock that the earlier run held, and look only then: that transaction may still
    be alive on the server.
    """
    return _owned(service, is_repeatable=True)


def _owned(service: Callable[P, R], *, is_repeatable: bool) -> Service[P, R]:
    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        began, attempt, may_be_done = time.monotonic(), 0, False
        try:
            while True:
                attempt, has_returned = attempt + 1, False
                try:
                    standby.forget(connection)
                    with transaction.atomic(durable=True):
                        result = service(*args, **kwargs)
                        _require_connection()
                        has_returned = True
                    standby.require(connection)
                    return result
                except Error as error:
                    is_lost = is_connection_lost(error) or connection.closed_in_transaction
                    may_be_done |= is_lost and has_returned
                    if is_lost or is_disk_full(error):
                        connection.close()
                    is_over = attempt == ATTEMPTS or _is_over(error, began, is_lost=is_lost)
                    if may_be_done and (is_over or not is_repeatable):
                        raise OutcomeUnknown(_LOST_AT_COMMIT) from error
                    if is_over:
                        raise
                    time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
        except OutOfTime as error:  # in a service, or between two runs, of which the first may be done
            if may_be_done:
                raise OutcomeUnknown(_LOST_AT_COMMIT) from error
            raise

    run.joined = _joined(service)  # type: ignore[attr-defined]  # a function takes any attribute
    return cast("Service[P, R]", run)


def _joined(service: Callable[P, R]) -> Callable[P, R]:
    @wraps(service)
    def joined(*args: P.args, **kwargs: P.kwargs) -> R:
        if not connection.in_atomic_block:
            raise RuntimeError(f"{service.__name__} is to join a transaction, and there is none.")
        return service(*args, **kwargs)

    return joined


def _is_over(error: Error, began: float, *, is_lost: bool) -> bool:
    """Return whether another run, of a service that began at that time, would help nobody."""
    if isinstance(error, OutOfTime) or is_disk_full(error):
        return True
    # Jobs wait for a lock as often as they may; the worker of a request would be killed.
    if is_lost or (is_locked_out(error) and request_context.current().request_id):
        return time.monotonic() - began > _PATIENCE_SECONDS
    return not is_deadlock_victim(error)


def give_up() -> None:
    """End the current work of a web worker whose time for a request is over, a second before it is killed: end the
    database's work for it, and raise where it waits, so that the client gets an answer. Outside requests it returns.

    A COMMIT is left alone: PostgreSQL would no longer wait for its standby, and show everybody what a failover undoes.

    Raises:
        OutOfTime
    """
    if not request_context.current().request_id:
        return
    if not _is_at_commit():
        _cancel()
    raise OutOfTime("The time for this request is over.")


def _is_at_commit() -> bool:
    """Return whether a transaction is being ended: Django's block is left, and its autocommit is not back."""
    return not (connection.in_atomic_block or connection.autocommit)


def _cancel() -> None:
    """End PostgreSQL's work for us: otherwise it would go on waiting, for a lock for example, and hold locks of its
    own."""
    if connection.vendor == "postgresql" and connection.connection is not None:
        with suppress(connection.Database.Error):  # type: ignore[attr-defined]  # the driver, which the stubs leave out
            connection.connection.cancel_safe(timeout=_CANCELLED_WITHIN_SECONDS)


def _require_connection() -> None:
    """Refuse if the connection is gone: Django would leave the block silently, with nothing committed.

    Raises:
        OperationalError
    """
    if connection.closed_in_transaction:
        raise OperationalError("The connection is lost.")


def _words_of(error: Error) -> str:
    cause = error.__cause__
    function = getattr(getattr(cause, "diag", None), "source_function", "")
    return f"{error} {getattr(cause, 'sqlstate', '') or ''} {function or ''}"
