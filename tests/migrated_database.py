"""The tests' SQLite database: migrated once for all processes and runs, and copied.

Migrating costs each process seconds; copying the file costs none. A template is kept in pytest's cache under the digest
of its sources, so a change in them makes a new one.
"""

import ast
import fcntl
import hashlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection

# Their values differ from run to run, but no table does: rows about keys are written again into each copy.
_OF_THE_RUN = {
    "DATABASES", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS",
}  # fmt: skip
_ROOT = Path(__file__).resolve().parent.parent
_PLAIN = (str, int, float, bool, bytes, Path, type(None))


# What the test database held before the first test, in memory.
_at_first: list[sqlite3.Connection] = []


def use_migrated_database(cache: Path) -> None:
    """Let pytest-django's `create_test_db` copy a migrated template, which is made in `cache` if it is not there."""
    connection.creation.create_test_db = partial(_create, cache, connection.creation.create_test_db)  # type: ignore[method-assign]


def _create(cache: Path, migrate: Any, *args: Any, **kwargs: Any) -> str:
    name = connection.settings_dict["TEST"]["NAME"]
    if given := os.environ.get("MIGRATED_DATABASE"):  # by a test that runs others (`tests/faults/slow/test_mutants.py`)
        return _copy(Path(given), name)
    template = cache / f"{_digest()}.sqlite3"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes wait for the first, and then copy
        if not template.exists():
            for former in cache.glob("*.sqlite3"):
                former.unlink()
            migrate(*args, **kwargs)
            _write_log_back()
            connection.close()
            made = template.with_suffix(".making")
            shutil.copyfile(name, made)
            made.rename(template)
    return _copy(template, name)


def _copy(template: Path, name: str) -> str:
    connection.close()
    shutil.copyfile(template, name)
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
    _note_keys_of_this_run()
    return name


def remember() -> None:
    """Keep the present content of the test database, for `put_back`. Nothing on an engine without a file."""
    if connection.vendor == "sqlite":
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        connection.ensure_connection()
        connection.connection.backup(kept)
        _at_first[:] = [kept]


def put_back() -> bool:
    """Give the test database the tables and rows that were remembered; return whether there were any.

    Raises:
        django.db.OperationalError: another connection is in the middle of writing, and stays there.
    """
    if not _at_first or connection.vendor != "sqlite":
        return False
    connection.close()  # whatever the test left open there
    with connection.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")  # `backup` itself would wait forever
        cursor.execute("ROLLBACK")
    _at_first[0].backup(connection.connection)
    return True


def lay(file: Path) -> None:
    """Put a migrated database there for a test's own bank, so that its `migrate` has little to do.

    For tests that are marked with `django_db`: without any such test there is no database to copy.

    It has no records of keys: the first process to open it records its own. On an engine without a file it does
    nothing, and `migrate` does everything.
    """
    if not _at_first or connection.vendor != "sqlite":
        return
    with closing(sqlite3.connect(file)) as laid:
        _at_first[0].backup(laid)
        laid.execute("DELETE FROM foundation_keyrecord")
        laid.commit()


def _write_log_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _note_keys_of_this_run() -> None:
    from foundation.keys import records as key_records
    from foundation.models import KeyRecord

    KeyRecord.objects.all().delete()
    key_records.note_keys()


def _digest() -> str:
    """Return the digest of the migrations, of our modules behind their imports, of the versions they run on, and of the
    settings."""
    told = hashlib.sha256(f"{sys.version} {django.__version__}".encode())
    for path in sorted(_with_what_they_import(_migrations())):
        told.update(path.read_bytes())
    for name in sorted(set(dir(settings)) - _OF_THE_RUN):
        if name.isupper() and (value := _plain(getattr(settings, name))) is not None:
            told.update(f"{name}={value}".encode())
    return told.hexdigest()[:32]


def _migrations() -> Iterator[Path]:
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    for config in apps.get_app_configs():
        name = MigrationLoader.migrations_module(config.label)[0]
        module = find_spec(name) if name else None
        if module is None or module.origin is None:
            continue
        yield from Path(module.origin).parent.glob("*.py")


def _with_what_they_import(paths: Iterable[Path]) -> set[Path]:
    """Return these and all of our modules that they import: a grant may be declared some imports away."""
    found: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
        for name in names:
            place = _ROOT.joinpath(*name.split("."))
            yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def _plain(value: Any) -> str | None:
    """Return the value as text, if it has one that is the same in every process."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        parts = [_plain(item) for item in value]
        return None if None in parts else repr(parts)
    return str(value) if type(value).__module__ in {"decimal", "datetime"} else None
