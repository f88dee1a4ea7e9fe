"""Backups of a bank on SQLite, taken while it serves, and restored (R9.7); for other engines, the commands to type.

A backup is the whole bank at one moment: names, balances and amounts in clear, the rest sealed with keys that are not
in it. Keep it encrypted and the keys elsewhere (docs/operations.md).
"""

import hashlib
import os
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from accounts.people.first_administrator import FROM_THE_TERMINAL
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation.transactions import own_transaction

Progress = Callable[[int, int], None]

_PAGES_AT_ONCE = 1000
_HEADER = b"SQLite format 3\x00"
# Files beside the database while it is written to: WAL mode's, and that of the mode in which a restored file begins.
_COMPANIONS = ("-wal", "-shm", "-journal")


class BackupError(Exception):
    """Nothing was done or changed; the text says why."""


@dataclass(frozen=True)
class Backup:
    """A backup file that was written, read back and found complete."""

    path: Path
    size: int  # bytes
    sha256: str


def database_file() -> Path:
    """Return the path of the bank's SQLite database itself, not of a link to it: its companions are there."""
    return Path(connection.settings_dict["NAME"]).resolve()


# --- Taking a backup -----------------------------------------------------------------------------------------


def back_up(path: Path, *, progress: Progress) -> Backup:
    """Copy the bank as it is at this moment to a new file, readable only by its owner.

    Writers are not held up, and what they write meanwhile is not in the copy: it is read in one transaction. The copy
    is checked before it gets its name, so that half a backup never has one.

    Raises:
        BackupError: the file exists, cannot be written, or the database is damaged.
    """
    with _new_file(path) as partial:
        _copy(database_file(), partial, progress)
        _require_sound(partial)
        _sync(partial)
        backup = Backup(path, partial.stat().st_size, digest_of(partial))
        partial.replace(path)
        _sync(path.parent)
    _record_taken(backup)
    return backup


@own_transaction
def _record_taken(backup: Backup) -> None:
    details = {"file": backup.path.name[:200], "bytes": backup.size, "sha256": backup.sha256}
    record(Action.BACKUP_TAKEN, actor=None, actor_label=FROM_THE_TERMINAL, details=details)


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Yield a file to write to, which gets the name `path` in the end; if this fails, it is removed.

    Raises:
        BackupError: there is such a file, or there can be none.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        _make(path)
    except OSError as error:
        raise BackupError(f"{path} is not written to: {error.strerror}.") from error
    try:
        partial.unlink(missing_ok=True)
        _make(partial)
        yield partial
    except BaseException as error:
        for leftover in (path, partial):
            leftover.unlink(missing_ok=True)
        if isinstance(error, (sqlite3.Error, OSError)):
            raise BackupError(f"The backup failed: {error}") from error
        raise


