"""A customer takes back a held order that nobody has decided (R3.14)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount, User
from accounts.roles import Role
from audit.models import AuditEntry
from tests.acts import mails
from tests.asvs import proves
from tests.funds import funds, used_by
from tests.staff_acts import REASON, an_origin, entry_of, fresh_code, stored
from tests.tables import in_one_world
from transfers.accounts import closing
from transfers.history.staff import orders_seen_by
from transfers.ledger import holding, verification
from transfers.models import FraudAlert, OrderState, Payee, TransferOrder
from transfers.orders import cash
from transfers.orders.expiry import expire_holds
from transfers.orders.holds import (
    DecidedAlready,
    NotYourOrder,
    cancel_order,
    reject_order,
    release_order,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

AMOUNT = Decimal("12345.67")


# --- What it gives back ---------------------------------------------------------------------------------------


def test_the_money_and_the_limit_are_the_customers_again(
    alice: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder
) -> None:
    """R3.14: at once, with no clerk."""
    order = cancel_order(actor=alice, order=held)
    assert (order.state, order.decided_by, order.transaction) == (OrderState.CANCELLED, alice, None)
    assert (order.decided_at is not None, order.decision_reason) == (True, "")
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))
    assert funds(bobs) == (Decimal(0), Decimal(0))
    assert used_by(alice) == 0
    assert not Payee.objects.exists()
    assert list(verification.faults()) == []


def test_the_log_and_the_payer_are_told_and_the_payee_is_not(alice: Any, bob: Any, held: TransferOrder) -> None:
    """R3.14, R6.1: nothing had reached the payee."""
    cancel_order(actor=alice, order=held)
    entry = entry_of("TRANSFER_CANCELLED")
    assert (entry.actor_id, entry.subject_id, entry.evidence_digest) == (alice.pk, str(held.public_id), "")
    assert (entry.details["amount"], entry.details["hold_reason"]) == ("12345.67", "suspicious_amount")
    mail = mails(alice.email)[-1]
    assert mail.subject == "You cancelled your transfer of €12,345.67"
    for text in (mail.message, mail.html_message):
        for shown in ("was not sent", "you cancelled it", "yours to spend again", "If this was not you", "A boat"):
            assert shown in text
    assert not [mail for mail in mails(bob.email) if "12,345" in mail.message + mail.subject]


def test_its_alerts_stay_open_until_somebody_has_looked(alice: Any, sam: Any, held: TransferOrder) -> None:
    """R3.10: a thief who cancels in a hurry takes no alert away; support still sees what it is about."""
    cancel_order(actor=alice, order=held)
    states = FraudAlert.objects.filter(order=held).values_list("state", flat=True)
    assert set(states) == {"open"}
    assert held in orders_seen_by(sam, TransferOrder.objects.all())


def test_the_money_can_be_sent_again(alice: Any, held: TransferOrder, pay: Callable) -> None:
    cancel_order(actor=alice, order=held)
    assert pay("19999.99").state == OrderState.HELD


def test_the_same_payment_again_is_answered_with_the_cancelled_one(alice: Any, pay: Callable) -> None:
    """R3.5."""
    order = pay(AMOUNT, idempotency_key="the same key")
    cancel_order(actor=alice, order=order)
    again = pay(AMOUNT, idempotency_key="the same key")
    assert (again, again.state) == (order, OrderState.CANCELLED)


def test_held_money_is_in_the_way_of_closing_and_cancelled_money_is_not(
    alice: Any, household: BankAccount, savings: BankAccount, pay: Callable
) -> None:
    """R2.2: nobody has to wait for a clerk to leave."""
    order = pay("20000.00")
    with pytest.raises(closing.MoneyHeld):
        closing.close_account(actor=alice, account=household)
    cancel_order(actor=alice, order=order)
    pay("20000.00", target=savings)
    closing.close_account(actor=alice, account=household)


@in_one_world("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_it_works_for_any_status_of_the_accounts(
    status: AccountStatus, alice: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder, freeze: Callable
) -> None:
    """Nothing moves, so nothing stops it."""
    freeze(household)
    freeze(bobs, status)
    assert cancel_order(actor=alice, order=held).state == OrderState.CANCELLED
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))


# --- The limit over midnight ----------------------------------------------------------------------------------


@proves("V2.3.4")
def test_another_days_limit_is_not_given_back(alice: Any, pay: Callable) -> None:
    """R3.9: the day of the order is over, and later payments count today."""
    tomorrow = timezone.now() + timedelta(days=1)
    yesterdays = pay(AMOUNT)
    pay("5.00", at=tomorrow)
    cancel_order(actor=alice, order=yesterdays, at=tomorrow)
    assert used_by(alice) == Decimal(5)


def test_cancelled_after_midnight_with_nothing_paid_since_the_new_day_is_whole(alice: Any, pay: Callable) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    yesterdays = pay(AMOUNT)
    cancel_order(actor=alice, order=yesterdays, at=tomorrow)
    pay("5.00", at=tomorrow)
    assert used_by(alice) == Decimal(5)


# --- Cash at the counter --------------------------------------------------------------------------------------


@pytest.fixture
def large_cash(alice: Any, sam: Any, household: BankAccount) -> TransferOrder:
    return cash.withdraw_at_counter(
        origin=an_origin(), actor=sam, account=household, amount=Decimal("1000.01"),
        customer_code=fresh_code(alice), idempotency_key="much cash",
    )  # fmt: skip


def test_the_customer_cancels_cash_that_a_clerk_has_ordered_for_them(
    alice: Any, ada: Any, household: BankAccount, large_cash: TransferOrder
) -> None:
    """It is the customer's money that waits; they must not wait for a clerk."""
    cancel_order(actor=alice, order=large_cash)
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))
    assert used_by(alice) == 0
    mail = mails(alice.email)[-1]
    assert mail.subject == "You cancelled your withdrawal of €1,000.01"
    assert "was not paid out: you cancelled it" in mail.message
    with pytest.raises(DecidedAlready, match="The customer has cancelled this withdrawal already"):
        release_order(actor=ada, order=large_cash, reason=REASON)
    assert list(verification.faults()) == []


