"""A held order that nobody decides expires (R3.14)."""

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount, User
from accounts.people.the_bank import EMAIL, the_bank
from audit.models import AuditEntry
from tests import acts
from tests.acts import mails
from tests.funds import funds
from tests.staff_acts import REASON, entry_of
from tests.tables import in_one_world
from transfers.history.staff import orders_seen_by
from transfers.ledger import verification
from transfers.models import CustomerLimit, FraudAlert, OrderState, TransferOrder
from transfers.orders import expiry, limits
from transfers.orders.expiry import expire_holds
from transfers.orders.holds import DecidedAlready, cancel_order, expire_order, reject_order, release_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


def in_days(order: TransferOrder, days: int) -> Any:
    return order.created_at + timedelta(days=days)


def test_after_fourteen_days_the_money_is_the_customers_again(
    alice: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder
) -> None:
    """R3.14: not a moment before."""
    assert expire_holds(at=in_days(held, 14) - timedelta(microseconds=1)).expired == 0
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.HELD
    assert expire_holds(at=in_days(held, 14)).expired == 1
    order = TransferOrder.objects.get(pk=held.pk)
    assert (order.state, order.decided_by, order.transaction) == (OrderState.EXPIRED, the_bank(), None)
    assert order.decided_at == in_days(held, 14)
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))
    assert funds(bobs) == (Decimal(0), Decimal(0))
    assert list(verification.faults()) == []


def test_how_long_is_a_setting(settings: Any, held: TransferOrder) -> None:
    settings.HOLD_EXPIRES_DAYS = 2
    assert expire_holds(at=in_days(held, 2)).expired == 1


def test_the_log_and_the_payer_are_told_and_the_payee_is_not(alice: Any, bob: Any, held: TransferOrder) -> None:
    expire_holds(at=in_days(held, 14))
    entry = entry_of("TRANSFER_EXPIRED")
    assert (entry.actor_id, entry.concerns_id, entry.subject_id) == (the_bank().pk, alice.pk, str(held.public_id))
    assert entry.details["amount"] == "12345.67"
    mail = mails(alice.email)[-1]
    assert mail.subject == "Your transfer of €12,345.67 has expired"
    for text in (mail.message, mail.html_message):
        for shown in ("was not sent", "did not decide on it in time", "yours to spend again", "order it again"):
            assert shown in text
    assert not [mail for mail in mails(bob.email) if "12,345" in mail.message + mail.subject]


def test_its_alerts_stay_open_and_support_still_sees_it(sam: Any, held: TransferOrder) -> None:
    """Nobody has looked: the return of the money does not answer the rules."""
    expire_holds(at=in_days(held, 14))
    assert set(FraudAlert.objects.filter(order=held).values_list("state", flat=True)) == {"open"}
    assert held in orders_seen_by(sam, TransferOrder.objects.all())


def test_the_day_that_it_expires_on_keeps_its_limit(alice: Any, pay: Callable) -> None:
    """R3.9: the order took it from another day."""
    order = pay("12345.67")
    later = in_days(order, 14)
    pay("5.00", at=later)
    expire_holds(at=later)
    assert CustomerLimit.objects.get(user=alice).used == Decimal(5)


@in_one_world(
    "change",
    [
        lambda alice, account: BankAccount.objects.filter(pk=account.pk).update(status=AccountStatus.FROZEN),
        lambda alice, account: User.objects.filter(pk=alice.pk).update(locked_at=timezone.now()),
        lambda alice, account: User.objects.filter(pk=alice.pk).update(is_active=False),
    ],
)
def test_it_expires_whatever_has_happened_to_the_customer_and_the_account(
    change: Callable, alice: Any, household: BankAccount, held: TransferOrder
) -> None:
    change(alice, household)
    assert expire_holds(at=in_days(held, 14)).expired == 1
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))


@in_one_world(
    ("decide", "state"),
    [
        (lambda alice, sam, held: release_order(actor=sam, order=held, reason=REASON), OrderState.RELEASED),
        (lambda alice, sam, held: reject_order(actor=sam, order=held, reason=REASON), OrderState.REJECTED),
        (lambda alice, sam, held: cancel_order(actor=alice, order=held), OrderState.CANCELLED),
    ],
)
def test_what_is_decided_does_not_expire(
    decide: Callable, state: OrderState, alice: Any, sam: Any, held: TransferOrder, books: Callable
) -> None:
    """Nor if a clerk decided after the job had read it."""
    decide(alice, sam, held)
    before = books()
    assert expire_holds(at=in_days(held, 15)).expired == 0
    assert not expire_order(order=held, at=in_days(held, 15))
    assert TransferOrder.objects.get(pk=held.pk).state == state
    assert books() == before


