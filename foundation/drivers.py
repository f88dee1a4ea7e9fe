"""How a compiled statement reaches the driver of each kind of database, without Django's overhead.

Django makes a cursor for each statement, wraps it twice, and translates the text again. On SQL Server each such cursor
costs another round trip, to discard what was prepared; on PostgreSQL nothing is ever prepared. Here the text is
translated once, and a connection keeps one cursor for all compiled statements (docs/adr/0005).

Code that watches statements (`execute_wrapper()`, the log of queries) gets Django's own cursor.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

Execute = Callable[[BaseDatabaseWrapper, str, Sequence[Any]], Any]

# PostgreSQL gets the values apart from the text, so it cannot know that two of them are always the same.
_SAME_VALUE_TWICE = ("GROUP BY", "DISTINCT")


class DriverText:
    """A statement as the ORM writes it, and as the driver of one kind of database takes it."""

    def __init__(self, text: str, database: BaseDatabaseWrapper) -> None:
        self.text = text
        self._for_driver = text
        self._execute: Execute | None = None
        if database.vendor == "sqlite":
            # A method that needs no cursor, so that nothing connects.
            self._for_driver = SQLiteCursorWrapper.convert_query(None, text)  # type: ignore[arg-type]
            self._execute = _execute_on_sqlite
        elif database.vendor == "postgresql" and not any(word in text for word in _SAME_VALUE_TWICE):
            self._execute = _execute_on_postgresql
        elif database.vendor == "microsoft" and "%s" in text:  # a statement without values is not prepared
            self._execute = _execute_on_sql_server

    def rows(self, database: BaseDatabaseWrapper, params: Sequence[Any]) -> list[tuple]:
        """Run it; return all rows, as the driver gives them."""
        if self._execute is None or _is_watched(database):
            with database.cursor() as cursor:
                cursor.execute(self.text, params)
                return cursor.fetchall()
        _require_readiness(database)
        try:
            rows: list[tuple] = self._execute(database, self._for_driver, params).fetchall()
        except Exception:
            with database.wrap_database_errors:
                raise
        return rows

    def count(self, database: BaseDatabaseWrapper, params: Sequence[Any]) -> int:
        """Run it; return how many rows it affected."""
        if self._execute is None or _is_watched(database):
            with database.cursor() as cursor:
                cursor.execute(self.text, params)
                return cursor.rowcount
        _require_readiness(database)
        try:
            matched: int = self._execute(database, self._for_driver, params).rowcount
        except Exception:
            with database.wrap_database_errors:
                raise
        return matched

    def many(self, database: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each row of parameters, handed to the driver at once."""
        if self._execute is not _execute_on_postgresql or _is_watched(database):
            with database.cursor() as cursor:
                cursor.executemany(self.text, rows)
            return
        _require_readiness(database)
        with database.wrap_database_errors:
            _kept.cursor(database, _made_on_postgresql).executemany(self.text, rows)


def _is_watched(database: BaseDatabaseWrapper) -> bool:
    return bool(database.execute_wrappers) or database.queries_logged


def _require_readiness(database: BaseDatabaseWrapper) -> None:
    """Do what Django does before each statement.

    Raises:
        TransactionManagementError: an earlier statement broke the transaction.
        DatabaseError: the connection belongs to another thread, or cannot be made.
    """
    # In a transaction both were done when it began.
    if not database.in_atomic_block or database.connection is None:
        database.close_if_health_check_failed()
        database.ensure_connection()
    database.validate_thread_sharing()
    database.validate_no_broken_transaction()


# --- SQLite: its driver keeps prepared statements by their texts --------------------------------------------


def _execute_on_sqlite(database: BaseDatabaseWrapper, text: str, params: Sequence[Any]) -> Any:
    return database.connection.execute(text, params)


# --- What a connection keeps --------------------------------------------------------------------------------


