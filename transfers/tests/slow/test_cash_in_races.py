"""Cash in when everything happens at once: the ceiling is exact, and a held deposit has one outcome (R3.2, R3.4)."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db.models import Sum

from accounts.models import AccountKind, BankAccount
from accounts.roles import Role
from tests.acts import at_once
from tests.asvs import proves
from tests.staff_acts import REASON
from transfers.accounts import closing, opening
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive
from transfers.models import CustomerLimit, OrderState, TransferOrder
from transfers.orders import cash
from transfers.orders.holds import DecidedAlready, reject_order, release_order
from transfers.orders.limits import CashInLimitReached

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_minute_limits"),
]


def paid_in(customer: Any) -> Decimal:
    """Return what is on all accounts of the customer."""
    return BankAccount.objects.filter(owner=customer).aggregate(total=Sum("balance"))["total"]


def outcomes(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


@proves("V2.3.2")
def test_the_ceiling_is_exact_over_accounts_and_openings_at_once(
    alice: Any, open_account: Callable, new_key: Callable
) -> None:
    """Twenty times 1,000.00 by three doors: exactly ten of them go through."""
    accounts = [open_account(alice), open_account(alice, kind=AccountKind.SAVINGS)]

    def deposit(number: int) -> Callable[[], Any]:
        account, key = accounts[number % 2], new_key()
        return lambda: cash.deposit(actor=alice, account=account, amount=Decimal(1000), idempotency_key=key)

    def opened() -> Callable[[], Any]:
        key = new_key()
        return lambda: opening.open_account(
            actor=alice, kind=AccountKind.CHECKING, opening_deposit=Decimal(1000), idempotency_key=key
        )

    results = at_once(*(deposit(number) for number in range(14)), *(opened() for _ in range(6)))
    assert outcomes(results)["CashInLimitReached"] == 10, results
    assert not [one for one in results if isinstance(one, Exception) and not isinstance(one, CashInLimitReached)]
    assert paid_in(alice) == 10_000
    assert CustomerLimit.objects.get(user=alice).cash_in == 10_000
    assert list(verification.faults()) == []


def test_clerks_at_two_windows_take_no_more_than_one_may_without_a_second(
    alice: Any, make_user: Callable, open_account: Callable, new_key: Callable
) -> None:
    clerks = [make_user(f"Clerk{number}", Role.SUPPORT) for number in range(6)]
    account = open_account(alice)

    def take(clerk: Any) -> Callable[[], TransferOrder]:
        key = new_key()
        return lambda: cash.deposit_at_counter(actor=clerk, account=account, amount=Decimal(300), idempotency_key=key)

    results: list[Any] = at_once(*(take(clerk) for clerk in clerks))
    assert Counter(order.state for order in results) == {"posted": 3, "held": 3}
    assert paid_in(alice) == 900


def test_a_deposit_is_released_or_rejected_or_its_account_closed_and_only_one_of_them(
    alice: Any, sam: Any, ada: Any, open_account: Callable, new_key: Callable, settings: Any
) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(10**6)
    account = open_account(alice)
    for turn in range(4):
        held = cash.deposit(actor=alice, account=account, amount=Decimal(10_001), idempotency_key=new_key())
        before, counted = paid_in(alice), CustomerLimit.objects.get(user=alice).cash_in
        acts = [
            lambda held=held: release_order(actor=sam, order=held, reason=REASON),
            lambda held=held: reject_order(actor=ada, order=held, reason=REASON),
            lambda account=account: closing.close_account(actor=alice, account=account),
        ]
        results = at_once(*(acts if turn % 2 else acts[::-1]))
        held.refresh_from_db()
        decided = [one for one in results if isinstance(one, TransferOrder)]
        assert len(decided) == 1, results
        assert sum(isinstance(one, DecidedAlready | AccountNotActive) for one in results) >= 1
        is_released = held.state == OrderState.RELEASED
        assert paid_in(alice) - before == (held.amount if is_released else 0)
        assert CustomerLimit.objects.get(user=alice).cash_in == counted - (0 if is_released else held.amount)
        account.refresh_from_db()
        if not account.is_active:
            account = open_account(alice)
        elif account.balance:
            account = open_account(alice, kind=AccountKind.SAVINGS)
    assert list(verification.faults()) == []


def test_the_same_deposit_many_times_at_once_is_one(alice: Any, everyday: BankAccount, balance_of: Callable) -> None:
    """R3.5."""
    ask = partial(cash.deposit, actor=alice, account=everyday, amount=Decimal(6000), idempotency_key="the same key")
    results = at_once(*[ask] * 10)
    assert {one.pk for one in results if isinstance(one, TransferOrder)} == {TransferOrder.objects.latest("pk").pk}
    assert len([one for one in results if isinstance(one, TransferOrder)]) == 10
    assert balance_of(everyday) == 6100
    assert CustomerLimit.objects.get(user=alice).cash_in == 6000
