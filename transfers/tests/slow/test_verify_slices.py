"""A fault anywhere in a slice: `verify_ledger` names it as reading every row by itself would (R3.1)."""

from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation import slices
from foundation.money import to_minor
from foundation.slices import ranges
from tests.tables import in_one_world
from tests.unguarded import everything_off, not_on_sql_server
from transfers.ledger import evidence, row_by_row, verification
from transfers.models import Entry, Transaction, TransferOrder
from transfers.tests.test_verify_slices import ACCOUNT, ENTRY, REPORT, by_rows, run

pytestmark = not_on_sql_server

TRANSACTION, ORDER = Transaction._meta.db_table, TransferOrder._meta.db_table


def key(row: Any) -> Any:
    return row._meta.pk.get_db_prep_value(row.pk, connection)


# The pieces of the account are 1 to 4 and 5 to 8: the ends of the account and of both pieces.
@in_one_world("sequence", [1, 4, 5, 8])
@in_one_world(
    "change",
    [
        "amount = amount + 1",
        "balance_after = balance_after - 1",
        "direction = CASE direction WHEN 'debit' THEN 'credit' ELSE 'debit' END",
        "direction = 'aside'",
        "sequence = sequence + 100",
        "sequence = -sequence",
        "transaction_id = 'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0'",
        "account_id = 987654",
        "DELETE",
    ],
)
def test_an_entry_at_the_edge_of_a_slice_is_named_as_by_rows(
    in_thin_slices: BankAccount, sequence: int, change: str
) -> None:
    entry = Entry.objects.get(account=in_thin_slices, sequence=sequence)
    with transaction.atomic():
        with everything_off():
            statement = f"DELETE FROM {ENTRY}" if change == "DELETE" else f"UPDATE {ENTRY} SET {change}"
            run(f"{statement} WHERE id = %s", entry.pk)
        named = by_rows()
        assert named != []
        assert list(verification.faults()) == named
        transaction.set_rollback(True)


@in_one_world(
    "change",
    [
        "balance = balance + 1",
        "last_sequence = last_sequence - 1",
        "last_sequence = last_sequence + 1000000000",
        "last_sequence = 0",
        "held = 1",
        "kind = 'cash'",
        "number_digest = NULL",
        "number = 'garbage'",
    ],
)
def test_an_account_at_either_end_of_a_slice_is_named_as_by_rows(in_thin_slices: BankAccount, change: str) -> None:
    ends = [end for slice_ in ranges(BankAccount.objects.all(), size=2) for end in slice_ if end]
    customers = BankAccount.objects.filter(owner__isnull=False).order_by("pk")
    for account in customers:
        with transaction.atomic():
            with everything_off():
                run(f"UPDATE {ACCOUNT} SET {change} WHERE id = %s", account.pk)
            named = by_rows()
            assert named != []
            assert list(verification.faults()) == named
            transaction.set_rollback(True)
    assert {account.pk for account in customers} & set(ends)
    assert {account.pk for account in customers} - set(ends)


@in_one_world(
    ("table", "change"),
    [
        (TRANSACTION, "amount = amount + 1"),
        (TRANSACTION, "kind = 'fee'"),
        (TRANSACTION, "kind = 'it''s \"odd\"'"),
        (TRANSACTION, "description = 'something else'"),
        (TRANSACTION, "created_at = '2020-01-01 00:00:00'"),
        (TRANSACTION, "DELETE"),
        (ORDER, "DELETE"),
        (ORDER, "transaction_id = NULL"),
        (ORDER, "state = 'held'"),
        (ORDER, "amount = amount + 1"),
        (ORDER, "target_id = source_id"),
        (REPORT, "DELETE"),
        (REPORT, "evidence_digest = 'f'"),
        (REPORT, "subject_id = UPPER(subject_id)"),
    ],
)
def test_a_movement_anywhere_in_a_slice_is_named_as_by_rows(
    in_thin_slices: BankAccount, table: str, change: str
) -> None:
    """The first three: both ends of a batch of digests, and both of a slice."""
    for row in Transaction.objects.order_by("pk")[:3]:
        order = TransferOrder.objects.get(transaction=row)
        pk = {
            TRANSACTION: key(row),
            ORDER: order.pk,
            REPORT: AuditEntry.objects.get(subject_id=str(order.public_id)).pk,
        }[table]
        with transaction.atomic():
            with everything_off():
                statement = f"DELETE FROM {table}" if change == "DELETE" else f"UPDATE {table} SET {change}"
                run(f"{statement} WHERE id = %s", pk)
            named = by_rows()
            assert named != []
            assert sorted(verification.faults()) == sorted(named)
            transaction.set_rollback(True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Elsewhere the sum is wider, or ends the test's transaction.")
@in_one_world("table", [ENTRY, TRANSACTION])
def test_amounts_that_no_column_can_add_up_are_named_all_the_same(in_thin_slices: BankAccount, table: str) -> None:
    with transaction.atomic():
        with everything_off(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET amount = 9223372036854775807")
        named = by_rows()
        assert sorted(verification.faults()) == sorted(named)
        transaction.set_rollback(True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite keeps any text for an id.")
def test_a_broken_id_ends_it_after_the_rows_before_were_named(
    in_thin_slices: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "BATCH", 3)
    first, *_, last = Transaction.objects.order_by("pk")
    with transaction.atomic():
        with everything_off():
            run(f"UPDATE {TRANSACTION} SET amount = amount + 1 WHERE id = %s", key(first))
            run(f"UPDATE {TRANSACTION} SET id = 'garbage' WHERE id = %s", key(last))
        named: list[str] = []
        with pytest.raises(ValueError, match="UUID"):
            named.extend(verification.faults())
        assert any(fault.startswith(f"transaction {first.pk}: its amount is") for fault in named)
        transaction.set_rollback(True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite keeps a text where a number belongs.")
def test_a_text_in_a_column_of_numbers_does_not_pass_for_more_columns(in_thin_slices: BankAccount) -> None:
    """One row that says what two rows said, in exactly the words of their digest."""
    row = Transaction.objects.filter(entries__account=in_thin_slices).order_by("pk")[1]
    first, second = Entry.objects.filter(transaction=row).order_by("account_id")
    both = (
        f'{first.sequence}], [{second.account_id}, "{second.direction}", {to_minor(second.amount)}, '
        f"{to_minor(second.balance_after)}, {second.sequence}"
    )
    with transaction.atomic():
        with everything_off():
            run(f"DELETE FROM {ENTRY} WHERE id = %s", second.pk)
            run(f"UPDATE {ENTRY} SET sequence = %s WHERE id = %s", both, first.pk)
        pieces = list(evidence.slices(None, row.pk))
        assert not pieces[-1].is_sound
        assert f"transaction {row.pk}: no audit entry reports it as it is" in by_rows_of(row)
        transaction.set_rollback(True)


def by_rows_of(row: Transaction) -> list[str]:
    rows = Transaction.objects.filter(pk=row.pk)
    return list(row_by_row.faults_of_transactions(rows, lambda count: None))
