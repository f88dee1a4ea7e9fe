"""PostgreSQL with a synchronous standby: a COMMIT that was answered, and that the standby does not have.

COMMIT waits until the standby has it. An operator, or the driver of a worker that is ended, can cancel that wait: the
server then answers as if all was well, after a warning, and whoever reads the answer alone promises what a failover
loses (ADR 22).
"""

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

# The server's own function in which it waits: it is named with the warning, whose words are in the server's language.
_WAITS_IN = "SyncRepWaitForLSN"

# What each of the driver's connections was warned of.
_warnings: "WeakKeyDictionary[Any, list[str]]" = WeakKeyDictionary()


class NotOnStandby(OperationalError):
    """The transaction is committed, on the primary alone: a failover would undo it."""


def listen(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Django's `connection_created`: hear what PostgreSQL warns of."""
    if connection.vendor == "postgresql":
        warnings = _warnings[connection.connection] = []
        connection.connection.add_notice_handler(partial(_note, warnings))


def _note(warnings: list[str], told: Any) -> None:
    if told.source_function == _WAITS_IN:
        warnings.append(told.message_primary)


def forget(connection: BaseDatabaseWrapper) -> None:
    """What was said of earlier transactions is no matter of the one that begins."""
    _heard_on(connection).clear()


def require(connection: BaseDatabaseWrapper) -> None:
    """See that the last transaction is where it was to be.

    Raises:
        NotOnStandby: the wait for the standby was cancelled.
    """
    if _heard_on(connection):
        raise NotOnStandby("The wait for the standby was cancelled.")


def _heard_on(connection: BaseDatabaseWrapper) -> list[str]:
    # Only what was listened to is looked up: SQLite's connections cannot be referred to weakly.
    if connection.vendor != "postgresql" or connection.connection is None:
        return []
    return _warnings.get(connection.connection, [])
