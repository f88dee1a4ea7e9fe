"""The servers of a round: answered commits outlive kills and failovers, and the bank finds its primary (R3.4).

The bank here is its settings and its transactions, in a program that writes one row after the other.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.faults import databases
from tests.faults.databases import Pair, ServerBehindProxy
from tests.faults.proxy import Cut
from tests.processes import ROOT
from tests.waiting import wait_until

_SECONDS = 120
# Reports each row: done, unknown (OutcomeUnknown), or not done.
WRITER = """
import sys, time
import django
django.setup()
from django.db import Error, close_old_connections, connection
from django.utils import timezone
from foundation.models import RateWindow
from foundation.transactions import OutcomeUnknown, is_connection_lost, own_transaction

with connection.schema_editor() as editor:
    editor.create_model(RateWindow)
connection.close()

@own_transaction
def write(number):
    RateWindow.objects.create(key=str(number), last_at=timezone.now())

for number in range(1_000_000):
    close_old_connections()
    try:
        write(number)
        print("done", number, flush=True)
    except OutcomeUnknown as error:
        print("unknown", number, flush=True)
    except Error as error:
        print("lost" if is_connection_lost(error) else f"fault {error!r}", number, flush=True)
    time.sleep(0.01)
"""

# Gives up when it is told to, like a web worker whose time is over, and reports its row.
LATE = """
import signal
import django
django.setup()
from django.utils import timezone
from foundation.models import RateWindow
from foundation.request_context import RequestContext, request_context
from foundation.transactions import OutcomeUnknown, give_up, own_transaction

@own_transaction
def write():
    RateWindow.objects.create(key="late", last_at=timezone.now())

signal.signal(signal.SIGUSR1, lambda *_: give_up())
with request_context(RequestContext(request_id="some")):
    try:
        write()
    except OutcomeUnknown:
        print("unknown", flush=True)
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Writer:
    """The program, and its reports so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @classmethod
    @contextmanager
    def begun(cls, environment: dict[str, str]) -> Iterator["Writer"]:
        command = [sys.executable, "-c", WRITER]
        settings = os.environ | {"DJANGO_SETTINGS_MODULE": "bankproject.settings"} | environment
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True)
        writer = cls(process)
        try:
            writer.wait_for_more("done")
            yield writer
        finally:
            writer.end()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))

    def rows(self, word: str) -> list[str]:
        """Return the rows that it has reported in this way."""
        return [line.rpartition(" ")[2] for line in list(self.said) if line.startswith(word)]

    def end(self) -> None:
        """Kill it, and read its last reports."""
        self.process.kill()
        self.process.wait()
        self._listener.join()

    def wait_for_more(self, word: str, more: int = 5) -> None:
        until = len(self.rows(word)) + more
        wait_until(lambda: len(self.rows(word)) >= until, f"{more} more {word}: {self.said[-5:]}")


def has_said(writer: Writer, word: str, times: int) -> bool:
    return len(writer.rows(word)) >= times


def require_kept(url: str, writer: Writer) -> set[str]:
    """Check that every acknowledged row is there, no failed one, and others only if their outcome was unknown."""
    writer.end()
    with psycopg.connect(url) as connection:
        kept = {key for (key,) in connection.execute("SELECT key FROM foundation_ratewindow")}
    done, unknown = set(writer.rows("done")), set(writer.rows("unknown"))
    assert writer.rows("fault") == []
    assert done <= kept
    # The row at work when it was killed was not reported.
    assert kept <= done | unknown | {str(len(writer.said))}
    return kept


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of a round, which PostgreSQL's own user may enter; no process there is left behind."""
    with tempfile.TemporaryDirectory(prefix="bank-place-") as name:
        yield Path(name)
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not [line for line in lines if name.encode() in line]


def test_what_was_committed_outlives_a_kill_and_the_bank_comes_back_by_itself(folder: Path) -> None:
    with ServerBehindProxy.begun(folder) as part, Writer.begun(part.environment) as writer:
        part.server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(part.server.url)
        writer.wait_for_more("lost", 1)
        part.server.start()
        writer.wait_for_more("done")
        require_kept(part.server.url, writer)


