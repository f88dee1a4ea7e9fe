"""The bank's processes under a supervisor, which does what systemd does with the units in `deploy/systemd/`: it starts
again what ended unasked, and lets no child outlive its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from scratch_bank import ROOT
from servers import DIES_ALONG

from tests.faults.fault import Violation

# From the units: RestartSec=5 for mail and scheduler, systemd's own default for the web server. Short here for all.
RESTART_SECONDS = 0.5
# Bounds for a busy machine.
PATIENCE_SECONDS = 240
_LOOKS_EVERY_SECONDS = 0.1
_GONE_WITHIN_SECONDS = 30


class DidNotStart(Violation):
    """A program does not work within PATIENCE_SECONDS; the text is the end of its log."""


@dataclass
class Supervised:
    """One program of the bank; its lines are in `log`."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    log: Path
    works: Callable[[], bool] = lambda: True  # asked after a start
    restarts: int = 0  # since it ended unasked
    _process: "subprocess.Popen[bytes] | None" = None
    _wanted: bool = False  # whether the supervisor must start it when it has ended
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def pid(self) -> int:
        """Return the id of the process that was started.

        Raises:
            RuntimeError: it was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started.")
        return self._process.pid

    def children(self) -> list[int]:
        """Return the ids of the processes that it has started so far."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []

    def kill(self) -> None:
        """Kill it and all its children at once, and wait until they are gone; it stays down until `start()`."""
        with self._lock:
            self._wanted = False
            self._kill_all()

    def start(self) -> None:
        """Start it, if it is down; return when it works.

        Raises:
            DidNotStart
        """
        with self._lock:
            if not self.is_running:
                self._launch()
        self.wait_until_it_works()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until_it_works(self) -> None:
        """Wait until it works.

        Raises:
            DidNotStart
        """
        end = time.monotonic() + PATIENCE_SECONDS
        while not (self.is_running and self.works()):
            if time.monotonic() > end:
                raise DidNotStart(f"{self.name}:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def restart_if_it_ended(self) -> None:
        """Do what the supervisor does at each check."""
        with self._lock:
            if not self._wanted or self.is_running:
                return
            self._kill_all()  # as KillMode=mixed does: no worker outlives its master
            time.sleep(RESTART_SECONDS)
            self.restarts += 1
            self._launch()

    def _launch(self) -> None:
        with self.log.open("ab") as lines:
            self._process = subprocess.Popen(
                [*DIES_ALONG, *self.command],
                env=os.environ | self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                start_new_session=True,  # all its children are of its group
            )
        self._wanted = True

    def _kill_all(self) -> None:
        if self._process is None:
            return
        end = time.monotonic() + _GONE_WITHIN_SECONDS
        groups = [self._process.pid, *self.children()]  # each job of the scheduler is a group of its own
        while any(_group_lives(group) for group in groups):
            for group in groups:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            self._process.poll()  # or it would be a zombie of ours
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} cannot be killed.")
            time.sleep(0.01)
        self._process.wait()


def _group_lives(group: int) -> bool:
    """Return whether a process of this group still runs; a dead one that nobody has waited for does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, pgrp, *_ = stat.read_text().rpartition(")")[2].split()
            if int(pgrp) == group and state not in "ZX":
                return True
    return False


@contextmanager
def spoken_with(
    module: str, *arguments: str, log: Path, environment: Mapping[str, str] | None = None
) -> "Iterator[subprocess.Popen[str]]":
    """Start a program of the harness, which is written to and read from line by line; it ends with the block."""
    with log.open("ab") as lines:
        process = subprocess.Popen(
            [*DIES_ALONG, sys.executable, "-m", module, *arguments],
            env=os.environ | (environment or {}),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=lines,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


@contextmanager
def supervised(programs: Sequence[Supervised]) -> Iterator[None]:
    """Start them and look after them until the block ends; then all are gone at once."""
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(_LOOKS_EVERY_SECONDS):
            for program in programs:
                program.restart_if_it_ended()

    # It ends after they have: a child gets its signal when the thread that started it ends.
    supervisor = threading.Thread(target=look_after, name="supervisor")
    try:
        for program in programs:
            with program._lock:
                program._launch()
        supervisor.start()
        for program in programs:
            program.wait_until_it_works()
        yield
    finally:
        for program in programs:
            program.kill()
        over.set()
        if supervisor.is_alive():
            supervisor.join()
