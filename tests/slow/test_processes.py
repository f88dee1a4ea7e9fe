"""Processes that share work: none outlives the one that gave it, and one that is killed is noticed (R9.2)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import ROOT, process_environment
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = """
import os, sys, time
import django
django.setup()
from foundation.processes import spread
from tests.slow.test_processes import say_and_sleep

if __name__ == "__main__":
    list(spread(say_and_sleep, [sys.argv[1]] * 4, processes=2))
"""
ENDED_WITHIN_SECONDS = 30

Sleeping = tuple[subprocess.Popen[str], list[int]]


def say_and_sleep(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(120)


@pytest.fixture
def sleeping(tmp_path: Path) -> Sleeping:
    """Return a process, and the two that sleep in its service."""
    program, folder = tmp_path / "program.py", tmp_path / "pids"
    program.write_text(PROGRAM)
    folder.mkdir()
    environment = process_environment() | {"PYTHONPATH": str(ROOT)}
    giver = subprocess.Popen(
        [sys.executable, str(program), str(folder)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(list(folder.iterdir())) == 2, seconds=ENDED_WITHIN_SECONDS)
    return giver, [int(path.name) for path in folder.iterdir()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_the_one_that_gave_them_work(sleeping: Sleeping, number: signal.Signals) -> None:
    giver, pids = sleeping
    giver.send_signal(number)
    giver.communicate(timeout=ENDED_WITHIN_SECONDS)
    wait_until(lambda: all(is_gone(pid) for pid in pids), seconds=ENDED_WITHIN_SECONDS)


def test_a_process_that_is_killed_is_noticed(sleeping: Sleeping) -> None:
    giver, pids = sleeping
    os.kill(pids[0], signal.SIGKILL)
    _, said = giver.communicate(timeout=ENDED_WITHIN_SECONDS)
    assert giver.returncode == 1
    assert "BrokenProcessPool" in said
    wait_until(lambda: is_gone(pids[1]), seconds=ENDED_WITHIN_SECONDS)
