"""`manage.py verify_audit_log` finds a ledger that was rewritten consistently, with its balances (R6.3)."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BankAccount
from audit.models import AuditEntry
from audit.sealing import seal
from tests import acts
from tests.plugin import triggers_off
from tests.tables import in_one_world
from transfers.ledger import evidence, verification
from transfers.models import Entry, Transaction, TransferOrder
from transfers.orders import cash


def verify() -> str:
    output = StringIO()
    call_command("verify_audit_log", stdout=output, stderr=output)
    return output.getvalue()


def found() -> str:
    output = StringIO()
    with pytest.raises(CommandError, match="was tampered with"):
        call_command("verify_audit_log", "--all", stdout=output, stderr=output)
    return output.getvalue().strip()


def run(sql: str, *params: Any) -> None:
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def reported(order: TransferOrder) -> AuditEntry:
    return AuditEntry.objects.get(subject_id=str(order.public_id))


def key(row: Any) -> Any:
    return row._meta.pk.get_db_prep_value(row.pk, connection)


@pytest.fixture
def orders(
    alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> list[TransferOrder]:
    """One of each kind, sealed."""
    made = {"actor": alice, "amount": Decimal("7.77")}
    done = [
        cash.deposit(account=everyday, idempotency_key=new_key(), **made),
        acts.transfer(source=everyday, target=savings, idempotency_key=new_key(), **made),
        acts.transfer(source=everyday, target=bobs, description="Übung “1”", idempotency_key=new_key(), **made),
        cash.withdraw(account=everyday, idempotency_key=new_key(), **made),
    ]
    seal()
    return done


def test_an_honest_ledger_is_as_reported(orders: list[TransferOrder]) -> None:
    assert "The audit log is as it was sealed" in verify()


def test_a_ledger_rewritten_together_with_its_balances_is_named(
    orders: list[TransferOrder], everyday: BankAccount
) -> None:
    """A deposit that was ten times as large, with all its consequences: the rows fit together."""
    order = orders[0]
    more = 9 * 777
    run(f"UPDATE {Transaction._meta.db_table} SET amount = amount + {more} WHERE id = %s", key(order.transaction))
    run(f"UPDATE {TransferOrder._meta.db_table} SET amount = amount + {more} WHERE id = %s", order.pk)
    for entry in Entry.objects.filter(transaction=order.transaction):
        run(f"UPDATE {Entry._meta.db_table} SET amount = amount + {more} WHERE id = %s", entry.pk)
        run(
            f"UPDATE {Entry._meta.db_table} SET balance_after = balance_after + {more} "
            "WHERE account_id = %s AND sequence >= %s",
            *(entry.account_id, entry.sequence),
        )
        run(f"UPDATE {BankAccount._meta.db_table} SET balance = balance + {more} WHERE id = %s", entry.account_id)
    assert {fault.partition(": ")[2] for fault in verification.faults()} == {"no audit entry reports it as it is"}
    named = found().splitlines()
    assert f"entry {reported(order).pk} (" in named[0]
    assert named[0].endswith(
        f"reports what is not so: transaction {order.transaction_id} or its entries were rewritten"
    )


@in_one_world(
    "change",
    [
        "amount = amount + 1",
        "description = 'something else'",
        "kind = 'fee'",
        "reference = '0000-0000-0000'",
        "created_at = '2020-01-01 00:00:00'",
    ],
)
def test_an_altered_transaction_is_named(orders: list[TransferOrder], change: str) -> None:
    order = orders[2]
    run(f"UPDATE {Transaction._meta.db_table} SET {change} WHERE id = %s", key(order.transaction))
    assert f"entry {reported(order).pk} (" in found()
    assert len(found().splitlines()) == 1


@in_one_world("change", ["amount = amount + 1", "balance_after = balance_after + 1"])
def test_an_altered_ledger_entry_is_named(orders: list[TransferOrder], change: str) -> None:
    entry = Entry.objects.filter(transaction=orders[1].transaction).first()
    assert entry is not None
    run(f"UPDATE {Entry._meta.db_table} SET {change} WHERE id = %s", entry.pk)
    assert f"entry {reported(orders[1]).pk} (" in found()
    assert len(found().splitlines()) == 1


def test_a_deleted_ledger_entry_is_named(orders: list[TransferOrder]) -> None:
    entry = Entry.objects.filter(transaction=orders[1].transaction).first()
    assert entry is not None
    run(f"DELETE FROM {Entry._meta.db_table} WHERE id = %s", entry.pk)
    assert found().endswith(f"transaction {orders[1].transaction_id} or its entries were rewritten")


def test_an_order_that_is_gone_or_points_elsewhere_is_named(orders: list[TransferOrder]) -> None:
    first, second = orders[1], orders[2]
    run(f"DELETE FROM {TransferOrder._meta.db_table} WHERE id = %s", second.pk)
    run(
        f"UPDATE {TransferOrder._meta.db_table} SET transaction_id = %s WHERE id = %s",
        *(key(second.transaction), first.pk),
    )
    named = found().splitlines()
    assert named[0].endswith(f"transaction {second.transaction_id} or its entries were rewritten")
    assert named[1].endswith(f"order {second.public_id} or its transaction is missing")
    assert len(named) == 2


def test_an_order_without_its_transaction_is_named(orders: list[TransferOrder]) -> None:
    TransferOrder.objects.filter(pk=orders[0].pk).update(state="held", transaction=None)
    assert found().endswith(f"order {orders[0].public_id} or its transaction is missing")


def test_a_batch_costs_three_statements(orders: list[TransferOrder]) -> None:
    entries = list(AuditEntry.objects.exclude(evidence_digest=""))
    assert len(entries) > len(orders)
    with CaptureQueriesContext(connection) as queries:
        assert evidence.faults(entries) == {}
    assert len(queries) == 3


# --- Entries that no bank of ours wrote ---------------------------------------------------------------------


@in_one_world("subject_type", ["transferorder", "transaction"])
@in_one_world(
    "subject_id", ["", "garbage", "'", "0" * 64, "{0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f}", "0F" * 16, "١" * 32]
)
def test_a_planted_entry_does_not_keep_others_from_being_named(
    orders: list[TransferOrder], subject_type: str, subject_id: str
) -> None:
    planted = AuditEntry(
        action="TRANSFER_CREATED",
        actor_label="x",
        subject_type=subject_type,
        subject_id=subject_id,
        evidence_digest="0" * 64,
    )
    planted.save()
    seal()
    altered = [reported(orders[1]), reported(orders[3])]
    run(f"UPDATE {AuditEntry._meta.db_table} SET action = 'LOGOUT' WHERE id = %s", altered[0].pk)
    run(f"UPDATE {Transaction._meta.db_table} SET amount = amount + 1 WHERE id = %s", key(orders[3].transaction))
    named = found().splitlines()
    assert [line.split()[1] for line in named] == [str(row.pk) for row in (*altered, planted)]
    assert named[0].endswith("is not as it was sealed")
    assert named[1].endswith(f"transaction {orders[3].transaction_id} or its entries were rewritten")
    assert named[2].endswith("reports what is not so: its subject is no id")


def test_a_planted_entry_about_no_transaction_is_named(orders: list[TransferOrder]) -> None:
    nobodys = "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
    AuditEntry(action="TRANSFER_REVERSED", subject_type="transaction", subject_id=nobodys, evidence_digest="0").save()
    seal()
    assert found().endswith(f"reports what is not so: transaction {nobodys} is missing")
