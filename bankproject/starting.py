"""What every program of the bank does before anything else: keep its files to itself, and end in one line where a
setting is wrong.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

# What these commands write is code and style sheets, which other users of the machine read: the web server may be one.
_FOR_EVERYBODY = {"collectstatic", "makemigrations"}


def keep_files_private(command: str = "") -> None:
    """Let nobody else read what this process will write: databases, mails, backups (ASVS V13.2.2)."""
    if command not in _FOR_EVERYBODY:
        os.umask(0o077)


def close_to_others(databases: Mapping[str, Mapping[str, Any]]) -> None:
    """Take the rights of others from SQLite's files that an earlier version made; a copy that is not ours is left."""
    names = [each["NAME"] for each in databases.values() if each["ENGINE"] == "django.db.backends.sqlite3"]
    for path in (Path(f"{name}{ending}") for name in names for ending in ("", "-wal", "-shm", "-journal")):
        with suppress(FileNotFoundError, PermissionError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)


@contextmanager
def in_one_line() -> Iterator[None]:
    """End the program with status 1 and one line that names the wrong setting; a traceback would bury it, and quote
    what stands around it."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def try_settings() -> NoReturn:
    """End this process, with status 1 and one line if a setting of the bank or of its web server is wrong, otherwise
    with 0."""
    status = 1
    try:
        from bankproject.web_server import read_settings

        # First: gunicorn takes them from the environment as it is, before `.env` is read into it.
        read_settings()
        from bankproject import settings  # noqa: F401 - to read it is the trial

        status = 0
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201 - before there is a log
    except Exception:  # noqa: BLE001 - a fault of ours: told of, and this copy ends all the same
        traceback.print_exc()
    finally:
        os._exit(status)  # skip gunicorn's exit handlers
