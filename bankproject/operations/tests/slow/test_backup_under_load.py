"""A backup that is taken while money moves, and put back elsewhere, verifies (issue 7, Shows 6)."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import migrated_database
from tests.asvs import proves
from tests.processes import ROOT
from tests.scanners.demo_bank import environment_of

PAYERS = 3

PAYER = """
import sys
from decimal import Decimal
import django
django.setup()
from django.conf import settings
from accounts.models import AccountKind
from accounts.roles import Role
from accounts.people.registration import create_user
from transfers.accounts import opening
from transfers.orders import cash, sending

settings.DEPOSITS_PER_MINUTE = settings.TRANSFERS_PER_MINUTE = 10**6
name = sys.argv[1]
user = create_user(email=name + "@example.com", password_hash="!", role=Role.CUSTOMER, first_name=name)
first, second = (
    opening.open_account(actor=user, kind=kind, idempotency_key=name + kind)
    for kind in (AccountKind.CHECKING, AccountKind.SAVINGS)
)
print("ready", flush=True)
number = 0
while True:
    number += 1
    key = f"{name} {number:06}"
    cash.deposit(actor=user, account=first, amount=Decimal(2), idempotency_key=key)
    sending.transfer(actor=user, source=first, target=second, amount=Decimal(1), idempotency_key="send " + key)
"""


class Bank:
    """A bank of the test's own, on SQLite whatever the other tests run on; the test calls its commands."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.file = folder, folder / "bank.sqlite3"
        self.environment = environment | {"DATABASE_URL": f"sqlite:///{self.file}"}

    def run(self, *arguments: str, status: int = 0) -> str:
        command = [sys.executable, "manage.py", *arguments]
        run = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300)
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout + run.stderr

    @property
    def transactions(self) -> int:
        with closing(sqlite3.connect(self.file)) as database:
            return int(database.execute("SELECT COUNT(*) FROM transfers_transaction").fetchone()[0])


@contextmanager
def payments(bank: Bank) -> Iterator[None]:
    """Processes that move money all the time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PAYER, f"payer{number}"],
            cwd=ROOT, env=bank.environment, stdout=subprocess.PIPE, text=True,
        )
        for number in range(PAYERS)
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield
        assert [process.poll() for process in running] == [None] * PAYERS, "they were still paying"
    finally:
        for process in running:
            process.kill()
            process.communicate()


@proves("V14.2.4")
@pytest.mark.django_db
def test_taken_while_money_moves_and_put_back_elsewhere_it_verifies(tmp_path: Path) -> None:
    bank = Bank(tmp_path / "here", environment_of(tmp_path, "http://127.0.0.1:8000"))
    migrated_database.lay(bank.file)
    bank.run("migrate", "--verbosity", "0")
    copies, counts = [tmp_path / "first.backup", tmp_path / "second.backup"], []
    with payments(bank):
        for copy in copies:
            before = bank.transactions
            bank.run("backup", str(copy))
            bank.run("seal_audit_log")
            counts.append((before, bank.transactions))
    elsewhere = Bank(tmp_path / "elsewhere", bank.environment)
    for copy, (before, after) in zip(copies, counts, strict=True):
        assert before < after, "nothing moved meanwhile"
        said = elsewhere.run("restore", str(copy), "--replace")
        for line in ("The ledger adds up.", "The audit log is as it was sealed", "Restored and verified."):
            assert line in said
        assert before <= elsewhere.transactions <= after
    assert "The ledger adds up." in bank.run("verify_ledger"), "and the bank itself is none the worse for it"

    # A change in a backup shows.
    with closing(sqlite3.connect(copies[0])) as database:
        database.execute("UPDATE accounts_bankaccount SET balance = balance + 100 WHERE kind = 'checking'")
        database.commit()
    assert "The ledger does not add up" in elsewhere.run("restore", str(copies[0]), "--replace", status=1)
