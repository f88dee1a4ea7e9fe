"""The wall clock of all processes of a bank, set while they run.

    with Clock.begun(folder) as clock:
        subprocess.run(…, env=os.environ | clock.environment)
        clock.jump(3600)

Each Python process that gets this environment asks a file how many seconds the machine's clock is wrong, whenever it
asks for the time (`every_process/sitecustomize.py`, by time-machine). Other clocks go on unchanged, as when a machine's
clock is set: `time.monotonic()`, waiting and sleeping, and with them gunicorn's heartbeat.

libfaketime (0.9.10, Debian 12) was tried for it and left out. With Python 3.11 `time.sleep()` raises EINVAL as soon as
FAKETIME_DONT_FAKE_MONOTONIC is set, since it sleeps until a moment of the monotonic clock; without that, `monotonic()`
jumps too, and so do the times of files, one of which is gunicorn's heartbeat. And each process leaves a semaphore and
a piece of shared memory behind in /dev/shm, even one that ends well.

Programs other than Python have the machine's own time: the database server, the cache, SQLite. The bank asks none of
them.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_IN_EVERY_PROCESS = Path(__file__).resolve().parent / "every_process"
_HOUR_BEFORE_MIDNIGHT = 23


@dataclass
class Clock:
    """The clock of one bank; `environment` is for all its processes."""

    environment: dict[str, str]
    _wrong: mmap.mmap

    @classmethod
    @contextmanager
    def begun(cls, folder: Path) -> Iterator["Clock"]:
        """Start a clock that is right until it jumps. In the time zone of its environment midnight is within the next
        hour, so that a jump of an hour leads to another day."""
        path = folder / "clock"
        path.write_bytes(struct.pack("q", 0))
        search = [str(_IN_EVERY_PROCESS), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            "BANK_CLOCK": str(path),
            "PYTHONPATH": os.pathsep.join(search),
            "TIME_ZONE": _zone_before_midnight(datetime.now(UTC).hour),
        }
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as wrong:
            yield cls(environment, wrong)

    @property
    def seconds_wrong(self) -> int:
        """Return by how much it is ahead of the machine's."""
        seconds: int = struct.unpack("q", self._wrong)[0]
        return seconds

    def jump(self, seconds: int) -> None:
        """Set it this much forward, or back; all processes see that at once."""
        struct.pack_into("q", self._wrong, 0, self.seconds_wrong + seconds)


def _zone_before_midnight(hour: int) -> str:
    """Return the time zone in which it is 23:00 to 23:59 now. West of UTC is plus in these names."""
    east = (_HOUR_BEFORE_MIDNIGHT - hour + 11) % 24 - 11
    return f"Etc/GMT{-east:+d}"
