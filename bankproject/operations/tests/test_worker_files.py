"""Files in which workers write their counts (R9.5); with a real gunicorn in
`tests/slow/test_operations_document.py`."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import values

from bankproject.operations import figures, worker_files
from tests.waiting import wait_until

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "metrics"))
    return tmp_path / "metrics"


def test_the_folder_is_empty_at_the_start_and_in_the_end(folder: Path) -> None:
    folder.mkdir()
    for _ in range(2):
        (folder / "counter_0.db").touch()
        worker_files.begin()
        assert list(folder.iterdir()) == []
    (folder / "counter_0.db").touch()
    worker_files.end()
    assert list(folder.iterdir()) == [], "a folder that was given stays"


def test_a_database_that_lies_beside_them_stays(folder: Path) -> None:
    folder.mkdir()
    (folder / "bank.db").touch()
    (folder / "histogram_3.db").touch()
    worker_files.begin()
    worker_files.end()
    assert [path.name for path in folder.iterdir()] == ["bank.db"]


def test_without_one_it_is_made_for_its_owner_alone_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    try:
        worker_files.begin()
        made = Path(os.environ[FOLDER])
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        (made / "counter_0.db").touch()
        worker_files.end()
        assert not made.exists()
    finally:
        os.environ.pop(FOLDER, None)


BEGIN_AND_BE_KILLED = """
import os, signal, sys
from pathlib import Path
from bankproject.operations import worker_files
worker_files._SHARED_MEMORY = Path(sys.argv[1])
worker_files.begin()
(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / "counter_0.db").touch()
if os.fork() == 0:  # a worker, which outlives its master for as long as there is something to read
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_server_left_is_taken_away_by_the_next_one_once_no_worker_lives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repository: Path
) -> None:
    # R9.5: a server that is killed again and again fills no memory.
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(worker_files, "_SHARED_MEMORY", tmp_path)
    command = [sys.executable, "-c", BEGIN_AND_BE_KILLED, str(tmp_path)]
    killed = subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()

    def folders_after_a_start() -> set[Path]:
        os.environ.pop(FOLDER, None)
        worker_files.begin()
        found = set(tmp_path.iterdir())
        worker_files.end()
        return found

    try:
        assert left in folders_after_a_start(), "it may be of one that is just starting"
        os.utime(left, (0, 0))
        assert left in folders_after_a_start(), "a worker lives"
        killed.communicate()
        wait_until(lambda: left not in folders_after_a_start(), "a folder that nobody holds to go", seconds=60)
        assert list(tmp_path.iterdir()) == []
    finally:
        os.environ.pop(FOLDER, None)


def place_of(*taken: int) -> int:
    server = SimpleNamespace(WORKERS={pid: SimpleNamespace(metrics_place=place) for pid, place in enumerate(taken)})
    worker = SimpleNamespace()
    worker_files.choose_place(server, worker)
    return int(worker.metrics_place)


def test_a_worker_takes_the_lowest_place_that_is_free() -> None:
    assert [place_of(), place_of(0), place_of(1), place_of(0, 2), place_of(2, 1, 0)] == [0, 1, 0, 1, 3]


def test_the_next_one_continues_in_the_file_of_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    worker_files.begin()
    for _ in range(2):  # one after the other, in the same place
        worker_files.take_place(SimpleNamespace(metrics_place=7))
        labels: tuple[Any, ...] = ("counter", "bank_test", "bank_test_total", ("a",), ("b",), "A test")
        values.ValueClass(*labels).inc(2)
    assert [path.name for path in folder.iterdir()] == ["counter_7.db"]
    assert 'bank_test_total{a="b"} 4.0' in figures.generate_latest(figures._counted()).decode()
