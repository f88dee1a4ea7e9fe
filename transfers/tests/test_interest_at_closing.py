"""What a savings account has earned, on its page and when it is closed (R2.3, R9.2)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import AccountKind, AccountStatus, BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.tables import in_one_world
from transfers import history
from transfers.accounts import closing
from transfers.interest import at_closing as interest
from transfers.interest import selectors as interest_selectors
from transfers.interest.posting import accrue_interest
from transfers.ledger import verification
from transfers.models import Entry, SavingsInterest, Transaction, TransactionKind

OPENED = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 9, 22, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.SAVINGS_RATE = "0.0365"


@pytest.fixture
def saved(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's savings, opened with 1,000.00 on 10 September: 10 cents a day."""
    return open_account(alice, "1000.00", AccountKind.SAVINGS, nickname="Holidays", at=OPENED)


@pytest.fixture
def checking(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, nickname="Everyday", at=OPENED)


@pytest.fixture
def close(alice: Any, saved: BankAccount, new_key: Callable) -> Callable[..., None]:
    """Alice takes her money out, and closes the savings."""

    def run(at: datetime = LATER) -> None:
        if BankAccount.objects.get(pk=saved.pk).balance:
            acts.withdraw(
                actor=alice,
                account=saved,
                amount=Decimal("1000.00"),
                idempotency_key=new_key(),
                at=at - timedelta(hours=1),
            )
        closing.close_account(actor=alice, account=saved, at=at)

    return run


def interest_on(account: BankAccount) -> list[tuple[str, Decimal]]:
    rows = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account=account).order_by("sequence")
    return list(rows.values_list("transaction__description", "amount"))


# --- Closing ----------------------------------------------------------------------------------------------


@in_one_world("counted_until", [None, date(2026, 9, 15), date(2026, 9, 21)])
def test_what_was_earned_goes_to_the_checking_account(
    saved: BankAccount, checking: BankAccount, close: Callable, counted_until: date | None
) -> None:
    """To the end of yesterday, whether the nightly job has counted it or not."""
    if counted_until:
        accrue_interest(until=counted_until, at=LATER)
    close()
    saved.refresh_from_db()
    assert (saved.status, saved.balance) == (AccountStatus.CLOSED.value, Decimal(0))
    assert interest_on(checking) == [(f"Of savings account {saved.masked_number}, now closed", Decimal("1.20"))]
    assert AuditEntry.objects.get(action="ACCOUNT_CLOSED").details["interest"] == "1.20"
    posted = AuditEntry.objects.get(action="INTEREST_POSTED")
    assert (posted.details["account"], posted.details["target"]) == (saved.masked_number, checking.masked_number)
    assert list(verification.faults()) == []
    assert accrue_interest(at=LATER + timedelta(days=60)).accounts == 0
    assert not SavingsInterest.objects.exclude(accrued=Decimal(0), accrued_micro=0, due=Decimal(0)).exists()


def test_months_that_were_not_posted_are_paid_too(saved: BankAccount, checking: BankAccount, close: Callable) -> None:
    close(at=LATER + timedelta(days=31))
    assert [amount for _, amount in interest_on(checking)] == [Decimal("4.30")]


def test_it_goes_to_the_oldest_checking_account_that_is_active(
    alice: Any,
    bob: Any,
    saved: BankAccount,
    checking: BankAccount,
    close: Callable,
    open_account: Callable,
    freeze: Callable,
) -> None:
    open_account(bob, at=OPENED - timedelta(days=9))
    open_account(alice, kind=AccountKind.SAVINGS, at=OPENED - timedelta(days=9))
    second, _third = (open_account(alice, at=OPENED + timedelta(days=day)) for day in (1, 2))
    freeze(checking)
    close()
    (entry,) = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account__owner__isnull=False)
    assert entry.account == second


def test_without_a_checking_account_it_must_wait_and_the_page_says_so(
    alice: Any, saved: BankAccount, close: Callable, browser_of: Callable, books: Callable
) -> None:
    with pytest.raises(closing.InterestOwed):
        close()
    assert interest_on(saved) == []
    before = books()
    with time_machine.travel(LATER, tick=False):
        page = browser_of(alice).get(reverse("account_close", args=[saved.public_id]))
        assert "still to be paid" in page.content.decode()
        assert reverse("account_open") in [link["url"] for link in page.context["links"]]
    assert books() == before
    accrue_interest(at=LATER + timedelta(days=31))
    assert interest_on(saved) == [("For September 2026", Decimal("1.20"))]


