"""For interest, a reversal counts from the day of what it reverses (R3.15)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import AccountKind, BankAccount
from audit.actions import Action
from audit.models import AuditEntry
from audit.sealing import seal
from audit.services import record
from audit.verification import faults as faults_of_the_log
from tests import acts
from tests.asvs import proves
from transfers.accounts import closing
from transfers.interest import at_closing
from transfers.interest.posting import accrue_interest
from transfers.ledger import posting as ledger
from transfers.ledger import verification
from transfers.models import Entry, SavingsInterest, Transaction, TransactionKind
from transfers.orders import reversals

OPENED = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
MISTAKE = datetime(2026, 11, 2, 11, 0, tzinfo=UTC)
UNDONE = datetime(2026, 11, 12, 11, 0, tzinfo=UTC)
NIGHT_AFTER_NOVEMBER = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
NOVEMBER = Decimal("3.00")  # of 1,000.00 at 3.65 %: 10 cents a day


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.SAVINGS_RATE = "0.0365"
    settings.SUSPICIOUS_AMOUNT = Decimal(2_000_000)  # one administrator alone reverses less (R5.8)


@pytest.fixture(autouse=True)
def the_books_are_sound(db: None) -> Iterator[None]:
    yield
    seal()
    assert [*verification.faults(), *faults_of_the_log()] == []


@pytest.fixture
def saved(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's savings, opened with 1,000.00 on 1 November."""
    return open_account(alice, "1000.00", AccountKind.SAVINGS, nickname="Holidays", at=OPENED)


@pytest.fixture
def undo(ada: Any) -> Callable[..., Transaction]:
    def take_back(mistake: Any, at: datetime = UNDONE) -> Transaction:
        return reversals.reverse_transaction(actor=ada, transaction=mistake, reason="A mistake.", at=at)

    return take_back


def pay_in(account: Any, amount: str, at: datetime = MISTAKE) -> Any:
    """Pay in by mistake, with a movement of a kind that needs no order and keeps to no limit."""
    cash = BankAccount.objects.get(ledger_code="cash-0")
    with transaction.atomic():
        posting = ledger.post(
            kind=TransactionKind.FEE,
            legs=ledger.transfer_legs(debit=cash.pk, credit=account.pk, amount=Decimal(amount)),
            initiated_by=account.owner,
            at=at,
        )
        moved = Transaction.objects.get(pk=posting.transaction_id)
        record(Action.DEPOSIT_CREATED, actor=None, subject=moved, evidence_digest=posting.digest)
    return moved


def nights(first: datetime, last: datetime) -> None:
    """Run the scheduled job, each night at two."""
    night = first.replace(hour=2, minute=0)
    while night <= last:
        accrue_interest(at=night)
        night += timedelta(days=1)


def paid_on(account: BankAccount) -> list[tuple[str, Decimal]]:
    """Interest as (description, amount): negative where it was taken back."""
    rows = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account=account).order_by("sequence")
    found = rows.values_list("transaction__description", "direction", "amount")
    return [(text, amount if direction == "credit" else -amount) for text, direction, amount in found]


def state_of(account: BankAccount) -> tuple[Any, ...]:
    row = SavingsInterest.objects.get(account=account)
    return row.accrued_through, row.accrual.micro, row.accrual.due


@proves("V2.3.2")
def test_a_million_by_mistake_earns_nothing(saved: BankAccount, undo: Callable) -> None:
    """R3.15: 1,003.00 was paid."""
    mistake = pay_in(saved, "1000000.00")
    nights(OPENED + timedelta(days=1), UNDONE)
    assert state_of(saved)[1] > 1000_00 * 1_000_000
    undo(mistake)
    nights(UNDONE + timedelta(days=1), NIGHT_AFTER_NOVEMBER)
    assert paid_on(saved) == [("For November 2026", NOVEMBER)]
    assert state_of(saved)[1] == 0


