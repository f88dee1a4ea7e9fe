"""Files in which gunicorn's workers write their counts, so that one of them can report for all (R9.5).

prometheus-client keeps a file for each process, and never removes one: workers that are renewed after a number of
requests would leave more and more of them. Here a worker has a place among the others, and its successor goes on in the
same file. Called by deploy/gunicorn.conf.py; nothing here needs Django.

A server that is killed cannot remove its folder, so the next one does: each holds a lock on its own for as long as its
master or any worker lives.
"""

import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name
_PREFIX = "bank-metrics-"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is ours alone # nosec B108
_YOUNG_SECONDS = 60  # its server may not have locked it yet


def begin() -> None:
    """Make an empty folder for the files before the first worker, in memory if the machine allows."""
    if _FOLDER not in os.environ:
        base = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        for left in base.glob(f"{_PREFIX}*"):
            _remove_if_left(left)
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        fcntl.flock(_open(os.environ[_FOLDER]), fcntl.LOCK_EX)  # never closed: workers inherit it
    folder = Path(os.environ[_FOLDER])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _empty(folder)


def choose_place(server: Any, worker: Any) -> None:
    """Choose, before a worker is forked, the lowest number that no living worker has."""
    taken = {getattr(other, "metrics_place", None) for other in server.WORKERS.values()}
    worker.metrics_place = next(number for number in range(len(taken) + 1) if number not in taken)


def take_place(worker: Any) -> None:
    """Take the place in the worker, before it loads the bank: its counts go into the files of that place."""
    from prometheus_client import values

    place = str(worker.metrics_place)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)


def end() -> None:
    """Clean up after the last worker."""
    folder = Path(os.environ[_FOLDER])
    _empty(folder)
    if folder.name.startswith(_PREFIX):
        folder.rmdir()


def _open(folder: str | Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _remove_if_left(folder: Path) -> None:
    """Remove the folder if it belongs to a dead server of this user."""
    with suppress(OSError):  # another user's, or held, or gone meanwhile
        held = _open(folder)
        try:
            status = os.fstat(held)
            if status.st_uid == os.geteuid() and status.st_mtime < time.time() - _YOUNG_SECONDS:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _empty(folder)
                folder.rmdir()
        finally:
            os.close(held)


def _empty(folder: Path) -> None:
    """Empty the folder, by prometheus-client's names: an operator may name a folder that is not only ours, with a
    database in it."""
    for kind in ("counter", "gauge", "histogram", "summary"):
        for file in folder.glob(f"{kind}_*.db"):
            file.unlink()
