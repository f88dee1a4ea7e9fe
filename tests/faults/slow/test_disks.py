"""The disk of one process fails, and the bank recognises SQLite's errors for what they are."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from bankproject.databases import _SQLITE
from foundation.transactions import is_connection_lost, is_disk_full
from tests.faults.disks import FULL, NO_SYNC, _status, ailing, database_files, slow

# Commits one row for each line of input, as the bank's connections do, and reports what it then sees.
WRITING = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript(sys.argv[2] + "CREATE TABLE row (number)")
for number, line in enumerate(sys.stdin):
    fault = ""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO row VALUES (?)", (number,))
        connection.commit()
    except sqlite3.Error as error:
        fault = str(error)
        connection.rollback()
    rows = [row[0] for row in connection.execute("SELECT number FROM row ORDER BY number")]
    print(json.dumps([fault, rows]), flush=True)
"""


@dataclass
class Writer:
    """A process that writes to a database of its own."""

    process: "subprocess.Popen[str]"
    files: list[Path]

    def commit(self) -> tuple[str, list[int]]:
        """Commit; return the error, and the rows that are there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        fault, rows = json.loads(self.process.stdout.readline())
        return fault, rows

    @property
    def is_free(self) -> bool:
        """Return whether it runs, and is not stopped by a tracer."""
        return _status(self.process.pid, "TracerPid") == "0" and _status(self.process.pid, "State")[0] in "RS"


@contextmanager
def writer_in(folder: Path) -> Iterator[Writer]:
    database = folder / "bank.sqlite3"
    command: list[Any] = [sys.executable, "-c", WRITING, database, _SQLITE["init_command"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        writer = Writer(process, database_files(database))
        assert writer.commit() == ("", [0])
        yield writer
        assert process.stdin is not None
        process.stdin.close()


def test_a_full_disk_takes_no_commit_until_there_is_room(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer:
        with ailing([writer.process.pid], writer.files, FULL, log=tmp_path / "log", first=2) as disk:
            for _ in range(3):
                fault, rows = writer.commit()
                assert is_disk_full(OperationalError(fault))
                assert rows == [0]
            disk.wait_until_it_struck(3)
        assert writer.is_free
        assert writer.commit() == ("", [0, 4])


def test_a_failed_sync_is_known_as_a_lost_connection(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer:
        with ailing([writer.process.pid], writer.files, NO_SYNC, log=tmp_path / "log", step=2) as disk:
            (first, _), (second, rows), (third, _) = (writer.commit() for _ in range(3))
            assert is_connection_lost(OperationalError(first))
            assert (second, rows) == ("", [0, 2])
            assert is_connection_lost(OperationalError(third))
            assert disk.struck() == 2
        assert writer.commit() == ("", [0, 2, 4])


def test_a_slow_disk_takes_its_time(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer:
        with ailing([writer.process.pid], writer.files, slow(sync_ms=300), log=tmp_path / "log"):
            began = time.monotonic()
            assert writer.commit() == ("", [0, 1])
            assert time.monotonic() - began >= 0.3
        assert writer.is_free


def test_other_files_are_well(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer, ailing([writer.process.pid], [tmp_path / "other"], FULL, log=tmp_path / "log"):
        assert writer.commit() == ("", [0, 1])


def test_the_process_goes_on_where_strace_is_killed(tmp_path: Path) -> None:
    with writer_in(tmp_path) as writer:
        with ailing([writer.process.pid], writer.files, FULL, log=tmp_path / "log"):
            tracer = int(_status(writer.process.pid, "TracerPid"))
            os.kill(tracer, signal.SIGKILL)
        assert writer.commit() == ("", [0, 1])
        assert writer.is_free


def test_strace_ends_with_the_program_that_began_it(tmp_path: Path) -> None:
    beginning = (
        "import sys, time; from pathlib import Path; from tests.faults.disks import *\n"
        "with ailing([int(sys.argv[1])], [Path('/nowhere')], FULL, log=Path(sys.argv[2])):\n"
        "    print('ails', flush=True); time.sleep(600)"
    )
    with writer_in(tmp_path) as writer:
        command = [sys.executable, "-c", beginning, str(writer.process.pid), str(tmp_path / "log")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "ails\n"
            program.kill()
        end = time.monotonic() + 60
        while not writer.is_free and time.monotonic() < end:
            time.sleep(0.02)
        assert writer.is_free
        assert writer.commit() == ("", [0, 1])


def test_without_strace_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install strace"), ailing([], [], FULL, log=tmp_path / "log"):
        pass


def test_whom_it_cannot_attach_to_is_told(tmp_path: Path) -> None:
    # A process can have only one tracer.
    with writer_in(tmp_path) as writer:
        pid = writer.process.pid
        with (
            ailing([pid], [], FULL, log=tmp_path / "first"),
            pytest.raises(SystemExit, match="cannot attach"),
            ailing([pid], [], FULL, log=tmp_path / "second"),
        ):
            pass
        assert writer.is_free