def test_a_million_taken_out_by_mistake_goes_on_earning(
    saved: BankAccount, bob: Any, open_account: Callable, undo: Callable, new_key: Callable, settings: Any
) -> None:
    """The other direction: a customer who lacked money gets its interest."""
    settings.DAILY_TRANSFER_LIMIT = settings.SUSPICIOUS_AMOUNT = settings.STEP_UP_AMOUNT = Decimal(10_000_000)
    bobs = open_account(bob, at=OPENED)
    order = acts.transfer(
        actor=saved.owner, source=saved, target=bobs, amount=Decimal(900), idempotency_key=new_key(), at=MISTAKE
    )
    nights(OPENED + timedelta(days=1), UNDONE)
    undo(order.transaction)
    nights(UNDONE + timedelta(days=1), NIGHT_AFTER_NOVEMBER)
    assert paid_on(saved) == [("For November 2026", NOVEMBER)]


@pytest.mark.parametrize("late_by", [0, 1, 40, 75])
def test_it_is_all_the_same_when_the_bank_counts(
    saved: BankAccount, alice: Any, open_account: Callable, undo: Callable, late_by: int
) -> None:
    """A mistake that was counted every night, months posted and all, or never seen: the same to the millionth."""
    never = open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)
    mistake = pay_in(saved, "123456.78")
    undone = UNDONE + timedelta(days=late_by)
    nights(OPENED + timedelta(days=1), undone)
    undo(mistake, at=undone)
    later = datetime(2027, 2, 1, 2, 0, tzinfo=UTC)
    nights(undone + timedelta(days=1), later)
    accrue_interest(at=later)
    assert sum(amount for _, amount in paid_on(saved)) == sum(amount for _, amount in paid_on(never)) > 9
    assert state_of(saved) == state_of(never)
    assert BankAccount.objects.get(pk=saved.pk).balance == BankAccount.objects.get(pk=never.pk).balance


def test_a_month_that_was_posted_is_corrected_by_a_movement_of_its_own(saved: BankAccount, undo: Callable) -> None:
    """R3.1, R6.3: the ledger keeps both, and the log says why."""
    mistake = pay_in(saved, "1000000.00", at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER)
    assert paid_on(saved) == [("For November 2026", Decimal("1103.00"))]
    reversal = undo(mistake, at=NIGHT_AFTER_NOVEMBER + timedelta(hours=7))
    run = accrue_interest(at=NIGHT_AFTER_NOVEMBER + timedelta(days=1))
    assert paid_on(saved)[1:] == [("Correction up to November 2026", Decimal("-1100.00"))]
    assert (run.corrections, run.corrected) == (1, Decimal("-1100.00"))
    entry = AuditEntry.objects.get(action="INTEREST_CORRECTED")
    assert (entry.subject_type, entry.concerns_id) == ("bankaccount", saved.owner_id)
    assert entry.details == {
        "account": saved.masked_number,
        "amount": "-1100.00",
        "not_rounded_yet": "0.00",
        "through": "2026-11-30",
        "reason": f"reversal {reversal.reference}",
    }
    posted = AuditEntry.objects.filter(action="INTEREST_POSTED").latest("pk")
    assert (posted.details["amount"], bool(posted.evidence_digest)) == ("-1100.00", True)
    assert saved.owner is not None
    mail = acts.mails(saved.owner.email)[-1]
    assert mail.subject == "Interest on your account was corrected"
    assert "It came to €1,100.00 too much. We take that back" in mail.message
    again = accrue_interest(at=NIGHT_AFTER_NOVEMBER + timedelta(days=2))
    assert (again.corrections, len(paid_on(saved))) == (0, 2)


