"""The drivers of SQL Server lose their connection: their words are recognised, and the backend connects again
(R3.4)."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import mssql_python
import pyodbc  # type: ignore[import-not-found]
import pytest
from django.db import connection
from mssql_python.exceptions import sqlstate_to_exception

from foundation import transactions
from foundation.transactions import OutcomeUnknown, own_transaction
from tests.mssql.pretended import PretendedServer, Sent, as_default, connection_to


@pytest.fixture
def hangs_up() -> Iterator[int]:
    """Return the port of a server that takes connections, and ends them at the first word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(64)

        Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


CONNECT = """
from django.db import Error, connection
from foundation.transactions import is_connection_lost
try:
    connection.ensure_connection()
except Error as error:
    print(connection.Database.__name__, is_connection_lost(error))
"""


@pytest.mark.parametrize(("driver", "module"), [("mssql_python", "mssql_python"), ("pyodbc", "pyodbc")])
def test_each_driver_of_sql_server_says_it_in_words_we_know(
    driver: str, module: str, hangs_up: int, tmp_path: Path, repository: Path
) -> None:
    """Both with Microsoft's own ODBC driver, from a Python package."""
    home = Path(find_spec("mssql_python_odbc").submodule_search_locations[0])  # type: ignore[union-attr, index]
    library = next(home.glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-*.so*"))
    (tmp_path / "odbcinst.ini").write_text(f"[ODBC Driver 18 for SQL Server]\nDriver={library}\n")
    environment = os.environ | {
        "DATABASE_URL": f"mssql://bank:secret@127.0.0.1:{hangs_up}/bank",  # pragma: allowlist secret
        "MSSQL_DRIVER": driver,
        "ODBCSYSINI": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
    }
    run = subprocess.run([sys.executable, "-c", CONNECT], cwd=repository, env=environment, capture_output=True)
    assert run.stdout.decode().split() == [module, "True"], run.stderr.decode()


# --- The backend, with the errors of its drivers ---


def _of_pyodbc(sqlstate: str, text: str) -> Exception:
    kind = pyodbc.OperationalError if sqlstate.startswith("08") else pyodbc.Error
    made: Exception = kind(sqlstate, f"[{sqlstate}] [Microsoft][ODBC Driver 18 for SQL Server]{text} (SQLExecDirectW)")
    return made


def _of_mssql_python(sqlstate: str, text: str) -> Exception:
    made = sqlstate_to_exception(sqlstate, f"[Microsoft][ODBC Driver 18 for SQL Server]{text}")
    assert made is not None
    return made


LOST = ("08S01", "TCP Provider: Error code 0x68 (104)")
DEADLOCK = ("40001", "[SQL Server]Transaction (Process ID 52) was deadlocked on lock resources. Rerun it. (1205)")


class FailingServer(PretendedServer):
    """Raises the errors at their words, one after the other; counts the commits."""

    def __init__(self, faults: list[tuple[str, Exception]]) -> None:
        super().__init__()
        self.faults, self.committed = faults, 0

    def _pass(self, word: str) -> None:
        if self.faults and self.faults[0][0] == word:
            raise self.faults.pop(0)[1]

    def receive(self, sent: Sent) -> list[tuple[Any, ...]]:
        self._pass(sent.text)
        return super().receive(sent)

    def commit(self) -> None:
        self._pass("COMMIT")
        self.committed += 1

    def rollback(self) -> None:
        self._pass("ROLLBACK")


@pytest.fixture(params=["pyodbc", "mssql_python"])
def on_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a service of one statement, `UPDATE t`, on a server with these faults: `(run, server, calls)`."""

    monkeypatch.setattr(transactions.time, "sleep", lambda seconds: None)

    def run(*faults: tuple[str, tuple[str, str]]) -> tuple[Callable[[], None], FailingServer, list[int]]:
        make = _of_pyodbc if request.param == "pyodbc" else _of_mssql_python
        server = FailingServer([(word, make(*words)) for word, words in faults])
        calls: list[int] = []

        @own_transaction
        def service() -> None:
            calls.append(1)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE t")

        def call() -> None:
            backend = connection_to(server, 2022)
            if request.param == "mssql_python":
                backend.Database, backend._use_python_driver = mssql_python, True
            with as_default(backend):
                service()

        return call, server, calls

    return run


@pytest.mark.parametrize("fault", [LOST, DEADLOCK], ids=["lost", "deadlock"])
def test_the_backend_connects_again(on_server: Callable, fault: tuple[str, str]) -> None:
    call, server, calls = on_server(("UPDATE t", fault), ("UPDATE t", fault))
    call()
    assert (len(calls), server.committed, server.faults) == (3, 1, [])


def test_the_backend_does_not_connect_again_after_commit(on_server: Callable) -> None:
    call, server, calls = on_server(("COMMIT", LOST), ("ROLLBACK", LOST))
    with pytest.raises(OutcomeUnknown):
        call()
    assert (len(calls), server.committed, server.faults) == (1, 0, [])
