"""Check that the engine encrypts the database file: we do not encrypt balances, amounts, names and addresses (R8.1)."""

from collections.abc import Iterable
from typing import Any

from django.core import checks
from django.db import DatabaseError, connection, connections, transaction

from bankproject.security_audit.results import Result, failed, information, not_reachable, passed

# 3 is "encrypted"; 1 is "not", 2 "being encrypted", and no row is "no key at all".
_STATE = "SELECT encryption_state FROM sys.dm_database_encryption_keys WHERE database_id = DB_ID()"
_ENCRYPTED = 3
# Every login may ask whether it is switched on, though not how far it has come.
_SWITCH = "SELECT CASE WHEN is_encrypted = 1 THEN 3 ELSE 1 END FROM sys.databases WHERE database_id = DB_ID()"

_OFF = "Transparent data encryption of the database is not on: balances, amounts, names and e-mails lie in clear in its file."  # fmt: skip  # noqa: E501
_UNKNOWN = "The login may not see whether the database is encrypted; it needs VIEW SERVER STATE, or a look by somebody who has it."  # fmt: skip  # noqa: E501


def encryption_state(database: Any) -> int | None:
    """Return SQL Server's number for how far this database is encrypted; None where it has no key for it. For a login
    that may not know, switched on counts as encrypted.

    Raises:
        DatabaseError: the login may not ask at all.
    """
    try:
        return _asked(database, _STATE)
    except DatabaseError:
        return _asked(database, _SWITCH)


def _asked(database: Any, question: str) -> int | None:
    # In a savepoint: a refusal must not spoil the caller's transaction.
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    return row[0] if row else None


def check_whole_database(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that transparent data encryption is on, on SQL Server: `manage.py check --database default`."""
    return [message for alias in databases or [] for message in _messages(connections[alias])]


def _messages(database: Any) -> list[checks.CheckMessage]:
    if database.vendor != "microsoft":
        return []
    try:
        if encryption_state(database) == _ENCRYPTED:
            return []
    except DatabaseError:
        return [checks.Warning(_UNKNOWN, id="security_audit.W002")]
    return [checks.Warning(_OFF, hint="ALTER DATABASE … SET ENCRYPTION ON", id="security_audit.W001")]


def whole_database(database: Any = connection) -> Result:
    """Check that transparent data encryption is on, on SQL Server; none of our other engines has it."""
    if database.vendor != "microsoft":
        return information(
            f"{database.display_name} does not encrypt its files: balances, amounts, names and e-mails are in clear"
            " unless the disk is encrypted."
        )
    try:
        state = encryption_state(database)
    except DatabaseError as error:
        return not_reachable(_UNKNOWN, [str(error)])
    return passed("Transparent data encryption is on.") if state == _ENCRYPTED else failed(_OFF)
