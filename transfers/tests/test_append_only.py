"""Transactions and entries are written once: at model, queryset and database depth (R3.1); and the constraints behind
the ledger's own checks (R3.4)."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import BankAccount
from foundation.append_only import AppendOnlyError
from tests import acts
from tests.asvs import proves
from transfers.models import Entry, OrderState, Transaction, TransactionKind, TransferOrder

pytestmark = pytest.mark.trips_triggers
BOTH = pytest.mark.parametrize("model", [Transaction, Entry], ids=["transaction", "entry"])


@pytest.fixture(autouse=True)
def payment(alice: Any, everyday: BankAccount, bobs: BankAccount, new_key: Callable) -> TransferOrder:
    return acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal("12.00"), idempotency_key=new_key())


def rows_of(model: Any) -> list[tuple]:
    return list(model.objects.order_by("pk").values_list())


def run(sql: str, params: Any = ()) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


# --- Model --------------------------------------------------------------------------------------------------


@BOTH
def test_a_row_cannot_be_saved_again(model: Any) -> None:
    before = rows_of(model)
    row = model.objects.first()
    row.amount = Decimal("99.00")
    with pytest.raises(AppendOnlyError):
        row.save()
    with pytest.raises(AppendOnlyError):
        row.save(update_fields=["amount"])
    assert rows_of(model) == before


@BOTH
def test_a_row_cannot_be_deleted(model: Any) -> None:
    before = rows_of(model)
    with pytest.raises(AppendOnlyError):
        model.objects.first().delete()
    assert rows_of(model) == before


@BOTH
@pytest.mark.gives_ids
def test_a_new_object_with_the_key_of_an_old_row_does_not_replace_it(model: Any) -> None:
    """Django's save() would try an UPDATE first where the key is given."""
    before = rows_of(model)
    old = model.objects.first()
    values = {field.attname: getattr(old, field.attname) for field in model._meta.concrete_fields}
    with pytest.raises(IntegrityError), transaction.atomic():
        model(**values | {"amount": Decimal("99.00")}).save()
    assert rows_of(model) == before


# --- Queryset -----------------------------------------------------------------------------------------------


CHANGES: dict[str, Callable[[Any], Any]] = {
    "update": lambda rows: rows.update(amount=Decimal("99.00")),
    "delete": lambda rows: rows.delete(),
    "bulk_update": lambda rows: rows.bulk_update(list(rows), ["amount"]),
    "update_or_create": lambda rows: rows.update_or_create(pk=rows.first().pk, defaults={"amount": Decimal("99.00")}),
    "raw delete": lambda rows: rows._raw_delete("default"),
    "insert with update on conflict": lambda rows: rows.bulk_create(
        list(rows), update_conflicts=True, update_fields=["amount"], unique_fields=["pk"]
    ),
}


def test_a_queryset_cannot_change_rows(subtests: pytest.Subtests) -> None:
    for model, name, manager in product((Transaction, Entry), CHANGES, ("objects", "_base_manager")):
        with subtests.test(name, model=model.__name__, manager=manager):
            before = rows_of(model)
            with pytest.raises(AppendOnlyError):
                CHANGES[name](getattr(model, manager).all())
            assert rows_of(model) == before


# --- Database -----------------------------------------------------------------------------------------------

_DATABASE_CHANGES = {
    "update": "UPDATE {table} SET amount = 1",
    "update of nothing": "UPDATE {table} SET amount = amount",
    "delete": "DELETE FROM {table}",
}


@BOTH
@pytest.mark.parametrize("sql", _DATABASE_CHANGES.values(), ids=_DATABASE_CHANGES)
def test_the_database_refuses_raw_changes(model: Any, sql: str) -> None:
    before = rows_of(model)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(sql.format(table=model._meta.db_table))
    assert rows_of(model) == before


@proves("V16.4.2")
@BOTH
@pytest.mark.parametrize("verb", ["REPLACE INTO", "INSERT OR REPLACE INTO"])
def test_replace_does_not_bypass_the_triggers(model: Any, verb: str) -> None:
    """SQLite's REPLACE deletes without firing triggers, unless recursive_triggers is on."""
    if connection.vendor != "sqlite":
        pytest.skip("REPLACE is SQLite's own.")
    before = rows_of(model)
    table = model._meta.db_table
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(f"{verb} {table} SELECT * FROM {table}")
    assert rows_of(model) == before