@in_one_world("decide", [release_order, reject_order])
def test_a_clerk_who_comes_too_late_is_told_that_it_has_expired(
    decide: Callable, sam: Any, held: TransferOrder
) -> None:
    expire_holds(at=in_days(held, 14))
    with pytest.raises(DecidedAlready, match="This transfer has expired: nobody decided on it in time"):
        decide(actor=sam, order=held, reason=REASON)


def test_a_clerk_who_comes_before_the_job_still_decides(sam: Any, held: TransferOrder) -> None:
    """The job runs hourly: an order that it has not given back yet still waits."""
    order = release_order(actor=sam, order=held, reason=REASON, at=in_days(held, 14) + timedelta(minutes=30))
    assert order.state == OrderState.RELEASED


def test_nothing_expires_before_its_time(held: TransferOrder) -> None:
    """The program that asks is at fault."""
    with pytest.raises(ValueError, match="waits on until"):
        expire_order(order=held, at=in_days(held, 13))


# --- The job --------------------------------------------------------------------------------------------------


@pytest.fixture
def several(alice: Any, bob: Any, open_account: Callable, bobs: BankAccount, settings: Any) -> list[TransferOrder]:
    """Make five held ones, from an account each."""
    settings.DAILY_TRANSFER_LIMIT = Decimal(10**6)
    accounts = [open_account(alice, "10001.00") for _ in range(5)]
    return [
        acts.transfer(
            actor=alice, source=account, target=bobs, amount=Decimal(10_001), idempotency_key=f"held order {number}"
        )
        for number, account in enumerate(accounts)
    ]


def test_a_run_that_was_stopped_goes_on_where_it_was(several: list[TransferOrder]) -> None:
    """Each has a transaction of its own: an order that was given back stays so, and is not given back again."""

    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    at = in_days(several[-1], 14)
    with pytest.raises(KeyboardInterrupt):
        expire_holds(at=at, progress=stop)
    assert TransferOrder.objects.filter(state=OrderState.EXPIRED).count() == 2
    assert expire_holds(at=at).expired == 3
    assert expire_holds(at=at).expired == 0
    assert AuditEntry.objects.filter(action="TRANSFER_EXPIRED").count() == 5
    assert list(verification.faults()) == []


def test_they_are_read_a_batch_at_a_time(several: list[TransferOrder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foundation.slices.BATCH", 2)
    assert expire_holds(at=in_days(several[-1], 14)).expired == 5


def test_one_that_cannot_be_given_back_keeps_nobody_waiting(
    several: list[TransferOrder], caplog: pytest.LogCaptureFixture
) -> None:
    """Its account was tampered with: the others expire, it is in the log, and the job says so."""
    BankAccount.objects.filter(pk=several[0].source_id).update(held=Decimal(0))
    with caplog.at_level(logging.ERROR):
        run = expire_holds(at=in_days(several[-1], 14))
    assert (run.expired, run.failed) == (4, 1)
    assert str(several[0].public_id) in caplog.text
    assert TransferOrder.objects.get(pk=several[0].pk).state == OrderState.HELD


def test_a_database_that_is_away_ends_the_run(several: list[TransferOrder], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each of thousands would wait for it by itself."""

    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("no such table: it is gone")

    monkeypatch.setattr(limits, "locked_limit", away)
    with pytest.raises(OperationalError):
        expire_holds(at=in_days(several[-1], 14))


def test_the_command_says_how_many_and_fails_where_one_is_left(
    held: TransferOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = StringIO()
    call_command("expire_holds", stdout=out)
    assert out.getvalue() == "0 held payments have expired.\n"
    monkeypatch.setattr(expiry.timezone, "now", lambda: in_days(held, 14))
    out = StringIO()
    call_command("expire_holds", stdout=out)
    assert out.getvalue() == "1 held payment has expired.\n"
    TransferOrder.objects.filter(pk=held.pk).update(state=OrderState.HELD)
    with pytest.raises(CommandError, match="1 could not be given back: see the log"):
        call_command("expire_holds", stdout=StringIO())


def test_the_bank_itself_does_it_and_nobody_signs_in_as_it(held: TransferOrder) -> None:
    expire_holds(at=in_days(held, 14))
    bank = User.objects.get(email=EMAIL)
    assert (bank.is_active, bank.has_usable_password(), bank.role) == (False, False, None)