def _make(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _copy(source: Path, target: Path, progress: Progress) -> None:
    with closing(_opened(source)) as read, closing(_opened(target)) as written:
        read.execute("PRAGMA query_only=ON")
        # A transaction of our own: otherwise SQLite would begin again each time that another process writes.
        read.execute("BEGIN")
        read.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        read.backup(
            written, pages=_PAGES_AT_ONCE, progress=lambda status, left, pages: progress(pages - left, pages), sleep=0
        )
        read.execute("ROLLBACK")
        # One file, without companions that could be left behind when it is copied elsewhere.
        written.execute("PRAGMA journal_mode=DELETE").fetchall()


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection to an existing database, without Django."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=30)


def _require_sound(path: Path) -> None:
    """Refuse a file that is not a database, or a damaged one.

    Raises:
        BackupError: the file is not a database, or a damaged one.
    """
    try:
        with closing(_opened(path)) as opened:
            found = [str(row[0]) for row in opened.execute("PRAGMA integrity_check(3)")]
            orphans = opened.execute("SELECT COUNT(*) FROM pragma_foreign_key_check").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be read: {error}") from error
    if found != ["ok"]:
        raise BackupError(f"{path} is damaged: {'; '.join(found)}")
    if orphans:
        raise BackupError(f"{path} is damaged: {orphans} rows name others that are not there.")


def digest_of(path: Path) -> str:
    """Return its SHA-256, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Write the file to the disk; for a folder, the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- Restoring a backup --------------------------------------------------------------------------------------


def restore(path: Path, *, replace: bool, at: datetime, progress: Progress) -> Path | None:
    """Make the bank what it was when the backup was taken; the former database is moved aside, not removed.

    The bank must not run meanwhile. Verify it afterwards.

    Returns:
        where the former database is now, if there was one.

    Raises:
        BackupError: the file is not a backup of this bank, or of a newer version; there is a database and `replace` is
            not given; or another process has it open.
    """
    _require_backup(path)
    target = database_file()
    if target.exists() and not replace:
        raise BackupError(f"{target} is there already. If the backup is to take its place: --replace.")
    connection.close()
    _require_unused(target)
    fresh = target.with_name(f"{target.name}.restoring")
    try:
        fresh.unlink(missing_ok=True)
        _make(fresh)
        _copy(path, fresh, progress)
        _require_sound(fresh)
        _sync(fresh)
        former = _moved_aside(target, at)
        fresh.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"The backup could not be put back: {error}") from error
    finally:
        fresh.unlink(missing_ok=True)
    with suppress(OSError):  # it is restored; some file systems cannot sync a folder
        _sync(target.parent)
    return former


def _require_backup(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_HEADER)) == _HEADER
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
    if not is_database:
        raise BackupError(f"{path} is no backup: it is no SQLite database.")
    _require_sound(path)
    with closing(_opened(path)) as opened:
        tables = {row[0] for row in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"django_migrations", "transfers_entry", "audit_auditentry"} <= tables:
            raise BackupError(f"{path} is no backup of a bank.")
        applied = set(opened.execute("SELECT app, name FROM django_migrations"))
    unknown = sorted(applied - MigrationLoader(None).disk_migrations.keys())
    if unknown:
        raise BackupError(f"{path} is of a newer version of the bank: it has {'.'.join(unknown[0])}.")


def _require_unused(target: Path) -> None:
    """Refuse if another process has the database open.

    Raises:
        BackupError: another process has the database open.
    """
    if not target.exists():
        return
    with closing(sqlite3.connect(target, isolation_level=None, timeout=0)) as opened:
        try:
            # WAL mode cannot be left while another process has the database open. Everything is in the one file then.
            opened.execute("PRAGMA journal_mode=DELETE").fetchall()
        except sqlite3.OperationalError as error:
            raise BackupError(f"{target} is in use: stop the bank, its workers and its scheduler.") from error
        except sqlite3.DatabaseError:
            pass  # damaged: that is why a backup is restored


def _moved_aside(target: Path, at: datetime) -> Path | None:
    """Move the former database aside, with its companions, which SQLite would take for the new one's; return where it
    is."""
    former = target.with_name(f"{target.name}.before-{at:%Y%m%dT%H%M%SZ}")
    if former.exists():
        raise BackupError(f"{former} is there already.")
    for ending in _COMPANIONS:
        with suppress(FileNotFoundError):
            target.with_name(target.name + ending).rename(former.with_name(former.name + ending))
    return target.rename(former) if target.exists() else None


@own_transaction
def begin_anew() -> int:
    """End all sessions after a restore, since a session that was ended after the backup would be open again. Return how
    many were ended."""
    ended = user_sessions.mark_all_ended()
    record(Action.BACKUP_RESTORED, actor=None, actor_label=FROM_THE_TERMINAL, details={"sessions_ended": ended})
    return ended


# --- Other engines -------------------------------------------------------------------------------------------


def how_to_back_up(path: Path) -> str | None:
    """Return the command for an administrator of the database; None on SQLite, which the bank backs up itself."""
    return _by_engine(_HOW_TO_BACK_UP, path)


def how_to_restore(path: Path) -> str | None:
    return _by_engine(_HOW_TO_RESTORE, path)


def _by_engine(texts: dict[str, str], path: Path) -> str | None:
    if connection.vendor == "sqlite":
        return None
    database = connection.settings_dict
    return texts[connection.vendor].format(
        name=str(database["NAME"]).replace("]", "]]"),
        text=str(path).replace("'", "''"),
        shell_name=shlex.quote(str(database["NAME"])),
        shell_file=shlex.quote(str(path)),
        server=" ".join(
            f"--{word}={shlex.quote(str(database[name]))}"
            for word, name in (("host", "HOST"), ("port", "PORT"), ("username", "USER"))
            if database[name]
        ),
    )


_HOW_TO_BACK_UP = {
    "microsoft": """\
-- By a login of the role db_backupoperator, not the bank's own; the path is one of the database server's.
BACKUP DATABASE [{name}] TO DISK = N'{text}' WITH CHECKSUM, COMPRESSION, NOINIT, STATS = 10;
RESTORE VERIFYONLY FROM DISK = N'{text}' WITH CHECKSUM;
-- Every few minutes between the full ones, to come back to any moment (recovery model FULL):
BACKUP LOG [{name}] TO DISK = N'{text}.log' WITH CHECKSUM, COMPRESSION, NOINIT;
-- With TDE no backup opens without the certificate: docs/sql-server.md says how it is kept.""",
    "postgresql": """\
umask 077
pg_dump --format=custom {server} --file={shell_file} {shell_name}
pg_restore --list {shell_file} > /dev/null""",
}
_HOW_TO_RESTORE = {
    "microsoft": """\
-- The bank is stopped. By a login of the role dbcreator; the path is one of the database server's.
ALTER DATABASE [{name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE;
BACKUP LOG [{name}] TO DISK = N'{text}.tail' WITH CHECKSUM, NORECOVERY;
RESTORE DATABASE [{name}] FROM DISK = N'{text}' WITH CHECKSUM, REPLACE, NORECOVERY, STATS = 10;
-- Each log backup since, in order: RESTORE LOG [{name}] FROM DISK = N'…' WITH CHECKSUM, NORECOVERY;
RESTORE DATABASE [{name}] WITH RECOVERY;
ALTER DATABASE [{name}] SET MULTI_USER;""",
    "postgresql": """\
createdb {server} {shell_name}
pg_restore --exit-on-error --no-owner {server} --dbname={shell_name} {shell_file}""",
}
