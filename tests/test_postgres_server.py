"""`make test-postgres` (R9.2): its server runs for the command, and is gone with it, however that ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.processes import ROOT

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="PostgreSQL need not be installed: make test-postgres runs these."
)

PROGRAM = [sys.executable, "-m", "tests.postgres_server"]
# Asks the server at the given address for its version, and ends with a code of its own.
ASK = """
import os, sys, time, psycopg
with psycopg.connect(os.environ["TEST_DATABASE_URL"].rpartition("/")[0] + "/postgres") as server:
    print(server.execute("SHOW server_version_num").fetchone()[0], flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(3)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where clusters are made: a folder that PostgreSQL's own user may enter, with no server named yet."""
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    with tempfile.TemporaryDirectory(prefix="bank-place-") as name:
        Path(name).chmod(0o711)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def servers_below(place: Path) -> list[str]:
    """Return the command lines of the processes that were told to work in a folder of that place."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [line.decode(errors="replace") for line in lines if str(place).encode() in line]


def test_a_server_is_there_for_the_command_and_its_exit_code_is_ours(place: Path) -> None:
    done = subprocess.run([*PROGRAM, sys.executable, "-c", ASK, "0"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert int(done.stdout) >= 130000
    assert servers_below(place) == []
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_is_gone_when_the_run_is_ended(place: Path, number: signal.Signals) -> None:
    run = subprocess.Popen([*PROGRAM, sys.executable, "-c", ASK, "1"], cwd=ROOT, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline()
    assert servers_below(place)
    run.send_signal(number)
    run.communicate(timeout=60)
    for _ in range(100):
        if not servers_below(place):
            break
        time.sleep(0.1)
    assert servers_below(place) == []
    if number != signal.SIGKILL:
        assert list(place.iterdir()) == []


def test_a_server_that_is_named_already_is_taken(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://somebody@elsewhere/bank")
    program = "import os; print(os.environ['TEST_DATABASE_URL'])"
    done = subprocess.run([*PROGRAM, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "postgres://somebody@elsewhere/bank\n")
    assert list(place.iterdir()) == []


def test_without_the_programs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests import postgres_server

    monkeypatch.setattr(postgres_server, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install postgresql"):
        postgres_server.programs()
