"""A request that takes longer than the web server allows is answered, and its database is told to stop."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psycopg
import pytest

from tests.faults.databases import Server, free_port
from tests.processes import ROOT
from tests.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="bank-place-") as name:
        yield Path(name)


def answer_of(port: int, path: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def test_a_request_that_takes_too_long_is_answered_with_503(folder: Path) -> None:
    """R7.3: in the shape of all errors, and a page as a page; gunicorn itself would answer 500."""
    port = free_port()
    with Server.begun(folder) as server:
        settings = {"DEBUG": "0", "DATABASE_URL": server.url, "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "0"}
        settings |= {"WEB_BIND": f"127.0.0.1:{port}", "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
        command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--timeout", "2"]
        process = subprocess.Popen([*command, "tests.faults.slow.waiting"], cwd=ROOT, env=os.environ | settings)
        try:
            wait_until(lambda: is_up(port), "a worker")
            answer, body = answer_of(port, "/api/wait")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), body
            assert '"database_away"' in body
            answer, body = answer_of(port, "/wait/")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), body
            assert "One moment, please" in body
            with psycopg.connect(server.url) as connection:
                asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'"
                wait_until(lambda: connection.execute(asleep).fetchone() == (0,), "the database to leave off")
        finally:
            process.terminate()
            process.wait(timeout=60)


LOCK_TIMEOUT = """
import bankproject.wsgi
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print(*cursor.fetchone())
"""


def test_a_web_server_waits_for_a_lock_of_postgresql_as_long_as_for_sqlite(folder: Path) -> None:
    """R9.3, F5: and where the operator has set it, as long as that says."""
    with Server.begun(folder) as server:
        for address, seconds in ((server.url, "10s"), (f"{server.url}?options=-c%20lock_timeout%3D5s", "5s")):
            command = [sys.executable, "-c", LOCK_TIMEOUT]
            run = subprocess.run(
                command, cwd=ROOT, env=os.environ | {"DATABASE_URL": address}, capture_output=True, text=True
            )
            assert run.stdout.splitlines()[-1:] == [seconds], run.stderr


def is_up(port: int) -> bool:
    try:
        return answer_of(port, "/healthz")[0].status == 200
    except OSError:
        return False