def test_a_failover_loses_nothing_acknowledged_and_another_can_follow(folder: Path) -> None:
    with Pair.begun(folder) as pair, Writer.begun(pair.environment) as writer:
        assert_nothing_is_acknowledged_that_the_standby_does_not_have(pair, writer)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="two primaries"):
                pair.promote()
            pair.kill_primary()
            writer.wait_for_more("lost", 1)
            pair.promote()
            writer.wait_for_more("done")
            with pytest.raises(RuntimeError, match="on the primary alone"):
                pair.kill_primary()
            pair.replace()
        writer.wait_for_more("done")
        require_kept(pair.environment["DATABASE_URL"], writer)
        assert_it_would_be_found(pair)


def assert_nothing_is_acknowledged_that_the_standby_does_not_have(pair: Pair, writer: Writer) -> None:
    """Check it even if an operator cancels the wait: the server then answers COMMIT as if all was well."""
    pair.kill_standby()
    wait_until(lambda: pair.ask(WAITING), "a COMMIT that waits")
    # What waits is in no snapshot yet; everything before it is answered, and about to be reported.
    with psycopg.connect(pair.environment["DATABASE_URL"]) as connection:
        [(there,)] = connection.execute("SELECT count(*) FROM foundation_ratewindow").fetchall()
    wait_until(lambda: len(writer.rows("done")) >= there, f"{there} reports")
    acknowledged = writer.rows("done")
    time.sleep(1)
    assert writer.rows("done") == acknowledged
    ((pid,),) = pair.ask(WAITING)
    pair.ask(f"SELECT pg_cancel_backend({pid})")
    wait_until(lambda: writer.rows("unknown"), "what became of it")
    assert writer.rows("done") == acknowledged
    pair.start_standby()
    writer.wait_for_more("done")
    assert writer.rows("unknown") == [str(len(acknowledged))]


def test_what_a_worker_gives_up_at_commit_nobody_sees_before_the_standby_has_it(folder: Path) -> None:
    """R3.4: a history would show as posted what a failover undoes."""
    with Pair.begun(folder) as pair:
        with Writer.begun(pair.environment):
            pass  # the table is there
        wait_until(lambda: not pair.ask("SELECT pid FROM pg_stat_activity WHERE datname = 'bank'"), "it to be gone")
        pair.kill_standby()
        settings = os.environ | {"DJANGO_SETTINGS_MODULE": "bankproject.settings"} | pair.environment
        late = subprocess.Popen([sys.executable, "-c", LATE], cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: pair.ask(WAITING), "its COMMIT")
            late.send_signal(signal.SIGUSR1)
            assert late.communicate(timeout=_SECONDS)[0] == "unknown\n"
        finally:
            late.kill()
            late.wait()
        with psycopg.connect(pair.environment["DATABASE_URL"]) as connection:
            found = "SELECT count(*) FROM foundation_ratewindow WHERE key = 'late'"
            assert connection.execute(found).fetchone() == (0,)
            pair.start_standby()
            wait_until(lambda: connection.execute(found).fetchone() == (1,), "what was committed")


def assert_it_would_be_found(pair: Pair) -> None:
    """Check the check: if the standby is not waited for, a failover loses acknowledged rows."""
    pair.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
    pair.ask("SELECT pg_reload_conf()")
    pair.kill_standby()
    with psycopg.connect(pair.environment["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE acknowledged ()")
    pair.kill_primary()
    pair._standby.start()
    pair.promote()
    with psycopg.connect(pair.environment["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT to_regclass('acknowledged')").fetchone() == (None,)


def test_a_commit_whose_connection_is_cut_is_unknown_and_whole_and_at_other_times_it_does_no_harm(folder: Path) -> None:
    with ServerBehindProxy.begun(folder) as part, Writer.begun(part.environment) as writer:
        for number, cut in enumerate(Cut, 1):
            part.proxy.cut_at(b"COMMIT", cut)
            wait_until(partial(has_said, writer, "unknown", number), "what became of it")
            writer.wait_for_more("done")
        for harm in (part.proxy.cut_all, lambda: part.proxy.cut_one(Random(1)), part.proxy.stall, part.proxy.refuse):
            harm()
            part.proxy.heal()
            writer.wait_for_more("done")
        part.proxy.cut_at(b"INSERT", Cut.HALF)
        writer.wait_for_more("done")
        kept = require_kept(part.server.url, writer)
        assert [row in kept for row in writer.rows("unknown")[:3]] == [False, True, True]


def test_without_the_programs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("tests.postgres_server.DEBIAN", folder)
    monkeypatch.setenv("PATH", os.fspath(folder))
    with pytest.raises(SystemExit, match="apt-get install postgresql"), databases.Server.begun(folder):
        raise AssertionError
