"""Held orders when everything happens at once (R3.4, R3.5, R3.10)."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests.acts import at_once
from tests.asvs import proves
from tests.funds import funds
from tests.staff_acts import REASON
from transfers.ledger import verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, FraudAlert, TransferOrder
from transfers.orders.holds import DecidedAlready, release_order

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_minute_limits"),
]


def test_twenty_tries_at_one_payment_hold_one_order(household: BankAccount, pay: Callable) -> None:
    results = at_once(*[lambda: pay("12345.67", idempotency_key="the same key")] * 20)
    order = TransferOrder.objects.get(kind="payment")
    assert results == [order] * 20
    assert funds(household) == (Decimal("20000.00"), Decimal("7654.33"))
    assert CustomerLimit.objects.get(user__first_name="Alice").used == Decimal("12345.67")
    assert AuditEntry.objects.filter(action="TRANSFER_HELD").count() == 1
    assert FraudAlert.objects.count() == 2
    assert list(verification.faults()) == []


def test_one_of_two_payments_for_the_same_money_is_held(household: BankAccount, pay: Callable, settings: Any) -> None:
    settings.DAILY_TRANSFER_LIMIT = Decimal(10**6)
    results = at_once(lambda: pay("12000.00"), lambda: pay("12000.00"))
    assert sorted(type(result).__name__ for result in results) == ["InsufficientFunds", "TransferOrder"]
    assert funds(household) == (Decimal("20000.00"), Decimal("8000.00"))
    results = at_once(*[lambda: pay("8000.00")] * 2)
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 1
    assert funds(household) == (Decimal("12000.00"), Decimal(0))


@proves("V2.3.5")
def test_ten_clerks_release_it_once(
    household: BankAccount, bobs: BankAccount, make_user: Callable, held: TransferOrder
) -> None:
    from accounts.roles import Role

    clerks = [make_user(f"Clerk{number}", Role.SUPPORT) for number in range(10)]
    results = at_once(*(lambda clerk=clerk: release_order(actor=clerk, order=held, reason=REASON) for clerk in clerks))
    assert Counter(type(result) for result in results) == {TransferOrder: 1, DecidedAlready: 9}
    assert funds(bobs) == (held.amount, held.amount)