@BOTH
def test_the_table_cannot_be_truncated(model: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("TRUNCATE goes round row triggers on PostgreSQL only.")
    run("SET CONSTRAINTS ALL IMMEDIATE")  # the test's own rows are not checked yet, which alone would refuse it
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(f"TRUNCATE {model._meta.db_table} CASCADE")


# --- Constraints that hold when all of our code is wrong ------------------------------------------------------


def test_no_customers_balance_falls_below_what_is_held_or_below_zero(everyday: BankAccount) -> None:
    """R3.4."""
    table = BankAccount._meta.db_table
    for change in ("balance = -1", "held = balance + 1", "held = -1"):
        with pytest.raises(IntegrityError), transaction.atomic():
            run(f"UPDATE {table} SET {change} WHERE id = %s", [everyday.pk])
    run(f"UPDATE {table} SET held = balance WHERE id = %s", [everyday.pk])


def test_the_banks_own_accounts_may_be_below_zero() -> None:
    run(f"UPDATE {BankAccount._meta.db_table} SET balance = -1 WHERE ledger_code = 'fees'")
    assert BankAccount.objects.get(ledger_code="fees").balance == Decimal("-0.01")


@pytest.mark.parametrize(
    "change",
    ["owner_id = NULL", "number = NULL", "kind = 'cash'", "ledger_code = 'x'", "kind = 'gold'", "status = 'gone'"],
)
def test_a_customers_account_has_an_owner_a_number_and_a_known_status(everyday: BankAccount, change: str) -> None:
    """R2.3."""
    with pytest.raises(IntegrityError), transaction.atomic():
        run(f"UPDATE {BankAccount._meta.db_table} SET {change} WHERE id = %s", [everyday.pk])


def test_two_entries_of_an_account_cannot_have_one_sequence(everyday: BankAccount) -> None:
    """R3.4: a lost update or a double spend breaks a constraint, not the bank."""
    first = Entry.objects.filter(account=everyday).first()
    assert first is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry(
            transaction=first.transaction,
            account=everyday,
            direction="credit",
            amount=Decimal(1),
            balance_after=Decimal(1),
            sequence=first.sequence,
            posted_at=timezone.now(),
        ).save()


@pytest.mark.parametrize("amount", [Decimal(0), Decimal("-0.01")])
def test_an_amount_of_the_ledger_is_positive(alice: Any, everyday: BankAccount, amount: Decimal) -> None:
    """R3.2."""
    first = Transaction.objects.first()
    assert first is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry(
            transaction=first,
            account=everyday,
            direction="credit",
            amount=amount,
            balance_after=Decimal(1),
            sequence=99,
            posted_at=timezone.now(),
        ).save()
    values = {field.attname: getattr(first, field.attname) for field in Transaction._meta.concrete_fields}
    other = {"id": "0" * 31 + "1", "reference": "X", "kind": TransactionKind.FEE.value, "amount": amount}
    with pytest.raises(IntegrityError), transaction.atomic():
        Transaction(**values | other).save()


def test_an_order_is_completed_exactly_when_it_has_a_transaction(payment: TransferOrder) -> None:
    """R3.1, R3.14."""
    orders = TransferOrder.objects.filter(pk=payment.pk)
    for state in (OrderState.HELD, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED):
        with pytest.raises(IntegrityError), transaction.atomic():
            orders.update(state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        orders.update(transaction=None)
    orders.update(state=OrderState.HELD, transaction=None)
    orders.update(state=OrderState.CANCELLED)
    orders.update(state=OrderState.EXPIRED)


def test_two_orders_cannot_share_a_transaction_or_a_key(payment: TransferOrder) -> None:
    """R3.5."""
    other = TransferOrder.objects.exclude(pk=payment.pk).filter(initiator=payment.initiator).first()
    assert other is not None
    for column in ("transaction_id", "key_digest"):
        with pytest.raises(IntegrityError), transaction.atomic():
            TransferOrder.objects.filter(pk=other.pk).update(**{column: getattr(payment, column)})