def test_what_was_spent_meanwhile_is_set_against_the_next_interest(
    saved: BankAccount, alice: Any, open_account: Callable, undo: Callable, new_key: Callable, settings: Any
) -> None:
    """No account goes below zero; its debt is a negative amount that is due."""
    settings.DAILY_TRANSFER_LIMIT = settings.STEP_UP_AMOUNT = Decimal(10_000_000)
    everyday = open_account(alice, at=OPENED)
    mistake = pay_in(saved, "1000000.00", at=datetime(2026, 11, 30, 9, 0, tzinfo=UTC))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER)  # 103.00
    spent = NIGHT_AFTER_NOVEMBER + timedelta(hours=6)
    acts.transfer(
        actor=alice, source=saved, target=everyday, amount=Decimal("1103.00"), idempotency_key=new_key(), at=spent
    )
    undo(mistake, at=spent + timedelta(hours=1))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER + timedelta(days=1))
    assert state_of(saved)[2] == -10000
    assert paid_on(saved) == [("For November 2026", Decimal("103.00"))]
    pay_in(saved, "99.99", at=spent + timedelta(days=2))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER + timedelta(days=4))
    assert (state_of(saved)[2], len(paid_on(saved))) == (-10000, 1)
    pay_in(saved, "0.01", at=spent + timedelta(days=5))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER + timedelta(days=6))
    assert (state_of(saved)[2], paid_on(saved)[1:]) == (0, [("Up to November 2026", Decimal("-100.00"))])


def test_an_operator_who_goes_back_is_told_why_not_while_interest_was_paid_too_much(
    saved: BankAccount, undo: Callable
) -> None:
    """The earlier version keeps no negative amounts: its constraint failed there, without saying what to do."""
    migration = import_module("transfers.migrations.0007_corrected_interest")
    go_back, editor = migration.refuse_less_than_none, SimpleNamespace(connection=connection)
    assert migration.Migration.operations[-1].reverse_code is go_back, "on the way back it is the first"
    accrue_interest(at=NIGHT_AFTER_NOVEMBER)
    go_back(apps, editor)
    SavingsInterest.objects.update(due=Decimal("-0.01"))
    with pytest.raises(
        CommandError, match=r"too much interest, to be set against their next: 1\. .* is not undone"
    ) as no:
        go_back(apps, editor)
    assert "\n" not in str(no.value)
    SavingsInterest.objects.update(due=Decimal(0))
    go_back(apps, editor)


def test_a_mistake_undone_before_its_day_was_counted_needs_no_correction(saved: BankAccount, undo: Callable) -> None:
    undo(pay_in(saved, "1000000.00"))
    assert accrue_interest(at=NIGHT_AFTER_NOVEMBER).corrections == 0
    assert paid_on(saved) == [("For November 2026", NOVEMBER)]


def test_a_reversal_that_a_run_has_heeded_ahead_of_its_day_is_not_heeded_again(
    saved: BankAccount, undo: Callable
) -> None:
    """A run for days before the reversal leaves the mistake out already; the next one finds nothing to correct."""
    undo(pay_in(saved, "1000000.00"))
    accrue_interest(until=UNDONE.date() - timedelta(days=4), at=NIGHT_AFTER_NOVEMBER)
    assert state_of(saved)[1] == 8 * 10 * 1_000_000
    assert accrue_interest(at=NIGHT_AFTER_NOVEMBER).corrections == 0
    assert paid_on(saved) == [("For November 2026", NOVEMBER)]


# --- Closing ----------------------------------------------------------------------------------------------


@pytest.fixture
def emptied(saved: BankAccount, alice: Any, open_account: Callable, undo: Callable, settings: Any) -> BankAccount:
    """Savings whose mistake earned 100.00, which were posted; the mistake is reversed and the account empty since."""
    settings.DAILY_TRANSFER_LIMIT = settings.STEP_UP_AMOUNT = Decimal(10_000_000)
    everyday = open_account(alice, at=OPENED)
    mistake = pay_in(saved, "1000000.00", at=datetime(2026, 11, 30, 9, 0, tzinfo=UTC))
    accrue_interest(at=NIGHT_AFTER_NOVEMBER)
    at = NIGHT_AFTER_NOVEMBER + timedelta(hours=6)
    acts.transfer(
        actor=alice, source=saved, target=everyday, amount=Decimal("1103.00"), idempotency_key="takes it", at=at
    )
    undo(mistake, at=at + timedelta(hours=1))
    saved.refresh_from_db()
    return saved


