"""Rows that `verify_ledger` leaves to the database, slice by slice: the same faults are named as by reading one by one
(R3.1)."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.sql.compiler import SQLCompiler

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests.tables import in_one_world
from tests.unguarded import everything_off, not_on_sql_server
from transfers.ledger import evidence, row_by_row, soundness, verification
from transfers.models import Entry, Transaction, TransferOrder

pytestmark = not_on_sql_server

ACCOUNT, ENTRY = BankAccount._meta.db_table, Entry._meta.db_table
REPORT = AuditEntry._meta.db_table


def by_rows() -> list[str]:
    """Return what reading every row by itself names."""
    found: list[str] = []
    for pk in BankAccount.objects.order_by("pk").values_list("pk", flat=True):
        found += row_by_row.faults_of_account(pk)
    found += row_by_row.faults_of_transactions(Transaction.objects.all(), lambda count: None)
    found += row_by_row.orphans(Entry.objects.all())
    found += row_by_row.faults_of_orders(TransferOrder.objects.all(), lambda count: None)
    return [*found, *row_by_row.payees_never_paid()]


def run(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.rowcount == 1


@pytest.fixture
def refuse_to_read_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Iterator[str]:
        raise AssertionError("a sound slice was read row by row")

    for name in ("faults_of_account", "faults_of_transactions", "faults_of_orders"):
        monkeypatch.setattr(row_by_row, name, refuse)


def test_what_is_sound_is_never_read_row_by_row(in_thin_slices: BankAccount, refuse_to_read_by_rows: None) -> None:
    work = verification.Work()
    assert list(verification.faults(work=work)) == []
    assert (work.entries, work.transactions) == (Entry.objects.count(), Transaction.objects.count())
    assert work.sums.clock > 0
    assert work.digests.clock > 0


# The pieces of the account are 1 to 4 and 5 to 8. Every other change at every other place: with the slow tests.
@in_one_world("sequence", [4, 5])
def test_a_gap_at_the_edge_of_a_slice_is_named_as_by_rows(in_thin_slices: BankAccount, sequence: int) -> None:
    entry = Entry.objects.get(account=in_thin_slices, sequence=sequence)
    with transaction.atomic():
        with everything_off():
            run(f"DELETE FROM {ENTRY} WHERE id = %s", entry.pk)
        named = list(verification.faults())
        assert f"account {in_thin_slices.pk}: entry with sequence {sequence} is missing" in named[0]
        assert named == by_rows()
        transaction.set_rollback(True)


@in_one_world(
    ("entries", "runs"),
    [
        ([0, 9, 0, 2, 3], [(1, 1, 0), (2, 2, 9), (3, 4, 2), (5, 5, 3)]),
        ([9, 9], [(1, 1, 9), (2, 2, 9)]),
        ([1, 2, 1, 0], [(1, 4, 4)]),
        ([4, 0, 1], [(1, 2, 4), (3, 3, 1)]),
        ([9], [(1, 1, 9)]),
    ],
)
def test_an_account_with_too_many_entries_for_one_statement_is_alone(
    monkeypatch: pytest.MonkeyPatch, entries: list[int], runs: list[tuple[int, int, int]]
) -> None:
    monkeypatch.setattr(soundness, "_COMPARED", 4)
    accounts = [SimpleNamespace(pk=pk, newest=count) for pk, count in enumerate(entries, 1)]
    assert list(soundness._runs(accounts)) == runs


@in_one_world("sequence", [-3, 0])
def test_money_before_the_first_entry_is_named(in_thin_slices: BankAccount, sequence: int) -> None:
    """With no other gap, and a balance that does not show it."""
    first = Entry.objects.get(account=in_thin_slices, sequence=1)
    with transaction.atomic():
        with everything_off():
            Entry(
                transaction=first.transaction, account=in_thin_slices, direction="credit", amount=Decimal(5),
                balance_after=Decimal(5), sequence=sequence, posted_at=first.posted_at,
            ).save()  # fmt: skip
        named = list(verification.faults())
        assert f"account {in_thin_slices.pk}: entry with sequence 1 is missing" in named[0]
        assert named == by_rows()
        transaction.set_rollback(True)


def test_a_sequence_that_breaks_exactly_between_two_slices_is_named(in_thin_slices: BankAccount) -> None:
    """Both pieces follow in themselves: only the step from one to the other does not."""
    with transaction.atomic():
        with everything_off():
            for sequence in (8, 7, 6, 5):
                run(
                    f"UPDATE {ENTRY} SET sequence = sequence + 1 WHERE account_id = %s AND sequence = %s",
                    *(in_thin_slices.pk, sequence),
                )
            run(f"UPDATE {ACCOUNT} SET last_sequence = 9 WHERE id = %s", in_thin_slices.pk)
        first = Entry.objects.get(account=in_thin_slices, sequence=6)
        named = list(verification.faults())
        assert f"account {in_thin_slices.pk}: entry with sequence 5 is missing before entry {first.pk}" in named
        assert named == by_rows()
        transaction.set_rollback(True)


def test_a_balance_that_jumps_exactly_between_two_slices_is_named(in_thin_slices: BankAccount) -> None:
    with transaction.atomic():
        with everything_off():
            for sequence in (5, 6, 7, 8):
                run(
                    f"UPDATE {ENTRY} SET balance_after = balance_after + 7 WHERE account_id = %s AND sequence = %s",
                    *(in_thin_slices.pk, sequence),
                )
            run(f"UPDATE {ACCOUNT} SET balance = balance + 7 WHERE id = %s", in_thin_slices.pk)
        named = list(verification.faults())
        assert [fault for fault in named if f"(account {in_thin_slices.pk}, sequence 5)" in fault]
        assert not [fault for fault in named if f"(account {in_thin_slices.pk}, sequence 6)" in fault]
        assert named == by_rows()
        transaction.set_rollback(True)


def test_a_movement_that_is_not_ordered_has_its_report_too(in_thin_slices: BankAccount) -> None:
    row = Transaction.objects.get(kind="fee")
    with transaction.atomic():
        with everything_off():
            run(f"DELETE FROM {REPORT} WHERE subject_id = %s", str(row.pk))
        assert list(verification.faults()) == [f"transaction {row.pk}: no audit entry reports it as it is"]
        transaction.set_rollback(True)


# --- In constant memory -------------------------------------------------------------------------------------


@pytest.fixture
def rows_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many rows each statement brings into memory."""
    counts: list[int] = []
    original = SQLCompiler.execute_sql

    def counted(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        if isinstance(found, list):
            counts.append(sum(map(len, found)))
        return found

    monkeypatch.setattr(SQLCompiler, "execute_sql", counted)
    return counts


def test_however_many_rows_there_are_few_are_in_memory(
    everyday: BankAccount, charge: Callable[..., None], rows_at_once: list[int], monkeypatch: pytest.MonkeyPatch,
    refuse_to_read_by_rows: None,
) -> None:  # fmt: skip
    monkeypatch.setattr(verification, "_ACCOUNTS", 5)
    monkeypatch.setattr(verification, "_SLICE", 20)
    monkeypatch.setattr(soundness, "_COMPARED", 30)
    monkeypatch.setattr(evidence, "_DIGESTED", 10)
    charge(everyday, 200)
    rows_at_once.clear()
    assert list(verification.faults()) == []
    assert len(rows_at_once) > 100
    # Ten movements have twenty entries.
    assert max(rows_at_once) == 20


def test_a_slice_full_of_faults_takes_no_more_memory(
    in_thin_slices: BankAccount, rows_at_once: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "_COMPARED", 100)
    with transaction.atomic():
        with everything_off(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {ENTRY} SET balance_after = sequence * sequence")
        accounts = soundness.with_ends(BankAccount.objects.all())
        rows_at_once.clear()
        unsound = soundness.not_adding_up(accounts)
        transaction.set_rollback(True)
    assert len(unsound) > 3
    # One row for each account, not for each of its entries.
    assert max(rows_at_once) <= len(accounts) < Entry.objects.count()
