"""`verify_ledger --processes`: the same rows are named, whatever process checks them (R9.2)."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import BankAccount
from tests.plugin import triggers_off
from tests.processes import ROOT, process_environment
from transfers.models import Entry, Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def verify(*arguments: str) -> tuple[int, list[str], str]:
    """Return exit status, the named rows, and the messages about them."""
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_ledger", *arguments],
        cwd=ROOT,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_several_processes_say_what_one_says(
    everyday: BankAccount, savings: BankAccount, charge: Callable[..., None]
) -> None:
    charge(everyday, 30)
    status, said, _ = verify("--processes", "2")
    assert status == 0
    accounts, transactions = BankAccount.objects.count(), Transaction.objects.count()
    assert said[0] == f"The ledger adds up. Read {accounts} accounts, {transactions} transactions, 1 orders."
    assert "entries a second in each process" in said[1]
    assert "MB in each process" in said[1]
    with triggers_off(Entry, Transaction), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Entry._meta.db_table} SET amount = amount + 1 WHERE sequence = 4")
        cursor.execute(f"UPDATE {BankAccount._meta.db_table} SET balance = balance + 1 WHERE id = %s", [savings.pk])
    alone, together = verify(), verify("--processes", "3")
    assert alone == together
    assert alone[0] == 1
    assert len(alone[1]) > 4


def test_what_cannot_be_read_is_said_after_what_was_found(everyday: BankAccount, savings: BankAccount) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("Only SQLite keeps a text where a number belongs.")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(f"UPDATE {BankAccount._meta.db_table} SET held = 1 WHERE id = %s", [everyday.pk])
        cursor.execute(f"UPDATE {BankAccount._meta.db_table} SET balance = 'abc' WHERE id = %s", [savings.pk])
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
    alone, together = verify(), verify("--processes", "2")
    assert alone[:2] == together[:2]
    assert alone[0] == 1
    assert alone[1][0].startswith(f"account {everyday.pk}: 0.01 is held")
    assert "The ledger cannot be read to its end" in together[2]