# --- Once, and by whom ----------------------------------------------------------------------------------------


def test_cancelling_again_does_nothing(alice: Any, held: TransferOrder, books: Callable) -> None:
    first = cancel_order(actor=alice, order=held)
    before, entries = books(), AuditEntry.objects.count()
    again = cancel_order(actor=alice, order=held)
    assert (again, again.decided_at) == (first, first.decided_at)
    assert (books(), AuditEntry.objects.count()) == (before, entries)


@in_one_world(
    ("decide", "told"),
    [
        (lambda sam, held: release_order(actor=sam, order=held, reason=REASON), "We have released this transfer"),
        (lambda sam, held: reject_order(actor=sam, order=held, reason=REASON), "We have rejected this transfer"),
        (lambda sam, held: expire_holds(at=held.expires_at), "This transfer has expired: nobody decided on it in time"),
    ],
)
def test_a_late_customer_is_told_what_has_happened_and_not_by_which_clerk(
    decide: Callable, told: str, alice: Any, sam: Any, held: TransferOrder, books: Callable
) -> None:
    decide(sam, held)
    before = books()
    with pytest.raises(DecidedAlready, match=told) as refused:
        cancel_order(actor=alice, order=held)
    assert "Sam" not in str(refused.value)
    assert books() == before
    entry = AuditEntry.objects.get(action="TRANSFER_REFUSED")
    assert (entry.actor_id, entry.details) == (alice.pk, {"decision": "cancel", "reason": "wrong_status"})


@in_one_world("decide", [release_order, reject_order])
def test_staff_who_come_too_late_are_told_that_the_customer_has_cancelled(
    decide: Callable, alice: Any, sam: Any, held: TransferOrder, books: Callable
) -> None:
    cancel_order(actor=alice, order=held)
    before = books()
    with pytest.raises(DecidedAlready, match="The customer has cancelled this transfer already"):
        decide(actor=sam, order=held, reason=REASON)
    assert books() == before


def test_what_was_never_held_cannot_be_cancelled(alice: Any, pay: Callable, books: Callable) -> None:
    order = pay("5.00")
    before = books()
    with pytest.raises(DecidedAlready, match="This transfer was carried out at once"):
        cancel_order(actor=alice, order=order)
    assert books() == before


@proves("V2.3.4")
@in_one_world(
    ("name", "refusal"),
    [("bob", NotYourOrder), ("charlie", NotYourOrder), ("sam", PermissionDenied), ("ada", PermissionDenied)],
)
def test_nobody_else_cancels_it(
    name: str, refusal: type[Exception], held: TransferOrder, books: Callable, request: pytest.FixtureRequest
) -> None:
    """R1.7: neither the payee, who never saw it, nor staff, who reject it with a reason."""
    actor, before = request.getfixturevalue(name), books()
    with pytest.raises(refusal):
        cancel_order(actor=actor, order=held)
    assert books() == before
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.HELD


def test_a_customer_who_is_locked_cancels_nothing(alice: Any, held: TransferOrder) -> None:
    """R1.5."""
    User.objects.filter(pk=alice.pk).update(locked_at=timezone.now())
    with pytest.raises(PermissionDenied):
        cancel_order(actor=stored(alice), order=held)


def test_a_decision_behind_the_lock_is_noticed_and_nothing_is_given_back(
    alice: Any, held: TransferOrder, books: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.4: on an engine that ignores lock hints, the conditional UPDATE finds out."""

    def somebody_is_faster(*args: Any, **kwargs: Any) -> None:
        release_hold(*args, **kwargs)
        TransferOrder.objects.filter(pk=held.pk).update(state=OrderState.REJECTED)

    release_hold, before = holding.release_hold, books()
    monkeypatch.setattr(holding, "release_hold", somebody_is_faster)
    with pytest.raises(DecidedAlready):
        cancel_order(actor=alice, order=held)
    assert books() == before


@in_one_world("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_a_cancelled_or_expired_order_has_no_transaction(state: OrderState, sam: Any, held: TransferOrder) -> None:
    """R3.1: refused by the database itself."""
    release_order(actor=sam, order=held, reason=REASON)
    with pytest.raises(IntegrityError), transaction.atomic():
        TransferOrder.objects.filter(pk=held.pk).update(state=state)


@in_one_world("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_an_order_that_ended_without_giving_its_hold_back_is_named(state: OrderState, held: TransferOrder) -> None:
    """`verify_ledger`: a state that was written into the table by hand."""
    TransferOrder.objects.filter(pk=held.pk).update(state=state)
    assert list(verification.faults()) == [
        f"account {held.source_id}: 12345.67 is held, its waiting orders add up to 0"
    ]


def test_a_second_clerk_may_still_be_any(alice: Any, make_user: Callable, pay: Callable) -> None:
    """After a cancelled one, the next is decided like any other."""
    cancel_order(actor=alice, order=pay(AMOUNT))
    clerk = make_user("Sonja", Role.SUPPORT)
    assert release_order(actor=clerk, order=pay(AMOUNT), reason=REASON).state == OrderState.RELEASED
