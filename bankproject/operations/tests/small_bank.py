"""A bank for the tests of backups: a small SQLite file that looks like one, and what happens to it."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bankproject.operations import backups

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FORMER = "bank.sqlite3.before-20261121T120000Z"


class OurConnection:
    """The parts of Django's connection that `backups` uses."""

    def __init__(self, vendor: str, **settings_dict: str) -> None:
        self.vendor = vendor
        self.settings_dict = dict.fromkeys(("NAME", "HOST", "PORT", "USER"), "") | settings_dict

    def close(self) -> None: ...


def make_bank(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            """
            PRAGMA journal_mode=WAL;
            CREATE TABLE django_migrations (app TEXT, name TEXT);
            INSERT INTO django_migrations VALUES ('transfers', '0001_ledger');
            CREATE TABLE audit_auditentry (id INTEGER PRIMARY KEY);
            CREATE TABLE accounts_user (id INTEGER PRIMARY KEY);
            CREATE TABLE transfers_entry (
                id INTEGER PRIMARY KEY, owner INTEGER REFERENCES accounts_user (id), text BLOB
            );
            INSERT INTO accounts_user VALUES (1);
            """
        )
        database.executemany("INSERT INTO transfers_entry VALUES (?, 1, randomblob(900))", [(n,) for n in range(2000)])
        database.commit()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


def entries_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM transfers_entry").fetchone()
    return int(count)


def damage(path: Path) -> None:
    with path.open("r+b") as opened:
        opened.seek(path.stat().st_size // 2)
        opened.write(os.urandom(3 * 4096))


def silent(done: int, pages: int) -> None: ...


def back_up(path: Path) -> backups.Backup:
    return backups.back_up(path, progress=silent)


def restore(path: Path, *, replace: bool = False) -> Path | None:
    return backups.restore(path, replace=replace, at=NOON, progress=silent)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}
