"""A reversal beside spending, closing and the posting of interest, all at once (R3.4, R3.15)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from accounts.models import AccountKind, BankAccount
from audit.sealing import seal
from audit.verification import faults as faults_of_the_log
from tests import acts
from tests.acts import at_once
from tests.staff_acts import REASON
from transfers.accounts.closing import AccountNotEmpty, close_account
from transfers.interest.posting import accrue_interest
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import CustomerLimit, Entry, SavingsInterest, Transaction, TransactionKind
from transfers.orders.reversals import ReversedAlready, reverse_transaction

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_minute_limits")]

OPENED = datetime(2026, 10, 31, 8, 0, tzinfo=UTC)
MISTAKE = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NIGHT = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def settings_of_these(settings: Any) -> None:
    settings.SAVINGS_RATE = "0.0365"
    settings.DAILY_TRANSFER_LIMIT = settings.STEP_UP_AMOUNT = settings.SUSPICIOUS_AMOUNT = Decimal(10**6)


@pytest.fixture
def mistakes(alice: Any, household: BankAccount, bob: Any, open_account: Callable) -> list[Any]:
    """Let Alice pay 1,000.00 into Bob's savings by mistake, four times, each into another account."""
    return [
        acts.transfer(
            actor=alice,
            source=household,
            target=open_account(bob, "0.00", AccountKind.SAVINGS, at=OPENED),
            amount=Decimal(1000),
            idempotency_key=f"mistake {number}",
            at=MISTAKE,
        ).transaction
        for number in range(4)
    ]


def target_of(mistake: Transaction) -> BankAccount:
    return Entry.objects.get(transaction=mistake, account__kind=AccountKind.SAVINGS).account


def all_is_sound() -> bool:
    seal()
    return [*verification.faults(), *faults_of_the_log()] == []


def reverse(ada: Any, mistake: Transaction, at: datetime = NIGHT) -> Any:
    return reverse_transaction(actor=ada, transaction=mistake, reason=REASON, at=at)


def test_against_spending_one_of_the_two_finds_the_money(
    mistakes: list[Any], bob: Any, ada: Any, open_account: Callable
) -> None:
    pocket = open_account(bob)
    for mistake in mistakes:
        savings = target_of(mistake)
        spend: dict[str, Any] = {"actor": bob, "source": savings, "target": pocket, "amount": Decimal(1000)}
        results = at_once(
            partial(reverse, ada, mistake),
            partial(acts.transfer, **spend, idempotency_key=f"spends {savings.pk}"),
        )
        assert sum(isinstance(result, InsufficientFunds) for result in results) == 1, results
        savings.refresh_from_db()
        assert savings.balance == Decimal(0)
    assert all_is_sound()


def test_twice_at_once_it_is_done_once_and_the_limit_freed_once(
    mistakes: list[Any], alice: Any, ada: Any, make_user: Callable
) -> None:
    CustomerLimit.objects.filter(user=alice).update(used=Decimal(4000), day=MISTAKE.date())
    for done, mistake in enumerate(mistakes, 1):
        results = at_once(*[partial(reverse, ada, mistake, MISTAKE + timedelta(hours=1))] * 3)
        assert sum(isinstance(result, ReversedAlready) for result in results) == 2, results
        assert CustomerLimit.objects.get(user=alice).used == 4000 - 1000 * done
    assert all_is_sound()


def test_against_the_posting_of_interest_the_sum_is_what_is_right(
    mistakes: list[Any], ada: Any, alice: Any, household: BankAccount
) -> None:
    """In either order: after the next night nobody has earned anything by the mistakes."""
    jobs: list[Callable[[], Any]] = [lambda: accrue_interest(at=NIGHT), lambda: accrue_interest(at=NIGHT)]
    jobs += [partial(reverse, ada, mistake) for mistake in mistakes]
    results = at_once(*jobs)
    assert [result for result in results if isinstance(result, Exception)] == []
    accrue_interest(at=NIGHT + timedelta(days=1))
    for mistake in mistakes:
        savings = target_of(mistake)
        row = SavingsInterest.objects.get(account=savings)
        paid = Entry.objects.filter(account=savings, transaction__kind=TransactionKind.INTEREST)
        signed = sum(one.amount if one.direction == "credit" else -one.amount for one in paid)
        assert (int(signed * 100) + row.accrual.due, row.accrual.micro, int(savings.balance)) == (0, 0, 0)
    assert all_is_sound()


def test_against_closing_nobody_keeps_interest_of_a_mistake(
    mistakes: list[Any], bob: Any, ada: Any, open_account: Callable
) -> None:
    """The account is closed after its reversal and without a cent of interest, or it stays open."""
    pocket = open_account(bob)
    accrue_interest(at=NIGHT - timedelta(days=5))
    for mistake in mistakes:
        savings = target_of(mistake)
        close: dict[str, Any] = {"actor": bob, "account": savings, "at": NIGHT}
        results = at_once(partial(reverse, ada, mistake), partial(close_account, **close))
        assert isinstance(results[0], Transaction), results
        assert results[1] is None or isinstance(results[1], AccountNotEmpty), results
        if results[1] is not None:
            close_account(**close)
        with pytest.raises(AccountNotActive):
            close_account(**close)
    pocket.refresh_from_db()
    assert pocket.balance == Decimal(0)
    assert all_is_sound()