class _Kept(threading.local):
    """The cursor of each of this thread's connections, by alias. It lives as long as its connection."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Any, Any]] = {}  # the driver's connection, and the cursor

    def cursor(self, database: BaseDatabaseWrapper, make: Callable[[BaseDatabaseWrapper], Any]) -> Any:
        connection, cursor = self._of.get(database.alias, (None, None))
        if cursor is None or connection is not database.connection:
            cursor = make(database)
            self._of[database.alias] = database.connection, cursor
        return cursor

    def drop(self, database: BaseDatabaseWrapper) -> None:
        self._of.pop(database.alias, None)


_kept = _Kept()


# --- PostgreSQL: values apart from the text, so that it can be prepared -------------------------------------


# The server's function that refuses a statement prepared before a migration gave a column another type; its message is
# in the server's language.
OUTDATED_IN = "RevalidateCachedQuery"


def _execute_on_postgresql(database: Any, text: str, params: Sequence[Any]) -> Any:
    cursor = _kept.cursor(database, _made_on_postgresql)
    try:
        # Nothing is prepared where the connection's `prepare_threshold` is None, which a pooler may need.
        return cursor.execute(text, params, prepare=True)
    except database.Database.NotSupportedError as error:
        # In a transaction, its owner runs it again: the driver forgets prepared statements at the rollback.
        if database.in_atomic_block or error.diag.source_function != OUTDATED_IN:
            raise
    database.connection.execute("DEALLOCATE ALL")
    return cursor.execute(text, params, prepare=True)


def _made_on_postgresql(database: BaseDatabaseWrapper) -> Any:
    from django.db.backends.postgresql.base import ServerBindingCursor

    return ServerBindingCursor(database.connection)  # type: ignore[call-arg]


# --- SQL Server: one cursor, since a newly prepared statement replaces the old one in the same round trip --

# ODBC's, for `setinputsizes()`: the kind, its size, its decimals.
_Declared = tuple[int, int, int] | None
_NARROW_TEXT, _WIDE_TEXT = (12, 4000, 0), (-9, 4000, 0)
_INTEGER, _BIG_INTEGER = (4, 0, 0), (-5, 0, 0)
_MOMENT = (-155, 34, 7)


def _execute_on_sql_server(database: BaseDatabaseWrapper, text: str, params: Sequence[Any]) -> Any:
    cursor = _kept.cursor(database, _made_on_sql_server)
    try:
        # With GROUP BY the backend sends other values than these.
        cursor.setinputsizes(None if "GROUP BY" in text else _declared(params, database))
        cursor.execute(text, params)
    except Exception:
        _kept.drop(database)
        raise
    return cursor


def _made_on_sql_server(database: BaseDatabaseWrapper) -> Any:
    return database.create_cursor()  # the backend's, which notes a lost connection


def _declared(params: Sequence[Any], database: BaseDatabaseWrapper) -> list[_Declared] | None:
    """Return what the values are declared as, whatever their length and size; None leaves it to the driver.

    The drivers declare a text by its own length, and mssql-python a number by its own size: for the server that is
    another statement each time, which it compiles again.
    """
    declared: list[_Declared] = []
    for value in params:
        if isinstance(value, str) and value.isascii() and len(value) <= _NARROW_TEXT[1]:
            declared.append(_NARROW_TEXT)  # as a wide text, it would not use the index on a UUID, a char(32)
        elif isinstance(value, str) and 2 * len(value) <= _WIDE_TEXT[1]:
            declared.append(_WIDE_TEXT)  # its size is in UTF-16, where a character may be two
        elif isinstance(value, int) and -(2**31) <= value < 2**31:
            declared.append(_INTEGER)
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            declared.append(_BIG_INTEGER)
        elif type(value) is datetime and value.tzinfo is UTC:
            # pyodbc sends it without its zone, which the ODBC driver would take for the machine's.
            declared.append(None if database.Database.__name__ == "pyodbc" else _MOMENT)  # type: ignore[attr-defined]
        else:
            return None
    return declared
