"""`make run` and `make run-https` in a fresh copy of the project, with the usual umask: nobody else on the machine can
read what holds data or keys (R8.1, R9.1, ASVS V13.2.2)."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.firewall.conftest import readable_folder, spare_port
from tests.firewall.visitor import Visitor
from tests.stack.test_run_https import alive, answers, trusting_anybody
from tests.waiting import wait_until

# Made for everybody: compiled code, style sheets, and the firewall's own rules and pages, which its workers read as
# another user.
PUBLIC = {"__pycache__", "staticfiles", ".firewall"}
PRIVATE_OF_THE_FIREWALL = ("certificate/key.pem", "logs/access.log", "logs/error.log")


def copied(repository: Path, to: Path) -> set[Path]:
    """Copy what a clone has, readable by all, and return the copies."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=repository, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if not (repository / name).is_file():
            continue
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / name, to / name)
        (to / name).chmod(0o755 if os.access(repository / name, os.X_OK) else 0o644)
        os.utime(to / name, (0, 0))  # older than .venv, so that nothing is installed
    (to / ".venv").symlink_to((repository / ".venv").resolve())
    return {path for path in to.rglob("*") if path.is_file()}


@contextmanager
def made(target: str, copy: Path, port: int, is_up: Callable[[], object], **environment: str) -> Iterator[None]:
    """Run a target of the Makefile, with umask 022, until it answers and the block is over."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    told = {"LOG_FILE": str(copy / "bank.log"), "EMAIL_URL": f"filemail:///{copy}/mails"}
    process = subprocess.Popen(
        ["sh", "-c", f"umask 022; exec make {target} PORT={port} BEHIND={spare_port()}"],
        cwd=copy,
        env=kept | told | environment,
        start_new_session=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or is_up(), f"make {target}", seconds=600)
        assert process.poll() is None, f"make {target} ended by itself"
        yield
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def readable_by_others(copy: Path, of_the_clone: set[Path]) -> list[str]:
    """Return what was made since and others can read: neither the file nor a folder above it is closed."""
    found = []
    for path in copy.rglob("*"):
        if path in of_the_clone or path.is_symlink() or not path.is_file() or PUBLIC & {*path.relative_to(copy).parts}:
            continue
        way = [path, *(folder for folder in path.parents if copy in folder.parents)]
        if all(step.stat().st_mode & 0o077 for step in way):
            found.append(str(path.relative_to(copy)))
    return found


def healthy(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


@proves("V13.2.2", "V14.2.4")
def test_nobody_else_reads_what_a_demo_bank_writes(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """B4: the database was readable by every user of the machine, with the hashes of passwords in it."""
    copy = readable_folder(tmp_path_factory) / "bank"
    of_the_clone = copied(repository, copy)
    port = spare_port()
    with made("run", copy, port, lambda: healthy(port)):
        run = [sys.executable, "manage.py", "backup", "backup.sqlite3"]
        subprocess.run(run, cwd=copy, check=True, env={"PATH": os.environ["PATH"]}, umask=0o022)
        for name in (".env", "db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "bank.log", "backup.sqlite3"):
            assert (copy / name).stat().st_mode & 0o777 == 0o600, name
        assert readable_by_others(copy, of_the_clone) == []
    for name in ("db.sqlite3", "db.sqlite3-wal"):
        if (copy / name).exists():
            (copy / name).chmod(0o644)  # as an earlier version made them
    port = spare_port()
    browser = Visitor(port, [], tls=trusting_anybody())
    with made("run-https", copy, port, lambda: answers(browser), FIREWALL_FOLDER=str(copy / ".firewall")):
        assert (copy / "db.sqlite3").stat().st_mode & 0o777 == 0o600, "closed where it was open"
        assert readable_by_others(copy, of_the_clone) == []
        for name in PRIVATE_OF_THE_FIREWALL:
            path = copy / ".firewall" / name
            assert not (path.stat().st_mode & path.parent.stat().st_mode & 0o077), name
