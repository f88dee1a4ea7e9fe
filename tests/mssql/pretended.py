"""A SQL Server that is not there: Django's backend talks to it as to a real one, and nothing leaves the process.

It keeps every statement as the driver would have got it, knows its content from the DDL (`catalog`), answers questions
about that, and has no rows. A version is what the backend asks about; nothing else here depends on it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from tests.mssql.catalog import Catalog

VERSIONS = (2019, 2022)


class Sent(NamedTuple):
    """A statement as it goes to the driver: `?` for each value."""

    text: str
    values: tuple[Any, ...]


class _Cursor:
    """The parts of a driver's cursor that the backend uses."""

    rowcount = 1
    description = None

    def __init__(self, server: "PretendedServer") -> None:
        self._server = server
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> "_Cursor":
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def execute(self, text: str, values: Any = ()) -> "_Cursor":
        self._rows = self._server.receive(Sent(text, tuple(values or ())))
        return self

    def setinputsizes(self, sizes: Any) -> None:
        pass

    def executemany(self, text: str, rows: Any) -> None:
        for values in rows:
            self.execute(text, values)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def nextset(self) -> bool:
        return False

    def close(self) -> None:
        pass


class PretendedServer:
    """The other end of the backend's connection."""

    autocommit = True

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.sent: list[Sent] = []
        self._last_id = 0

    def receive(self, sent: Sent) -> list[tuple[Any, ...]]:
        """Keep the statement, and answer as a server without rows would."""
        if sent.text == "SELECT @@TRANCOUNT":
            return [(1,)]
        self.sent.append(sent)
        if self.catalog.statement(sent.text):
            return []
        if found := re.search(r"default_constraints d .* t\.name = '(\w+)' AND c\.name = '(\w+)'", sent.text):
            return [(name,) for name in self.catalog.defaults(*found.groups())]
        if sent.text.startswith("SET NOCOUNT ON INSERT") or " OUTPUT INSERTED." in sent.text:
            self._last_id += 1
            return [(self._last_id,)]
        return []

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def commit(self) -> None:
        pass

    rollback = close = commit


@contextmanager
def pretended(version: int) -> Iterator[Any]:
    """Make the default connection one to a pretended SQL Server of `version`: `connection.server`."""
    connection = connection_to(PretendedServer(), version)
    with as_default(connection):
        yield connection


@contextmanager
def as_default(connection: Any) -> Iterator[None]:
    """Let queries of this thread that name no connection go to this one."""
    real = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = real


def connection_to(server: PretendedServer, version: int) -> Any:
    """Return the backend's own connection object, as it is once it is connected."""
    # Not importorskip: without unixodbc mssql refuses with a Django error, and that must be noticed.
    from mssql.base import DatabaseWrapper
    from mssql.introspection import DatabaseIntrospection

    class Introspection(DatabaseIntrospection):
        def get_constraints(self, cursor: Any, table_name: str) -> dict[str, dict[str, Any]]:
            return {name: dict(one) for name, one in server.catalog.tables[table_name].parts.items()}

    class Connection(DatabaseWrapper):
        introspection_class = Introspection

        def get_new_connection(self, conn_params: Any) -> PretendedServer:
            return server

        def init_connection_state(self) -> None:
            """Do nothing: there is no server to talk to."""

        def ensure_connection(self) -> None:
            """Connect in tests without a database too: this is not a database."""
            if self.connection is None:
                self.connect()

    settings = {**connections[DEFAULT_DB_ALIAS].settings_dict, "ENGINE": "mssql", "NAME": "bank", "OPTIONS": {}}
    connection = Connection(settings, DEFAULT_DB_ALIAS)
    connection.sql_server_version = version
    connection.to_azure_sql_db = False
    connection.server = server
    connection.inc_thread_sharing()  # the tests have threads
    return connection
