"""Backup and restore of a file (R9.7): never over an existing file, never half, never damaged.

`test_backup_commands` tests what the commands add, `test_backup_under_load` the backup under load.
"""

import hashlib
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditEntry
from bankproject.operations import backups
from bankproject.operations.backups import BackupError
from bankproject.operations.tests.small_bank import FORMER, back_up, change, damage, entries_in, names_in, restore
from tests.asvs import proves
from tests.tables import in_one_world

# --- Taking one --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestTakingOne:
    @proves("V14.2.4")
    def test_it_is_one_file_for_its_owner_alone(self, file: Path) -> None:
        made = back_up(file.with_name("bank.backup"))
        assert names_in(file.parent) == {"bank.sqlite3", "bank.backup"}
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert (made.size, made.sha256) == (
            made.path.stat().st_size,
            hashlib.sha256(made.path.read_bytes()).hexdigest(),
        )
        assert entries_in(made.path) == 2000
        assert not list(file.parent.glob("bank.backup-*")), "read without companions"

    def test_a_writer_meanwhile_is_not_held_up_and_not_in_it(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backups, "_PAGES_AT_ONCE", 50)
        steps: list[tuple[int, int]] = []

        def write(done: int, pages: int) -> None:
            steps.append((done, pages))
            change(file, f"INSERT INTO transfers_entry VALUES ({10_000 + len(steps)}, 1, 'meanwhile')")

        made = backups.back_up(file.with_name("bank.backup"), progress=write)
        assert len(steps) > 5
        assert steps[-1][0] == steps[-1][1], "to its end, and once: a copy that begins anew would never end"
        assert (entries_in(made.path), entries_in(file)) == (2000, 2000 + len(steps))

    @proves("V16.3.3")
    def test_the_log_says_that_one_was_taken(self, backup: Path) -> None:
        entry = AuditEntry.objects.get(action="BACKUP_TAKEN")
        assert (entry.actor_id, entry.actor_label) == (None, "terminal")
        assert entry.details == {
            "file": "bank.backup", "bytes": backup.stat().st_size, "sha256": backups.digest_of(backup),
        }  # fmt: skip

    @proves("V14.2.4")
    @in_one_world("there", [b"", b"precious"])
    def test_it_takes_no_files_place(self, file: Path, there: bytes) -> None:
        path = file.with_name("bank.backup")
        path.write_bytes(there)
        with pytest.raises(BackupError, match="File exists"):
            back_up(path)
        assert path.read_bytes() == there

    def test_not_the_databases_nor_that_of_what_a_link_leads_to(self, file: Path) -> None:
        link = file.with_name("link")
        link.symlink_to(file.with_name("not there"))
        for path in (file, link):
            with pytest.raises(BackupError, match="File exists"):
                back_up(path)
        assert entries_in(file) == 2000

    def test_where_nothing_can_be_written_it_says_so(self, file: Path) -> None:
        with pytest.raises(BackupError, match="No such file or directory"):
            back_up(Path("/nowhere/bank.backup"))

    def test_a_damaged_bank_is_not_backed_up_as_a_sound_one(self, file: Path) -> None:
        damage(file)
        with pytest.raises(BackupError, match=r"damaged|malformed"):
            back_up(file.with_name("bank.backup"))
        assert names_in(file.parent) == {"bank.sqlite3"}, "no half of a backup is left"
        assert not AuditEntry.objects.exists()

    def test_a_full_disk_leaves_nothing_behind(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(backups, "_sync", fail)
        with pytest.raises(BackupError, match="No space left"):
            back_up(file.with_name("bank.backup"))
        assert names_in(file.parent) == {"bank.sqlite3"}

    def test_nor_does_one_that_is_stopped(self, file: Path) -> None:
        def stop(done: int, pages: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backups.back_up(file.with_name("bank.backup"), progress=stop)
        assert names_in(file.parent) == {"bank.sqlite3"}

    def test_what_a_killed_one_left_stands_in_no_ones_way(self, file: Path) -> None:
        file.with_name("bank.backup.partial").write_bytes(b"half of it")
        back_up(file.with_name("bank.backup"))
        assert names_in(file.parent) == {"bank.sqlite3", "bank.backup"}


# --- Putting one back ----------------------------------------------------------------------------------------------


class TestPuttingOneBack:
    def test_where_there_is_none(self, file: Path, backup: Path) -> None:
        file.unlink()
        assert restore(backup) is None
        assert entries_in(file) == 2000
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @proves("V14.2.4")
    def test_a_bank_that_is_there_stays_unless_told(self, file: Path, backup: Path) -> None:
        change(file, "DELETE FROM transfers_entry WHERE id > 4")
        with pytest.raises(BackupError, match="--replace"):
            restore(backup)
        assert entries_in(file) == 5

    def test_it_is_kept_aside_whole(self, file: Path, backup: Path) -> None:
        change(file, "DELETE FROM transfers_entry WHERE id > 4")
        former = restore(backup, replace=True)
        assert former == file.with_name(FORMER)
        assert (entries_in(file), entries_in(former)) == (2000, 5)

    def test_none_that_was_kept_aside_is_overwritten(self, file: Path, backup: Path) -> None:
        file.with_name(FORMER).write_bytes(b"of another restore")
        with pytest.raises(BackupError, match="is there already"):
            restore(backup, replace=True)
        assert names_in(file.parent) == {"bank.sqlite3", "bank.backup", FORMER}

    @proves("V14.2.4")
    def test_not_under_a_bank_that_runs(self, file: Path, backup: Path) -> None:
        with closing(sqlite3.connect(file)) as another:
            another.execute("SELECT COUNT(*) FROM transfers_entry").fetchall()
            with pytest.raises(BackupError, match="is in use: stop the bank"):
                restore(backup, replace=True)
        assert names_in(file.parent) == {"bank.sqlite3", "bank.backup"}
        assert restore(backup, replace=True)

    def test_it_replaces_a_damaged_one(self, file: Path, backup: Path) -> None:
        broken = b"SQLite format 3\x00" + os.urandom(20_000)
        file.write_bytes(broken)
        former = restore(backup, replace=True)
        assert former is not None
        assert (former.read_bytes(), entries_in(file)) == (broken, 2000)

    @in_one_world("ending", ["-wal", "-journal"])
    def test_what_lies_beside_a_lost_one_is_not_taken_for_the_new_ones(
        self, file: Path, backup: Path, ending: str
    ) -> None:
        file.unlink()
        file.with_name(f"bank.sqlite3{ending}").write_bytes(b"of the lost one")
        restore(backup)
        assert file.with_name(f"{FORMER}{ending}").read_bytes() == b"of the lost one"
        assert entries_in(file) == 2000

    def test_a_link_to_the_database_stays_and_leads_to_the_new_one(self, file: Path, backup: Path) -> None:
        (disk := file.with_name("disk")).mkdir()
        file.rename(disk / "real.sqlite3")
        file.symlink_to(disk / "real.sqlite3")
        change(file, "DELETE FROM transfers_entry WHERE id > 4")
        former = restore(backup, replace=True)
        assert former is not None
        assert (former.parent, entries_in(former)) == (disk, 5)
        assert file.is_symlink()
        assert entries_in(disk / "real.sqlite3") == 2000

    @in_one_world("content", [b"", b"a text", b"SQLite format 3\x00 and then something else"])
    def test_anything_except_a_backup_is_refused(self, file: Path, content: bytes) -> None:
        other = file.with_name("other")
        other.write_bytes(content)
        with pytest.raises(BackupError, match=r"no SQLite database|cannot be read"):
            restore(other, replace=True)
        assert names_in(file.parent) == {"bank.sqlite3", "other"}

    def test_nor_is_what_is_not_there_or_another_programs_database(self, file: Path) -> None:
        with pytest.raises(BackupError, match="No such file"):
            restore(file.with_name("missing"), replace=True)
        change(file.with_name("other.db"), "CREATE TABLE django_migrations (app TEXT, name TEXT)")
        with pytest.raises(BackupError, match="is no backup of a bank"):
            restore(file.with_name("other.db"), replace=True)

    def test_a_damaged_one_is_refused(self, file: Path, backup: Path) -> None:
        damage(backup)
        with pytest.raises(BackupError, match=r"damaged|cannot be read"):
            restore(backup, replace=True)
        assert entries_in(file) == 2000

    def test_one_that_can_be_read_and_does_not_fit_its_own_rules_is_damaged_too(self, file: Path, backup: Path) -> None:
        with closing(sqlite3.connect(backup)) as database:
            database.executescript(
                """
                UPDATE transfers_entry SET text = NULL WHERE id = 7;
                PRAGMA writable_schema=ON;
                UPDATE sqlite_master SET sql = replace(sql, 'BLOB', 'BLOB NOT NULL') WHERE name = 'transfers_entry';
                """
            )
        with pytest.raises(BackupError, match="damaged: NULL value"):
            restore(backup, replace=True)

    def test_rows_without_those_that_they_name_are_noticed(self, file: Path, backup: Path) -> None:
        change(backup, "DELETE FROM accounts_user")
        with pytest.raises(BackupError, match="2000 rows name others that are not there"):
            restore(backup, replace=True)

    def test_one_of_a_newer_version_is_refused(self, file: Path, backup: Path) -> None:
        change(backup, "INSERT INTO django_migrations VALUES ('transfers', '9999_next')")
        with pytest.raises(BackupError, match=r"newer version of the bank: it has transfers\.9999_next"):
            restore(backup, replace=True)

    def test_what_is_put_back_is_not_called_unchanged(
        self, file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder that cannot be synced, as on some network shares, is found out when the database is restored
        already."""
        sync = backups._sync

        def only_files(path: Path) -> None:
            if path.is_dir():
                raise OSError(22, "Invalid argument")
            sync(path)

        change(file, "DELETE FROM transfers_entry WHERE id > 4")
        monkeypatch.setattr(backups, "_sync", only_files)
        assert restore(backup, replace=True) == file.with_name(FORMER)
        assert entries_in(file) == 2000

    def test_where_nothing_can_be_written_nothing_is_changed(
        self, file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(backups, "_copy", fail)
        with pytest.raises(BackupError, match="No space left"):
            restore(backup, replace=True)
        assert names_in(file.parent) == {"bank.sqlite3", "bank.backup"}
