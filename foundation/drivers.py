"""How a compiled statement reaches the driver of each kind of database, without what costs more than the statement.

Django makes a cursor for each statement, wraps it twice, and translates the text again. On SQL Server that is a
statement prepared and thrown away each time, on PostgreSQL one that is never prepared. Here the text is translated
once; PostgreSQL and SQL Server keep what they have prepared for as long as the connection lasts (docs/adr/0005).

Whoever looks on (`execute_wrapper()`, the log of queries) is served by Django's own cursor.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

Execute = Callable[[BaseDatabaseWrapper, "DriverText", Sequence[Any]], Any]

# Cursors that stay open on a connection to SQL Server, each with its prepared statement.
MOST_KEPT = 100

# Where a value stands in two places that must be one, they are one to the database only while they stand in the text
# itself, or under one name; Django's cursors see to that.
_SAME_VALUE_TWICE = ("GROUP BY", "DISTINCT")


class DriverText:
    """A statement as the ORM writes it, and as the driver of one kind of database takes it."""

    def __init__(self, text: str, database: BaseDatabaseWrapper) -> None:
        self.text = text
        self.for_driver = text
        self._execute = _execute_anew
        if any(word in text for word in _SAME_VALUE_TWICE):
            return
        if database.vendor == "sqlite":
            # A method that needs no cursor, so that nothing is connected to.
            self.for_driver = SQLiteCursorWrapper.convert_query(None, text)  # type: ignore[arg-type]
            self._execute = _execute_on_sqlite
        elif database.vendor == "postgresql":
            self._execute = _execute_on_postgresql
        elif database.vendor == "microsoft":
            self._execute = _execute_on_sql_server

    def rows(self, database: BaseDatabaseWrapper, params: Sequence[Any]) -> list[tuple]:
        """Run; return all rows, as the driver gives them."""
        if _is_watched(database):
            with database.cursor() as cursor:
                cursor.execute(self.text, params)
                return cursor.fetchall()
        _require_readiness(database)
        try:
            rows: list[tuple] = self._execute(database, self, params).fetchall()
        except Exception:
            with database.wrap_database_errors:
                raise
        return rows

    def count(self, database: BaseDatabaseWrapper, params: Sequence[Any]) -> int:
        """Run; return how many rows it was about."""
        if _is_watched(database):
            with database.cursor() as cursor:
                cursor.execute(self.text, params)
                return cursor.rowcount
        _require_readiness(database)
        try:
            matched: int = self._execute(database, self, params).rowcount
        except Exception:
            with database.wrap_database_errors:
                raise
        return matched

    def many(self, database: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Run for each row of parameters, handed to the driver at once."""
        if database.vendor != "postgresql" or _is_watched(database):
            with database.cursor() as cursor:
                cursor.executemany(self.text, rows)
            return
        _require_readiness(database)
        with database.wrap_database_errors:
            _binding_cursor(database).executemany(self.text, rows)


def _is_watched(database: BaseDatabaseWrapper) -> bool:
    return bool(database.execute_wrappers) or database.queries_logged


def _require_readiness(database: BaseDatabaseWrapper) -> None:
    """What Django does before each statement.

    Raises:
        TransactionManagementError: an earlier statement broke the transaction.
        DatabaseError: the connection belongs to another thread, or cannot be made.
    """
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_thread_sharing()
    database.validate_no_broken_transaction()


def _execute_anew(database: BaseDatabaseWrapper, text: DriverText, params: Sequence[Any]) -> Any:
    cursor = database.cursor()
    cursor.execute(text.text, params)
    return cursor


# --- SQLite: its driver keeps the statements that it has prepared, by their texts ---------------------------


def _execute_on_sqlite(database: BaseDatabaseWrapper, text: DriverText, params: Sequence[Any]) -> Any:
    return database.connection.execute(text.for_driver, params)


# --- What a connection keeps --------------------------------------------------------------------------------


class _Kept(threading.local):
    """The cursors of this thread's connections, by their aliases; those of an earlier connection are closed with it."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Any, dict[str, Any]]] = {}

    def of(self, database: BaseDatabaseWrapper) -> dict[str, Any]:
        connection, cursors = self._of.get(database.alias, (None, {}))
        if connection is not database.connection:  # the driver's
            cursors = {}
            self._of[database.alias] = database.connection, cursors
        return cursors


_kept = _Kept()


# --- PostgreSQL: values apart from the text, so that it can be prepared -------------------------------------


def _binding_cursor(database: BaseDatabaseWrapper) -> Any:
    cursors = _kept.of(database)
    cursor = cursors.get("")
    if cursor is None:
        from django.db.backends.postgresql.base import ServerBindingCursor

        cursor = cursors[""] = ServerBindingCursor(database.connection)  # type: ignore[call-arg]
    return cursor


def _execute_on_postgresql(database: BaseDatabaseWrapper, text: DriverText, params: Sequence[Any]) -> Any:
    # Where the connection's `prepare_threshold` is None, as a pooler may want it, nothing is prepared all the same.
    return _binding_cursor(database).execute(text.text, params, prepare=True)


# --- SQL Server: a cursor for each text, since the drivers' cursors keep the one that they prepared last -----


def _execute_on_sql_server(database: BaseDatabaseWrapper, text: DriverText, params: Sequence[Any]) -> Any:
    cursors = _kept.of(database)
    # The one that was used last stands last.
    cursor = cursors.pop(text.text, None) or _fixed_cursor(database, text.text, len(params))
    try:
        cursor.execute(text.text, params)
    except BaseException:
        cursor.close()
        raise
    cursors[text.text] = cursor
    if len(cursors) > MOST_KEPT:
        cursors.pop(next(iter(cursors))).close()
    return cursor


def _fixed_cursor(database: BaseDatabaseWrapper, text: str, length: int) -> Any:
    """A cursor for one text, with the backend's care for values and lost connections.

    The backend would write the question marks anew each time; but pyodbc knows again only the very same string.
    """
    with database.wrap_database_errors:
        cursor: Any = database.create_cursor()
    written = cursor.format_sql(text, [None] * length)
    cursor.format_sql = lambda sql, params: written
    return cursor
