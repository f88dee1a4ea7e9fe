"""A disk that is full, that fails to sync or that is slow, for some processes and some of their files: strace is
attached to them, and answers some of their calls in the kernel's place, or late.

    with ailing([pid], database_files(database), FULL, log=folder / "disk.log") as disk:
        …

The file system itself stays well, so nothing else on the machine notices. What the processes start meanwhile ails like
them. When the block ends strace lets go of all of them, and they go on; it ends with this process too, whatever ends
that, and the kernel lets go of them where strace itself is killed.
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
    """Which calls of the kernel's get which other answer, in the words of strace's `inject`."""

    answers: Sequence[tuple[str, str]]


FULL = Ailment([(_WRITES, "error=ENOSPC")])
# As a disk does that lost what the kernel had taken: what was written may be there, or not.
NO_SYNC = Ailment([(_SYNCS, "error=EIO")])


def slow(*, sync_ms: int, write_ms: int = 0) -> Ailment:
    """Each sync takes so many milliseconds more, and each write."""
    writes = [(_WRITES, f"delay_enter={write_ms * 1000}")] if write_ms else []
    return Ailment([(_SYNCS, f"delay_enter={sync_ms * 1000}"), *writes])


@dataclass(frozen=True)
class AilingDisk:
    """A disk of these processes while it ails."""

    log: Path

    def struck(self) -> int:
        """How many calls have got another answer so far, or are late."""
        lines = self.log.read_bytes()
        return lines.count(b"(INJECTED)") + lines.count(b"(DELAYED)")

    def wait_until_it_struck(self, times: int, *, within: float = _PATIENCE_SECONDS) -> None:
        """Raises:
        TimeoutError: it did not so often, in so many seconds.
        """
        wait_until(
            lambda: self.struck() >= times, f"the disk to strike {times} times", seconds=within, error=TimeoutError
        )


def database_files(database: Path) -> list[Path]:
    """All that SQLite writes of a database: with its log of what is written ahead, and the index of that."""
    return [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]


@contextmanager
def ailing(
    pids: Iterable[int], files: Sequence[Path], ailment: Ailment, *, log: Path, first: int = 1, step: int = 1
) -> Iterator[AilingDisk]:
    """The disk of these files ails for these processes, those that live, and for all that they start, while the block
    lasts.

    Args:
        log: a new file, in which strace writes each call.
        first: the call, of each process's that the ailment concerns, that is struck first; before it all is well.
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
    """Whether it is, to all that live; it is waited for."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not all(_status(pid, "TracerPid") in {str(strace.pid), ""} for pid in pids):
        if strace.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _status(pid: int, name: str) -> str:
    """A line of what the kernel says of a process; "" of one that is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name and "zombie" not in value:
                return value.strip()
    return ""


def _detach(strace: "subprocess.Popen[bytes]") -> None:
    """End it: told to, it lets go of each process where that stands; killed, the kernel does."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.kill(strace.pid, number)
        with suppress(subprocess.TimeoutExpired):
            strace.wait(timeout=seconds)
            return
