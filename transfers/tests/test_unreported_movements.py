"""`manage.py verify_ledger` names movements that are not in the audit log, or more than once (R6.3).

Rows that fit together, written by an intruder with a login to the database, look like a payment; but nobody ordered it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AccountKind, BankAccount
from audit.models import AuditEntry
from audit.sealing import seal
from audit.verification import faults as faults_of_the_log
from tests import acts
from tests.asvs import proves
from tests.plugin import triggers_off
from tests.staff_acts import REASON, an_origin, fresh_code
from transfers.accounts import opening
from transfers.ledger import posting as ledger
from transfers.ledger import verification
from transfers.models import OrderKind, Transaction, TransactionKind
from transfers.orders import cash, holds, placing, reversals

pytestmark = pytest.mark.django_db


def moved(source: BankAccount, target: BankAccount, kind: TransactionKind) -> Transaction:
    """Move money as an intruder who keeps every rule of the ledger and tells nobody."""
    with transaction.atomic():
        posting = ledger.post(
            kind=kind,
            legs=ledger.transfer_legs(debit=source.pk, credit=target.pk, amount=Decimal(40)),
            initiated_by=target.owner,  # type: ignore[arg-type]
            at=timezone.now(),
        )
    return Transaction.objects.get(pk=posting.transaction_id)


def test_every_movement_of_the_bank_is_reported_once(
    alice: Any, bob: Any, sam: Any, ada: Any, household: BankAccount, savings: BankAccount, bobs: BankAccount,
    new_key: Callable, open_account: Callable, no_minute_limits: None,
) -> None:  # fmt: skip
    made: dict[str, Any] = {"actor": alice, "amount": Decimal("7.77")}
    cash.deposit(account=household, idempotency_key=new_key(), **made)
    cash.withdraw(account=household, idempotency_key=new_key(), **made)
    acts.transfer(source=household, target=savings, idempotency_key=new_key(), **made)
    paid = acts.transfer(source=household, target=bobs, idempotency_key=new_key(), **made)
    other = open_account(alice, "10001.00")
    waiting, rejected = (
        acts.transfer(actor=alice, amount=Decimal(10_001), source=source, target=bobs, idempotency_key=new_key())
        for source in (household, other)
    )
    holds.release_order(actor=sam, order=waiting, reason=REASON)
    holds.reject_order(actor=sam, order=rejected, reason=REASON)
    cancelled = acts.transfer(actor=alice, amount=Decimal(10_001), source=other, target=bobs, idempotency_key=new_key())
    holds.cancel_order(actor=alice, order=cancelled)
    reversals.reverse_transaction(actor=ada, transaction=paid.transaction, reason=REASON)
    brought = cash.deposit_at_counter(actor=sam, account=bobs, amount=Decimal(5000), idempotency_key=new_key())
    holds.release_order(actor=ada, order=brought, reason=REASON)
    for amount in ("20.00", "1500.00"):
        order = cash.withdraw_at_counter(
            origin=an_origin(), actor=sam, account=bobs, amount=Decimal(amount), customer_code=fresh_code(bob),
            idempotency_key=new_key(),
        )  # fmt: skip
    holds.release_order(actor=ada, order=order, reason=REASON)
    opening.open_account(
        actor=ada, owner=bob, kind=AccountKind.SAVINGS, opening_deposit=Decimal(5), reason=REASON,
        idempotency_key=new_key(),
    )  # fmt: skip
    assert {row.kind for row in Transaction.objects.all()} == {"deposit", "withdrawal", "transfer", "reversal"}
    assert list(verification.faults()) == []
    seal()
    assert list(faults_of_the_log()) == []


@proves("V16.4.2")
def test_a_payment_that_nobody_reported_is_named_whatever_its_rows_say(
    alice: Any, household: BankAccount, bobs: BankAccount
) -> None:
    row = moved(household, bobs, TransactionKind.TRANSFER)
    order = placing.Instruction(
        kind=OrderKind.OWN_TRANSFER,
        actor=alice,
        source=household,
        target=bobs,
        amount=row.amount,
        idempotency_key="never asked for",
        at=row.created_at,
    ).as_order()
    order.state, order.transaction = "posted", row
    order.save()
    seal()
    assert list(faults_of_the_log()) == [], "the log cannot know of it"
    assert list(verification.faults()) == [f"transaction {row.pk}: no audit entry reports it as it is"]


@pytest.mark.parametrize("kind", [TransactionKind.REVERSAL, TransactionKind.INTEREST, TransactionKind.FEE])
def test_so_is_what_has_no_order(kind: TransactionKind, household: BankAccount, bobs: BankAccount) -> None:
    row = moved(household, bobs, kind)
    assert list(verification.faults()) == [f"transaction {row.pk}: no audit entry reports it as it is"]


def test_a_lost_order_is_one_fault_not_two(household: BankAccount, bobs: BankAccount) -> None:
    row = moved(household, bobs, TransactionKind.TRANSFER)
    assert list(verification.faults()) == [f"transaction {row.pk}: its order is missing"]


def test_a_report_about_something_else_or_of_something_else_does_not_count(pay: Callable) -> None:
    order = pay("10.00")
    report = AuditEntry.objects.get(subject_id=str(order.public_id))
    complaint = [f"transaction {order.transaction_id}: no audit entry reports it as it is"]
    for change in ("subject_id = 'elsewhere'", "subject_type = 'parcel'", "evidence_digest = 'f'"):
        with transaction.atomic():
            with triggers_off(AuditEntry), connection.cursor() as cursor:
                cursor.execute(f"UPDATE {AuditEntry._meta.db_table} SET {change} WHERE id = %s", [report.pk])
            assert list(verification.faults()) == complaint
            transaction.set_rollback(True)
    assert list(verification.faults()) == []


def test_a_report_that_was_copied_is_named(pay: Callable) -> None:
    """With other words beside the true digest, it would be read as a second payment."""
    order = pay("10.00")
    copy = AuditEntry.objects.get(subject_id=str(order.public_id))
    copy.pk, copy._state.adding, copy.details = None, True, {"amount": "999999"}
    copy.save()
    assert list(verification.faults()) == [f"transaction {order.transaction_id}: 2 audit entries report it"]


def test_a_batch_costs_a_statement_for_each_type_of_subject(pay: Callable, ada: Any) -> None:
    orders_made = [pay("1.00") for _ in range(4)]
    reversals.reverse_transaction(actor=ada, transaction=orders_made[0].transaction, reason=REASON)
    with CaptureQueriesContext(connection) as captured:
        assert list(verification.faults()) == []
    asked = [query["sql"] for query in captured if AuditEntry._meta.db_table in query["sql"]]
    assert len(asked) == 2
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked[0]}")
            assert "audit_subject (subject_type=? AND subject_id=?)" in str(cursor.fetchall())


def test_an_altered_transaction_no_longer_has_its_report(pay: Callable) -> None:
    order = pay("10.00")
    with triggers_off(Transaction), connection.cursor() as cursor:
        pk = Transaction._meta.pk.get_db_prep_value(order.transaction_id, connection)
        cursor.execute(f"UPDATE {Transaction._meta.db_table} SET description = 'Rent' WHERE id = %s", [pk])
    assert list(verification.faults()) == [f"transaction {order.transaction_id}: no audit entry reports it as it is"]
