"""The commands `backup` and `restore` (R9.7): what they say, how they end, and what they verify."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder

from accounts.models import BankAccount, UserSession
from audit.models import AuditEntry
from bankproject.operations import backups, probes
from bankproject.operations.tests.small_bank import OurConnection
from tests.asvs import proves
from tests.keys import keys_in, ring_text
from tests.plugin import triggers_off
from tests.tables import in_one_world


@pytest.fixture
def said(capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Run a command and return what it writes; `status`: it ends with that."""

    def run(*arguments: str, status: int = 0) -> str:
        if not status:
            call_command(*arguments)
            return str(capsys.readouterr().out)
        with pytest.raises(CommandError) as ended:
            call_command(*arguments)
        assert ended.value.returncode == status
        return str(capsys.readouterr().out) + str(ended.value)

    return run


@pytest.mark.django_db
class TestTheCommands:
    def test_a_backup_is_told_as_sha256sum_tells_it(self, file: Path, said: Callable) -> None:
        path = file.with_name("bank.backup")
        assert said("backup", str(path)).startswith(f"{backups.digest_of(path)}  {path}\n")
        assert "File exists" in said("backup", str(path), status=1)

    def test_a_terminal_shows_how_far_it_is(
        self, file: Path, said: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        class Terminal:
            text = ""

            def write(self, text: str) -> None:
                self.text += text

            def flush(self) -> None: ...

            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        call_command("backup", str(file.with_name("bank.backup")), stderr=terminal)
        assert "pages: " in terminal.text
        terminal.text = ""
        call_command("restore", str(file.with_name("bank.backup")), "--replace", stderr=terminal)
        assert "pages: " in terminal.text

    @proves("V7.4.1", "V16.4.2")
    def test_after_a_restore_all_is_verified_and_everybody_signs_in_again(
        self, alice: Any, browser_of: Callable, open_account: Callable, said: Callable
    ) -> None:
        open_account(alice, "100.00")
        browser = browser_of(alice)
        assert browser.get("/password/").status_code == 200
        text = said("restore", "--finish")
        assert "The ledger adds up." in text
        assert "The audit log is as it was sealed" in text
        assert "Sessions ended: 1;" in text
        assert not UserSession.objects.filter(ended_at=None).exists()
        assert browser.get("/password/").status_code == 302
        assert AuditEntry.objects.get(action="BACKUP_RESTORED").details == {"sessions_ended": 1}

    def test_a_file_is_put_back_and_then_verified(
        self, file: Path, backup: Path, said: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = said("restore", str(backup), "--replace")
        (former,) = file.parent.glob("bank.sqlite3.before-*")
        assert f"The former database is {former}." in text
        assert "Restored and verified." in text

    def test_a_refusal_says_that_nothing_was_changed(self, file: Path, backup: Path, said: Callable) -> None:
        assert "Nothing was changed." in said("restore", str(backup), status=1)
        assert not AuditEntry.objects.filter(action="BACKUP_RESTORED").exists()

    def test_one_of_an_older_version_is_migrated_first(self, said: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probes, "_latest_migrations", lambda: frozenset({("transfers", "9999_next")}))
        assert "Run migrate, then restore --finish." in said("restore", "--finish", status=2)
        assert not AuditEntry.objects.exists()

    def test_one_that_does_not_answer_is_not_called_old(self, said: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(recorder: MigrationRecorder) -> None:
            raise OperationalError("away")

        monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)
        assert "does not answer" in said("restore", "--finish", status=2)

    def test_one_that_was_sealed_with_other_keys_is_told(self, said: Callable, settings: Any) -> None:
        settings.FIELD_KEYS = keys_in(ring_text("k1"))
        assert "sealed with other keys" in said("restore", "--finish", status=2)

    @proves("V16.4.2")
    def test_what_does_not_add_up_is_not_called_restored(
        self, alice: Any, browser_of: Callable, open_account: Callable, said: Callable
    ) -> None:
        account = open_account(alice, "100.00")
        browser_of(alice).get("/password/")
        BankAccount.objects.filter(pk=account.pk).update(balance=Decimal(200))
        text = said("restore", "--finish", status=1)
        assert "The ledger does not add up" in text
        assert "Restored" not in text
        assert not UserSession.objects.filter(ended_at=None).exists(), "yet nobody is signed in as they once were"

    def test_nor_what_could_be_changed_unseen(self, said: Callable) -> None:
        """R3.4: a copy need not have the append-only triggers."""
        with triggers_off(AuditEntry):
            text = said("restore", "--finish", status=1)
        assert "audit_auditentry_no_" in text
        assert "Restored" not in text

    def test_it_wants_to_be_told_what_to_do(self, said: Callable) -> None:
        assert "required" in said("restore", status=1)

    @in_one_world("command", ["backup", "restore"])
    def test_a_command_that_did_nothing_does_not_end_well(
        self, monkeypatch: pytest.MonkeyPatch, said: Callable, command: str
    ) -> None:
        monkeypatch.setattr(backups, "connection", OurConnection("microsoft", NAME="bank"))
        text = said(command, "/backup/bank.bak", status=2)
        assert "DISK = N'/backup/bank.bak'" in text
        assert "Nothing was" in text


# --- Other engines -------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def pretend(vendor: str, **changes: str) -> None:
        usual = {"NAME": "bank", "HOST": "db.example", "PORT": "", "USER": "bank app", "PASSWORD": "hunter2"}
        monkeypatch.setattr(backups, "connection", OurConnection(vendor, **usual | changes))

    return pretend


def test_on_sql_server_its_statements_are_told(engine: Callable) -> None:
    engine("microsoft", NAME="ba]nk")
    said = backups.how_to_back_up(Path("/backup/o'clock.bak")) or ""
    assert "BACKUP DATABASE [ba]]nk] TO DISK = N'/backup/o''clock.bak' WITH CHECKSUM, COMPRESSION" in said
    assert "RESTORE VERIFYONLY FROM DISK = N'/backup/o''clock.bak' WITH CHECKSUM;" in said
    said = backups.how_to_restore(Path("/backup/bank.bak")) or ""
    assert "RESTORE DATABASE [ba]]nk] FROM DISK = N'/backup/bank.bak' WITH CHECKSUM" in said
    assert said.index("NORECOVERY") < said.index("WITH RECOVERY")
    assert "hunter2" not in said


def test_on_postgresql_its_programs_are(engine: Callable) -> None:
    engine("postgresql")
    said = backups.how_to_back_up(Path("a file")) or ""
    assert "pg_dump --format=custom --host=db.example --username='bank app' --file='a file' bank\n" in said
    said = backups.how_to_restore(Path("a file")) or ""
    assert (
        "pg_restore --exit-on-error --no-owner --host=db.example --username='bank app' --dbname=bank 'a file'" in said
    )
    assert "hunter2" not in said


def test_on_sqlite_the_bank_does_it_itself(engine: Callable) -> None:
    engine("sqlite")
    assert backups.how_to_back_up(Path("x")) is None
    assert backups.how_to_restore(Path("x")) is None