@in_one_world("seen", ["active and then frozen", "frozen and then active"])
def test_where_the_checking_account_is_frozen_meanwhile_nothing_is_lost(
    saved: BankAccount,
    checking: BankAccount,
    close: Callable,
    freeze: Callable,
    monkeypatch: pytest.MonkeyPatch,
    seen: str,
) -> None:
    """Between the look at it and its lock; or it becomes active only after the savings were locked, too late to be
    locked in order: nothing is paid to an account that was not locked with them."""
    found = [checking, checking] if seen == "active and then frozen" else [None, checking, checking]
    if seen == "active and then frozen":
        freeze(checking)
    looks = iter(found)
    monkeypatch.setattr(interest, "payout_account", lambda account: next(looks, None))
    with pytest.raises(closing.InterestOwed):
        close()
    monkeypatch.undo()
    assert BankAccount.objects.get(pk=saved.pk).status == AccountStatus.ACTIVE
    assert interest_on(checking) == []
    accrue_interest(at=LATER + timedelta(days=31))
    assert interest_on(saved) == [("For September 2026", Decimal("1.20"))]


def test_the_page_says_where_the_interest_goes(
    alice: Any, saved: BankAccount, checking: BankAccount, close: Callable, browser_of: Callable, new_key: Callable
) -> None:
    acts.withdraw(actor=alice, account=saved, amount=Decimal("1000.00"), idempotency_key=new_key(), at=LATER)
    with time_machine.travel(LATER + timedelta(hours=1), tick=False):
        browser, url = browser_of(alice), reverse("account_close", args=[saved.public_id])
        page = browser.get(url).content.decode()
        assert "Its interest of" in page
        assert "€1.20" in page
        assert (
            f'goes to your account Everyday, <span class="font-monospace text-nowrap">{checking.masked_number}' in page
        )
        assert browser.post(url).status_code == 302
    assert [amount for _, amount in interest_on(checking)] == [Decimal("1.20")]


def test_an_account_that_earned_nothing_closes_as_always(
    alice: Any, saved: BankAccount, close: Callable, settings: Any
) -> None:
    settings.SAVINGS_RATE = "0"
    close()
    assert "interest" not in AuditEntry.objects.get(action="ACCOUNT_CLOSED").details
    assert not Transaction.objects.filter(kind=TransactionKind.INTEREST).exists()


def test_half_a_cent_that_was_rounded_up_is_not_a_debt(
    alice: Any, saved: BankAccount, checking: BankAccount, close: Callable
) -> None:
    SavingsInterest.objects.create(
        account=saved, accrued_through=date(2026, 9, 21), accrued=Decimal("-0.01"), accrued_micro=500_000
    )
    assert interest.owed_at_closing(saved, at=LATER) == 0
    close()
    assert interest_on(checking) == []


# --- On the page ------------------------------------------------------------------------------------------


def test_the_page_shows_what_was_earned_so_far(alice: Any, saved: BankAccount, browser_of: Callable) -> None:
    accrue_interest(until=date(2026, 9, 21), at=LATER)
    with time_machine.travel(LATER, tick=False):
        page = browser_of(alice).get(reverse("account", args=[saved.public_id])).content.decode()
    assert "Interest at 3.65% a year, paid on" in page
    assert "€1.20" in page
    assert "1 October" in page


def test_before_the_first_day_is_counted_it_says_the_rate(alice: Any, saved: BankAccount) -> None:
    found = interest_selectors.interest_so_far(saved, at=OPENED)
    assert found is not None
    assert (found.amount, found.through, found.rate, found.paid_on) == (
        Decimal(0), None, Decimal("0.0365"), date(2026, 10, 1)
    )  # fmt: skip


def test_where_there_is_nothing_to_say_it_says_nothing(
    alice: Any, saved: BankAccount, checking: BankAccount, settings: Any, freeze: Callable
) -> None:
    assert interest_selectors.interest_so_far(checking, at=LATER) is None
    settings.SAVINGS_RATE = "0"
    assert interest_selectors.interest_so_far(saved, at=LATER) is None
    SavingsInterest.objects.create(account=saved, accrued_through=date(2026, 9, 21), accrued=Decimal("1.20"))
    found = interest_selectors.interest_so_far(saved, at=LATER)
    assert found is not None
    assert (found.amount, found.rate) == (Decimal("1.20"), Decimal(0))
    freeze(saved, AccountStatus.CLOSED)
    saved.refresh_from_db()
    assert interest_selectors.interest_so_far(saved, at=LATER) is None


def test_half_a_cent_less_than_none_is_shown_as_none(alice: Any, saved: BankAccount) -> None:
    SavingsInterest.objects.create(
        account=saved, accrued_through=date(2026, 9, 21), accrued=Decimal("-0.01"), accrued_micro=400_000
    )
    found = interest_selectors.interest_so_far(saved, at=LATER)
    assert found is not None
    assert found.amount == 0


def test_the_statement_and_the_history_call_it_interest(alice: Any, saved: BankAccount, browser_of: Callable) -> None:
    """R3.7."""
    accrue_interest(at=LATER + timedelta(days=31))
    (row, *_) = history.history_page(BankAccount.objects.get(pk=saved.pk)).items
    assert (row.label, row.description, row.order_id) == ("Interest", "For September 2026", None)
    browser = browser_of(alice)
    page = browser.get(reverse("history"), {"type": "interest"}).content.decode()
    assert "For September 2026" in page
    assert browser.get(reverse("entry", args=[row.account_id, row.sequence])).status_code == 200
