"""A disk that is full, that fails to sync or that is slow, for some processes and some of their files: strace is
attached to them, and answers some of their calls in the kernel's place, or late.

    with ailing([pid], database_files(database), FULL, log=folder / "disk.log") as disk:
        …

The file system itself stays intact, so nothing else on the machine notices. Processes started meanwhile are affected
too. When the block ends strace detaches from all of them, and they continue; it ends with this process too, whatever
ends that, and the kernel detaches it if strace itself is killed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from servers import DIES_ALONG

from tests.waiting import wait_until

_PATIENCE_SECONDS = 60
_WRITES, _SYNCS = "write,pwrite64,ftruncate,fallocate", "fsync,fdatasync"


@dataclass(frozen=True)
class Ailment:
    """Which system calls get which other answer, in the words of strace's `inject`."""

    answers: Sequence[tuple[str, str]]


FULL = Ailment([(_WRITES, "error=ENOSPC")])
# Like a disk that lost what the kernel had taken: written data may be there, or not.
NO_SYNC = Ailment([(_SYNCS, "error=EIO")])


def slow(*, sync_ms: int, write_ms: int = 0) -> Ailment:
    """Make each sync, and each write, this many milliseconds slower."""
    writes = [(_WRITES, f"delay_enter={write_ms * 1000}")] if write_ms else []
    return Ailment([(_SYNCS, f"delay_enter={sync_ms * 1000}"), *writes])


@dataclass(frozen=True)
class AilingDisk:
    """A disk of these processes while it ails."""

    log: Path

    def struck(self) -> int:
        """Return how many calls have got another answer so far, or are late."""
        lines = self.log.read_bytes()
        return lines.count(b"(INJECTED)") + lines.count(b"(DELAYED)")

    def wait_until_it_struck(self, times: int, *, within: float = _PATIENCE_SECONDS) -> None:
        """Wait for a number of strikes.

        Raises:
        TimeoutError: it did not strike that often, in this many seconds.
        """
        wait_until(
            lambda: self.struck() >= times, f"the disk to strike {times} times", seconds=within, error=TimeoutError
        )


def database_files(database: Path) -> list[Path]:
    """Return all files that SQLite writes for a database: with its write-ahead log, and the index of that."""
    return [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]


@contextmanager
def ailing(
    pids: Iterable[int], files: Sequence[Path], ailment: Ailment, *, log: Path, first: int = 1, step: int = 1
) -> Iterator[AilingDisk]:
    """Let the disk of these files fail for these processes, the living ones, and for all that they start, during the
    block.

    Args:
        log: a new file, in which strace writes each call.
        first: the call, of each process's that the ailment concerns, that is struck first; before it nothing is struck.
            step: how many further on the next one is struck.

    Raises:
        SystemExit: there is no strace, or it may not attach to them.
    """
    program = shutil.which("strace")
    if program is None:
        sys.exit("No strace: as root, apt-get install strace (`make fault-packages`).")
    living = [pid for pid in pids if _status(pid, "State")]
    options = [word for pid in living for word in ("-p", str(pid))]
    options += [word for file in files for word in ("-P", str(file))]
    options += ["-e", "trace=" + ",".join(calls for calls, _ in ailment.answers)]
    for calls, answer in ailment.answers:
        options += ["-e", f"inject={calls}:{answer}:when={first}+{step}"]
    command = [*DIES_ALONG, program, "-f", "-qq", "-e", "signal=none", "-s", "0", "-o", str(log), *options]
    said = log.with_name(log.name + ".said")
    # No pipe, which nobody would empty: strace must not wait while processes wait for it.
    with said.open("wb") as lines:
        strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=lines, start_new_session=True)
    try:
        if not _is_attached(strace, living):
            sys.exit(f"strace cannot attach to {living}: {said.read_text(errors='replace')}")
        yield AilingDisk(log)
    finally:
        _detach(strace)


def _is_attached(strace: "subprocess.Popen[bytes]", pids: Iterable[int]) -> bool:
    """Wait, and return whether it is attached to all living processes."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not all(_status(pid, "TracerPid") in {str(strace.pid), ""} for pid in pids):
        if strace.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _status(pid: int, name: str) -> str:
    """Return a line of the kernel's data on a process; "" if it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name and "zombie" not in value:
                return value.strip()
    return ""


def _detach(strace: "subprocess.Popen[bytes]") -> None:
    """End it: when told to, it detaches from each process; when it is killed, the kernel does."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.kill(strace.pid, number)
        with suppress(subprocess.TimeoutExpired):
            strace.wait(timeout=seconds)
            return
