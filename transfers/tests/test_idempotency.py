"""A request that arrives twice is carried out once (R3.5)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.ledger.posting import InsufficientFunds
from transfers.models import TransferOrder
from transfers.orders import cash

KEY = "the-same-key"


@pytest.fixture
def send(alice: Any, everyday: BankAccount, bobs: BankAccount) -> Callable[..., TransferOrder]:
    def transfer(**changes: Any) -> TransferOrder:
        arguments = {
            "actor": alice,
            "source": everyday,
            "target": bobs,
            "amount": Decimal("10.00"),
            "description": "Lunch",
            "idempotency_key": KEY,
        }
        return acts.transfer(**arguments | changes)

    return transfer


def test_the_same_key_and_inputs_return_the_same_order_and_move_nothing(send: Callable, books: Callable) -> None:
    first = send()
    before, entries = books(), AuditEntry.objects.count()
    for _ in range(3):
        again = send()
        assert (again.pk, again.public_id, again.transaction_id) == (first.pk, first.public_id, first.transaction_id)
    assert books() == before
    assert AuditEntry.objects.count() == entries


def test_a_retry_is_answered_even_when_the_money_is_gone_or_the_account_frozen(
    send: Callable, everyday: BankAccount, freeze: Callable, books: Callable
) -> None:
    first = send(amount=Decimal(100))
    freeze(everyday)
    before = books()
    assert send(amount=Decimal(100)).pk == first.pk
    assert books() == before


@proves("V2.3.3")
@in_one_world("what", ["amount", "description", "source", "target", "both sides"])
def test_the_same_key_with_other_inputs_is_refused(
    send: Callable, savings: BankAccount, everyday: BankAccount, books: Callable, what: str
) -> None:
    send()
    before = books()
    all_changes: dict[str, dict[str, Any]] = {
        "amount": {"amount": Decimal("10.01")},
        "description": {"description": "lunch"},
        "source": {"source": savings},
        "target": {"target": savings},
        "both sides": {"source": savings, "target": everyday},
    }
    with pytest.raises(IdempotencyConflict):
        send(**all_changes[what])
    assert books() == before
    last = AuditEntry.objects.order_by("pk").last()
    assert last is not None
    assert (last.action, last.details["reason"]) == ("TRANSFER_REFUSED", "idempotency_conflict")


def test_a_key_of_a_deposit_is_not_a_key_of_a_withdrawal(
    alice: Any, everyday: BankAccount, send: Callable, books: Callable
) -> None:
    """Even with the same account and amount."""
    arguments = {"actor": alice, "account": everyday, "amount": Decimal("10.00"), "idempotency_key": KEY}
    order = cash.deposit(**arguments)
    before = books()
    with pytest.raises(IdempotencyConflict):
        cash.withdraw(**arguments)
    with pytest.raises(IdempotencyConflict):
        send()
    assert cash.deposit(**arguments).pk == order.pk
    assert books() == before


def test_another_customers_same_key_is_another_key(
    alice: Any, bob: Any, send: Callable, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    first = send()
    second = send(actor=bob, source=bobs, target=everyday)
    assert first.pk != second.pk
    assert first.key_digest == second.key_digest
    assert [balance_of(everyday), balance_of(bobs)] == [Decimal(100), Decimal(0)]


def test_a_refused_request_can_be_tried_again_with_its_key(
    send: Callable, alice: Any, everyday: BankAccount, new_key: Callable, balance_of: Callable
) -> None:
    """It had no result, so nothing is returned for it."""
    with pytest.raises(InsufficientFunds):
        send(amount=Decimal(150))
    cash.deposit(actor=alice, account=everyday, amount=Decimal(50), idempotency_key=new_key())
    send(amount=Decimal(150))
    assert balance_of(everyday) == 0


def test_only_a_digest_of_the_key_is_kept(send: Callable) -> None:
    """It is a client's text, and may be long or revealing."""
    key = "order 4711 for my@address.example " * 5
    order = send(idempotency_key=key)
    assert len(order.key_digest) == 64
    assert key not in str(TransferOrder.objects.filter(pk=order.pk).values())


def test_a_finished_order_is_answered_whatever_the_limits_and_rules_say_now(
    alice: Any, bob: Any, open_account: Any, new_key: Any, settings: Any
) -> None:
    """R3.5: a retry a minute later, with the minute full of others, is told about its order, not about a limit."""
    mine, theirs, key, paid_in = open_account(alice, "100.00"), open_account(bob), new_key(), new_key()
    pay = {"actor": alice, "source": mine, "target": theirs, "amount": Decimal("1.00")}
    put = {"actor": alice, "account": mine, "amount": Decimal("5.00"), "idempotency_key": paid_in}
    first, deposited = acts.transfer(**pay, idempotency_key=key), cash.deposit(**put)
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        for _ in range(settings.TRANSFERS_PER_MINUTE):
            acts.transfer(**pay, idempotency_key=new_key())
        assert acts.transfer(**pay, idempotency_key=key) == first
        settings.SELF_SERVICE_CASH = False
        assert cash.deposit(**put) == deposited
    assert not AuditEntry.objects.filter(action__endswith="_REFUSED").exists()
