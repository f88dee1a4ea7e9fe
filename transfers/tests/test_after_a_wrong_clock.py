"""Movements by a clock that was an hour ahead, over midnight and a month's end, and has been corrected since: they stay
in their order, and every page that shows them works (R3.1, R3.7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import AccountKind
from audit import verification as audit_log
from audit.sealing import seal
from tests import acts
from transfers.history import monthly
from transfers.interest.posting import accrue_interest
from transfers.ledger import verification
from transfers.models import Entry, SavingsInterest, TransferOrder
from transfers.orders import holds
from transfers.periods import Month
from transfers.statements import exports

BEFORE_MIDNIGHT = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(BEFORE_MIDNIGHT - timedelta(days=40), tick=False) as traveller:
        yield traveller


@pytest.fixture
def moved(clock: Any, alice: Any, bob: Any, open_account: Callable, settings: Any) -> Any:
    """Alice's account: a payment before the clock goes wrong, one and a held one while it is wrong, one when it is
    right again; five minutes apart in truth."""
    settings.SUSPICIOUS_AMOUNT = Decimal(1000)
    account, target = open_account(alice, "5000.00"), open_account(bob)
    moments = (timedelta(0), timedelta(minutes=65), timedelta(minutes=70), timedelta(minutes=15))
    for number, (after, amount) in enumerate(zip(moments, ("10", "20", "1500", "40"), strict=True)):
        clock.move_to(BEFORE_MIDNIGHT + after)
        seal()
        acts.transfer(
            actor=alice, source=account, target=target, amount=Decimal(amount), idempotency_key=f"payment-{number}"
        )
    account.refresh_from_db()
    return account


def test_they_follow_one_another_and_both_verifications_find_nothing(moved: Any) -> None:
    entries = Entry.objects.filter(account=moved).order_by("sequence")
    balances = [entry.balance_after for entry in entries]
    assert balances == [Decimal(5000), Decimal(4990), Decimal(4970), Decimal(4930)]
    assert [entry.posted_at.day for entry in entries][1:] == [30, 1, 30]
    assert (moved.balance, moved.held) == (Decimal(4930), Decimal(1500))
    seal()
    assert list(verification.faults()) == []
    assert list(audit_log.faults()) == []


def test_every_page_shows_them(moved: Any, alice: Any, browser_of: Callable[..., Client], subtests: Any) -> None:
    browser, of_account = browser_of(alice), f"/accounts/{moved.public_id}/"
    paths = ["/dashboard/", "/dashboard/live/", of_account, f"{of_account}statements/", f"{of_account}settings/"]
    paths += [
        "/history/",
        "/history/movements.csv",
        "/money-over-time/",
        "/daily-limit/",
        "/payees/",
        "/transfer/send/",
    ]
    paths += [f"/receipts/{order.public_id}/" for order in TransferOrder.objects.filter(source=moved)]
    paths += [f"/history/{moved.public_id}/{sequence}/" for sequence in range(1, 5)]
    for path in paths:
        with subtests.test(path):
            assert browser.get(path).status_code in {200, 204}


def test_the_statements_of_both_months_add_up(moved: Any, alice: Any, clock: Any) -> None:
    """Movements count by their time: the second statement begins with the first one's closing balance."""
    clock.move_to(BEFORE_MIDNIGHT + timedelta(days=3))
    first, second = (
        monthly.statement_for(alice, moved, month, at=BEFORE_MIDNIGHT + timedelta(days=3))
        for month in (Month(2026, 11), Month(2026, 12))
    )
    assert (first.opening, first.money_out, first.closing) == (Decimal(5000), Decimal(50), Decimal(4950))
    assert (second.opening, second.money_out, second.closing) == (Decimal(4950), Decimal(20), Decimal(4930))
    download = exports.download_statement(
        actor=alice, account=moved, month=Month(2026, 11), at=BEFORE_MIDNIGHT + timedelta(minutes=20)
    )
    assert download is not None


def test_what_was_held_then_can_be_cancelled_when_it_is_right_again(moved: Any, alice: Any) -> None:
    order = TransferOrder.objects.get(source=moved, state="held")
    holds.cancel_order(actor=alice, order=order)
    moved.refresh_from_db()
    assert moved.held == Decimal(0)
    assert list(verification.faults()) == []


def test_interest_is_what_it_had_been_had_the_clock_been_right(
    clock: Any, alice: Any, open_account: Callable, settings: Any
) -> None:
    """R9.2: counted at two o'clock, for a day that is over by an hour, even by a clock that is an hour ahead."""
    settings.SAVINGS_RATE = "0.0365"
    counted = []
    for ahead in (timedelta(hours=1), timedelta(0)):
        clock.move_to(BEFORE_MIDNIGHT - timedelta(days=3))
        account = open_account(alice, "1000.00", kind=AccountKind.SAVINGS)
        clock.move_to(datetime(2026, 11, 29, 1, tzinfo=UTC) + ahead)
        accrue_interest()
        clock.move_to(datetime(2026, 11, 29, 1, 5, tzinfo=UTC))
        acts.deposit(actor=alice, account=account, amount=Decimal(1000), idempotency_key=f"more-{ahead}")
        clock.move_to(datetime(2026, 11, 30, 2, tzinfo=UTC))
        accrue_interest()
        row = SavingsInterest.objects.get(account=account)
        counted.append((row.accrued_through, row.accrual))
    assert counted[0] == counted[1]
    assert counted[0][1].micro > 0
