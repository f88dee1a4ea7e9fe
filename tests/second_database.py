"""A replica for tests: a second database with the bank's rows of one moment, and a record of its statements."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections

from bankproject.databases import read_only
from foundation import replica

ROUTERS = ["foundation.replica.ReplicaRouter"]
_SUFFIX = "replica"


@contextmanager
def replica_of_the_bank() -> Iterator[Any]:
    """Copy the database now; later writes do not reach the copy, like a replica that is behind.

    For tests with real transactions, which set `DATABASE_ROUTERS` to `ROUTERS` themselves.
    """
    if connection.vendor == "microsoft":
        pytest.skip("Django cannot copy a test database on SQL Server.")
    if connection.vendor == "postgresql":
        # It copies no database that another connection uses, such as a thread of an earlier test's server.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    if connection.vendor == "sqlite":
        # The file is copied, and not its log: closing the last connection writes that back, but a thread of an earlier
        # test's server may have another one.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert cursor.fetchone()[0] == 0, "somebody is in the middle of something"
    connection.close()
    connection.creation.clone_test_db(_SUFFIX, verbosity=0)
    copied = deepcopy(connection.creation.get_test_db_clone_settings(_SUFFIX))
    connections.databases[replica.REPLICA] = {"TIME_ZONE": None} | read_only(copied)
    database = connections[replica.REPLICA]
    database.ensure_connection = partial(_connect, database)  # type: ignore[method-assign]
    try:
        yield database
    finally:
        connections[replica.REPLICA].close()
        del connections[replica.REPLICA]
        del connections.databases[replica.REPLICA]
        connection.creation.destroy_test_db(verbosity=0, suffix=_SUFFIX)


def _connect(database: Any) -> None:
    """Connect as Django does. Tests are not allowed into databases that did not exist when they began."""
    if database.connection is None:
        with database.wrap_database_errors:
            database.connect()


@contextmanager
def statements() -> Iterator[list[tuple[str, str]]]:
    """Record the statements that run within, each with its database."""
    told: list[tuple[str, str]] = []

    def note(alias: str, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        told.append((alias, sql))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(partial(note, alias)))
        yield told


def sent_to_replica(told: list[tuple[str, str]]) -> list[str]:
    return [sql for alias, sql in told if alias == replica.REPLICA]
