"""Only one `migrate` at a time on a database: the second would meet tables of the first, half made."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

_AGAIN_AFTER_SECONDS = 0.5
# "bank" in ASCII; locks of other programs on the same database have other numbers.
_NUMBER = 0x62616E6B
# Both belong to the session: they outlast transactions, and end with the process.
_ON_SERVERS = {
    "postgresql": (f"SELECT pg_try_advisory_lock({_NUMBER})", f"SELECT pg_advisory_unlock({_NUMBER})"),
    "microsoft": (
        "DECLARE @got int; EXEC @got = sp_getapplock 'bank migrate', 'Exclusive', 'Session', 0;"
        " SELECT CASE WHEN @got >= 0 THEN 1 ELSE 0 END",
        "EXEC sp_releaseapplock 'bank migrate', 'Session'",
    ),
}


@contextmanager
def alone(database: BaseDatabaseWrapper, *, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of this database in the block, and wait for it as long as it takes: `waits` is called once if
    another process has it.

    Raises:
        Error: the database does not answer.
    """
    if database.vendor == "sqlite":
        with _folder_locked(database, waits):
            yield
        return
    take, give_back = _ON_SERVERS[database.vendor]
    _wait_until(lambda: _asked(database, take), waits)
    try:
        yield
    finally:
        with suppress(Error), database.cursor() as cursor:
            cursor.execute(give_back)


@contextmanager
def _folder_locked(database: BaseDatabaseWrapper, waits: Callable[[], None]) -> Iterator[None]:
    """Lock the folder of the file. The file itself has SQLite's locks, which another open and close would end."""
    folder = os.open(Path(str(database.settings_dict["NAME"])).absolute().parent, os.O_RDONLY)
    try:
        _wait_until(lambda: _is_locked(folder), waits)
        yield
    finally:
        os.close(folder)


def _is_locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _asked(database: BaseDatabaseWrapper, statement: str) -> bool:
    with database.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return bool(row and row[0])


def _wait_until(is_taken: Callable[[], bool], waits: Callable[[], None]) -> None:
    if is_taken():
        return
    waits()
    while not is_taken():
        time.sleep(_AGAIN_AFTER_SECONDS)
