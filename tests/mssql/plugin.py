"""Fail each test in which a query is compiled that SQL Server would refuse or run wrongly (R9.4).

On SQLite only: the same tests compile the same queries on every engine.
"""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

if TYPE_CHECKING:
    from tests.mssql.compiled import Listener


@pytest.fixture(scope="session")
def sql_listener() -> Iterator["Listener | None"]:
    """Compile everything that is compiled for SQLite for SQL Server too."""
    on_sqlite = settings.DATABASES[DEFAULT_DB_ALIAS]["ENGINE"] == "django.db.backends.sqlite3"
    # Without unixODBC the tests of this folder fail and say so, no others.
    if not on_sqlite or not _has_odbc():
        yield None
        return
    # Here, since the process that only hands out the tests needs none of it.
    from tests.mssql.compiled import Listener, LookedAt

    listener = Listener(LookedAt(Path(os.environ["TEST_RUN_FOLDER"]) / "looked-at-for-sql-server"))
    with listener.listening():
        yield listener


def _has_odbc() -> bool:
    try:
        importlib.import_module("pyodbc")
    except ImportError:
        return False
    return True


@pytest.fixture(autouse=True)
def _every_query_suits_sql_server(request: pytest.FixtureRequest, sql_listener: "Listener | None") -> Iterator[None]:
    if sql_listener:
        from tests.mssql.rules import IDENTITY

        sql_listener.allowed = frozenset({IDENTITY} if request.node.get_closest_marker("gives_ids") else ())
    yield
    found = sql_listener.take() if sql_listener else []
    assert not found, "SQL Server would not have it:\n" + "\n".join(found)
