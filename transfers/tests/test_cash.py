"""Cash in and out of a customer's own account (R3.2)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AccountKind, BankAccount
from audit.models import AuditEntry
from tests.tables import in_one_world
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import Entry, TransferOrder
from transfers.orders import cash


@pytest.fixture
def deposit(alice: Any, everyday: BankAccount, new_key: Callable) -> Callable[..., TransferOrder]:
    def pay_in(amount: str, **kwargs: Any) -> TransferOrder:
        kwargs.setdefault("idempotency_key", new_key())
        return cash.deposit(actor=alice, account=everyday, amount=Decimal(amount), **kwargs)

    return pay_in


@pytest.fixture
def withdraw(alice: Any, everyday: BankAccount, new_key: Callable) -> Callable[..., TransferOrder]:
    def take_out(amount: str, **kwargs: Any) -> TransferOrder:
        kwargs.setdefault("idempotency_key", new_key())
        return cash.withdraw(actor=alice, account=everyday, amount=Decimal(amount), **kwargs)

    return take_out


def cash_in_the_bank() -> Decimal:
    return sum(BankAccount.objects.filter(kind=AccountKind.CASH).values_list("balance", flat=True), Decimal(0))


def test_a_deposit_adds_to_the_account_and_to_the_banks_cash(
    deposit: Callable, everyday: BankAccount, balance_of: Callable
) -> None:
    """R3.1, R3.2."""
    before = cash_in_the_bank()
    order = deposit("20.50", description="Birthday")
    assert balance_of(everyday) == Decimal("120.50")
    assert cash_in_the_bank() == before + Decimal("20.50")
    assert (order.kind, order.transaction.kind, order.target) == ("deposit", "deposit", everyday)
    assert order.source.kind == AccountKind.CASH


def test_a_withdrawal_takes_from_the_account_and_from_the_banks_cash(
    withdraw: Callable, everyday: BankAccount, balance_of: Callable
) -> None:
    """R3.1, R3.2."""
    before = cash_in_the_bank()
    order = withdraw("20.50")
    assert balance_of(everyday) == Decimal("79.50")
    assert cash_in_the_bank() == before - Decimal("20.50")
    assert (order.kind, order.transaction.kind, order.source) == ("withdrawal", "withdrawal", everyday)


def test_deposits_and_withdrawals_are_audited_and_nobody_is_mailed(
    alice: Any, deposit: Callable, withdraw: Callable, books: Callable
) -> None:
    """R6.1, R3.8."""
    messages, entries = books().messages, AuditEntry.objects.count()
    deposit("1.00")
    withdraw("2.00")
    assert books().messages == messages
    written = AuditEntry.objects.order_by("pk")[entries:]
    assert [(entry.action, entry.actor_id, entry.details["amount"]) for entry in written] == [
        ("DEPOSIT_CREATED", alice.pk, "1.00"),
        ("WITHDRAWAL_CREATED", alice.pk, "2.00"),
    ]


def test_an_account_always_works_with_the_same_cash_row_and_neighbours_with_others(
    alice: Any, open_account: Callable, deposit: Callable, withdraw: Callable
) -> None:
    """Deposits of different customers do not queue on one lock."""
    assert deposit("1.00").source == withdraw("1.00").target
    accounts = [open_account(alice) for _ in range(cash.CASH_SHARDS)]
    assert len({cash.cash_account_for(account).pk for account in accounts}) == cash.CASH_SHARDS


def test_no_more_than_is_available_can_be_withdrawn(
    withdraw: Callable, everyday: BankAccount, hold: Callable, books: Callable
) -> None:
    """R3.3."""
    hold(everyday, "10.00")
    before = books()
    with pytest.raises(InsufficientFunds):
        withdraw("90.01")
    assert books() == before
    withdraw("90.00")


@in_one_world("kind", ["deposit", "withdraw"])
def test_no_cash_moves_on_a_frozen_account(
    kind: str, deposit: Callable, withdraw: Callable, everyday: BankAccount, freeze: Callable, books: Callable
) -> None:
    """R2.3: deposits to a frozen one included."""
    freeze(everyday)
    before, entries = books(), AuditEntry.objects.count()
    with pytest.raises(AccountNotActive):
        {"deposit": deposit, "withdraw": withdraw}[kind]("1.00")
    assert books() == before
    last = AuditEntry.objects.order_by("pk").last()
    assert last is not None
    assert AuditEntry.objects.count() == entries + 1
    assert last.action == {"deposit": "DEPOSIT_REFUSED", "withdraw": "WITHDRAWAL_REFUSED"}[kind]
    assert last.subject_id == str(everyday.public_id)
    assert last.details["reason"] == "account_not_active"


@in_one_world("kind", ["deposit", "withdraw"])
def test_cash_moves_at_the_counter_only_when_self_service_is_off(
    kind: str, deposit: Callable, withdraw: Callable, settings: Any, books: Callable
) -> None:
    """R3.2."""
    before = books()
    settings.SELF_SERVICE_CASH = False
    with pytest.raises(cash.CashOnlyAtTheCounter):
        {"deposit": deposit, "withdraw": withdraw}[kind]("1.00")
    assert books() == before
    last = AuditEntry.objects.order_by("pk").last()
    assert last is not None
    assert last.details["reason"] == "cash_only_at_the_counter"


def test_the_entries_of_an_account_add_up_to_its_balance(
    deposit: Callable, withdraw: Callable, everyday: BankAccount, balance_of: Callable
) -> None:
    """R3.1."""
    for amount in ("0.10", "0.20", "0.70"):
        deposit(amount)
    withdraw("1.00")
    entries = Entry.objects.filter(account=everyday).order_by("sequence")
    signed = [entry.amount if entry.direction == "credit" else -entry.amount for entry in entries]
    assert sum(signed) == balance_of(everyday) == Decimal("100.00")
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