def test_an_account_that_is_closed_gives_back_what_it_was_paid_too_much(emptied: BankAccount, alice: Any) -> None:
    """On the day of the reversal already, whether a night has come in between or not: from the account that its
    interest would go to."""
    at = NIGHT_AFTER_NOVEMBER + timedelta(hours=9)
    everyday = BankAccount.objects.get(owner=alice, kind=AccountKind.CHECKING)
    assert at_closing.owed_at_closing(emptied, at=at) == Decimal("-100.00")
    closing.close_account(actor=alice, account=emptied, at=at)
    everyday.refresh_from_db()
    assert everyday.balance == Decimal("1003.00")
    assert paid_on(everyday)[0][1] == Decimal("-100.00")


def test_it_stays_open_until_that_can_be_taken(emptied: BankAccount, alice: Any, new_key: Callable) -> None:
    at = NIGHT_AFTER_NOVEMBER + timedelta(hours=9)
    everyday = BankAccount.objects.get(owner=alice, kind=AccountKind.CHECKING)
    acts.withdraw(
        actor=alice, account=everyday, amount=Decimal("1003.01"), idempotency_key=new_key(), at=at - timedelta(hours=1)
    )
    with pytest.raises(closing.InterestOverpaid, match=r"€100\.00 of interest was paid into this account by mistake"):
        closing.close_account(actor=alice, account=emptied, at=at)
    emptied.refresh_from_db()
    assert emptied.is_active


def test_the_page_says_what_is_taken_and_from_where(
    emptied: BankAccount, alice: Any, browser_of: Callable, new_key: Callable
) -> None:
    at = NIGHT_AFTER_NOVEMBER + timedelta(hours=9)
    everyday = BankAccount.objects.get(owner=alice, kind=AccountKind.CHECKING)
    url = reverse("account_close", args=[emptied.public_id])
    with time_machine.travel(at, tick=False):
        client = browser_of(alice)
        page = client.get(url).text
        assert "Interest that was paid into it by mistake" in page
        assert "€100.00" in page
        assert everyday.masked_number in page
        acts.withdraw(actor=alice, account=everyday, amount=Decimal("1003.01"), idempotency_key=new_key())
        page = client.get(url).text
        assert "€100.00 of interest was paid into this account by mistake." in page
        assert reverse("transfer_own") in page
        assert "Close account" not in page


def test_spent_between_look_and_lock_it_stays_open(
    emptied: BankAccount, alice: Any, new_key: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = NIGHT_AFTER_NOVEMBER + timedelta(hours=9)
    everyday = BankAccount.objects.get(owner=alice, kind=AccountKind.CHECKING)
    acts.withdraw(
        actor=alice, account=everyday, amount=Decimal("1003.01"), idempotency_key=new_key(), at=at - timedelta(hours=1)
    )
    monkeypatch.setattr(closing, "_obstacle_of_interest", lambda account, at: None)
    with pytest.raises(closing.InterestOverpaid):
        closing.close_account(actor=alice, account=emptied, at=at)
    assert paid_on(everyday) == []


def test_a_mistake_that_is_undone_before_its_day_is_counted_is_heeded_once(
    saved: BankAccount, undo: Callable[..., Transaction]
) -> None:
    """The reversal belongs to the next day already, and the night counts both; later nights find nothing to correct."""
    moved = pay_in(saved, "1000.00")
    nights(OPENED + timedelta(days=1), MISTAKE)
    undo(moved, MISTAKE.replace(day=3, hour=0, minute=30))
    nights(MISTAKE + timedelta(days=1), MISTAKE + timedelta(days=3))
    earned = SavingsInterest.objects.get(account=saved).accrual
    assert (earned.through.day, earned.micro, earned.due) == (4, 40_000_000, 0)
