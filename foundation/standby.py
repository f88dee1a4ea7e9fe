"""PostgreSQL with a synchronous standby: find a COMMIT that was answered although the standby does not have it.

COMMIT waits until the standby has it. An operator, or the driver of a worker that is being ended, can cancel that wait:
the server then answers as if all was well, after a warning, and code that reads only the answer would promise what a
failover loses (ADR 22).
"""

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

# The server's own function in which it waits: the warning names it, while its words are in the server's language.
_WAITS_IN = "SyncRepWaitForLSN"

# The warnings that each of the driver's connections received.
_warnings: "WeakKeyDictionary[Any, list[str]]" = WeakKeyDictionary()


class NotOnStandby(OperationalError):
    """The transaction is committed, on the primary alone: a failover would undo it."""


def listen(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Listen to PostgreSQL's warnings (Django's `connection_created`)."""
    if connection.vendor == "postgresql":
        warnings = _warnings[connection.connection] = []
        connection.connection.add_notice_handler(partial(_note, warnings))


def _note(warnings: list[str], told: Any) -> None:
    if told.source_function == _WAITS_IN:
        warnings.append(told.message_primary)


def forget(connection: BaseDatabaseWrapper) -> None:
    """Forget the warnings of earlier transactions: they do not concern the one that begins."""
    _heard_on(connection).clear()


def require(connection: BaseDatabaseWrapper) -> None:
    """Check that the standby has the last transaction.

    Raises:
        NotOnStandby: the wait for the standby was cancelled.
    """
    if _heard_on(connection):
        raise NotOnStandby("The wait for the standby was cancelled.")


def _heard_on(connection: BaseDatabaseWrapper) -> list[str]:
    # Look up only connections that we listen to: SQLite's cannot be referred to weakly.
    if connection.vendor != "postgresql" or connection.connection is None:
        return []
    return _warnings.get(connection.connection, [])
