"""A second person releases or rejects a held order, exact to the cent (R3.9, R3.10)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount
from accounts.permission.reasons import ReasonMissing, ReasonTooLong
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from foundation.refusals import NotYourself
from tests.acts import mails
from tests.asvs import proves
from tests.funds import funds, used_by
from tests.staff_acts import REASON, agree, entry_of, stored
from tests.tables import in_one_world
from transfers.accounts import closing, freezing
from transfers.ledger import evidence, holding, verification
from transfers.ledger.posting import AccountNotActive
from transfers.models import CustomerLimit, FraudAlert, OrderState, Payee, TransferOrder
from transfers.orders import large_reversals
from transfers.orders.decision_keys import Once
from transfers.orders.holds import DecidedAlready, SourceNotActive, TargetNotActive, reject_order, release_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

DECISIONS = pytest.mark.parametrize("decide", [release_order, reject_order], ids=["release", "reject"])
AMOUNT = Decimal("12345.67")


# --- Releasing ----------------------------------------------------------------------------------------------


@in_one_world("name", ["sam", "ada"])
def test_release_posts_exactly_what_was_held(
    name: str,
    alice: Any,
    bob: Any,
    household: BankAccount,
    bobs: BankAccount,
    held: TransferOrder,
    request: pytest.FixtureRequest,
) -> None:
    clerk = request.getfixturevalue(name)
    order = release_order(actor=clerk, order=held, reason=REASON)
    assert (order.state, order.decided_by, order.decision_reason) == (OrderState.RELEASED, clerk, REASON)
    assert funds(household) == (Decimal("7654.33"), Decimal("7654.33"))
    assert funds(bobs) == (AMOUNT, AMOUNT)
    assert order.transaction is not None
    assert (order.transaction.amount, order.transaction.description) == (AMOUNT, "A boat")
    assert order.transaction.initiated_by == alice
    assert used_by(alice) == AMOUNT
    payee = Payee.objects.get(customer=alice, account=bobs)
    assert payee.first_paid_at == order.transaction.created_at == order.decided_at
    for user, subject in ((alice, "You sent €12,345.67"), (bob, "You received €12,345.67")):
        assert mails(user.email)[-1].subject == subject
        assert order.transaction.reference in mails(user.email)[-1].message
    assert list(verification.faults()) == []


def test_the_log_carries_who_released_it_why_and_the_evidence(alice: Any, sam: Any, held: TransferOrder) -> None:
    """R6.1, R6.3."""
    order = release_order(actor=sam, order=held, reason=REASON)
    entry = entry_of("TRANSFER_RELEASED")
    assert (entry.actor_id, entry.concerns_id, entry.subject_id) == (sam.pk, alice.pk, str(held.public_id))
    assert (entry.details["reason"], entry.details["hold_reason"]) == (REASON, "suspicious_amount")
    assert entry.details["reference"] == order.transaction.reference  # type: ignore[union-attr]
    assert len(entry.evidence_digest) == 64
    assert evidence.faults([entry]) == {}
    assert not AuditEntry.objects.filter(action="TRANSFER_CREATED", subject_id=str(held.public_id)).exists()


@DECISIONS
def test_the_alerts_of_an_order_close_with_the_decision(
    decide: Callable, sam: Any, held: TransferOrder, pay: Callable
) -> None:
    other = FraudAlert.objects.get(order=pay("1500.00"))
    decide(actor=sam, order=held, reason=REASON)
    closed = FraudAlert.objects.filter(order=held).values_list("state", "closed_by", "note").distinct()
    assert list(closed) == [("closed", sam.pk, REASON)]
    other.refresh_from_db()
    assert other.state == "open"


@in_one_world(("side", "refusal"), [("household", SourceNotActive), ("bobs", TargetNotActive)])
@in_one_world("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_an_account_frozen_or_closed_meanwhile_refuses_release_and_the_order_waits_on(
    side: str,
    refusal: type[AccountNotActive],
    status: AccountStatus,
    sam: Any,
    held: TransferOrder,
    freeze: Callable,
    books: Callable,
    request: pytest.FixtureRequest,
) -> None:
    account = request.getfixturevalue(side)
    freeze(account, status)
    before = books()
    with pytest.raises(refusal, match="frozen or closed"):
        release_order(actor=sam, order=held, reason=REASON)
    assert books() == before
    held.refresh_from_db()
    assert (held.state, held.decided_by) == (OrderState.HELD, None)
    entry = AuditEntry.objects.get(action="TRANSFER_REFUSED", actor_id=sam.pk)
    assert entry.details == {"decision": "release", "reason": "account_not_active"}
    assert FraudAlert.objects.filter(order=held, state="open").exists()
    freeze(account, AccountStatus.ACTIVE)
    release_order(actor=sam, order=held, reason=REASON)
    assert list(verification.faults()) == []


def test_a_receiver_who_closed_their_account_through_the_bank_gets_nothing(
    bob: Any, sam: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder
) -> None:
    closing.close_account(actor=bob, account=bobs)
    with pytest.raises(TargetNotActive):
        release_order(actor=sam, order=held, reason=REASON)
    reject_order(actor=sam, order=held, reason=REASON)
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))


def test_a_released_payment_can_be_reversed_by_two_administrators(
    ada: Any, sam: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder, make_user: Any
) -> None:
    # R5.8: it is as large as the held amount.
    adam = make_user("Adam", Role.ADMIN)
    released = release_order(actor=sam, order=held, reason=REASON)
    assert released.transaction is not None
    large_reversals.reverse_or_ask(actor=ada, transaction=released.transaction, reason=REASON)
    assert funds(bobs)[0] == released.amount
    agree(adam)
    assert [funds(household)[1], funds(bobs)[1]] == [Decimal("20000.00"), Decimal(0)]
    assert list(verification.faults()) == []


# --- Rejecting ----------------------------------------------------------------------------------------------


def test_rejection_gives_the_money_and_the_limit_back(
    alice: Any, bob: Any, sam: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder
) -> None:
    order = reject_order(actor=sam, order=held, reason="The invoice is a known fraud.")
    assert (order.state, order.decided_by, order.transaction) == (OrderState.REJECTED, sam, None)
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))
    assert funds(bobs) == (Decimal(0), Decimal(0))
    assert used_by(alice) == 0
    assert not Payee.objects.exists()
    entry = entry_of("TRANSFER_REJECTED")
    assert (entry.actor_id, entry.concerns_id, entry.evidence_digest) == (sam.pk, alice.pk, "")
    assert entry.details["reason"] == "The invoice is a known fraud."
    mail = mails(alice.email)[-1]
    assert mail.subject == "Your transfer of €12,345.67 was rejected"
    for text in (mail.message, mail.html_message):
        for shown in ("was not sent", "The reason: The invoice is a known fraud.", "yours to spend again"):
            assert shown in text
    assert not [mail for mail in mails(bob.email) if "12,345" in mail.message + mail.subject]
    assert list(verification.faults()) == []


def test_rejection_works_whatever_the_accounts_status(
    ada: Any, sam: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder, freeze: Callable
) -> None:
    freezing.freeze_account(actor=ada, account=household, reason=REASON)
    freeze(bobs, AccountStatus.CLOSED)
    assert reject_order(actor=sam, order=held, reason=REASON).state == OrderState.REJECTED
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))


def test_another_days_limit_is_not_given_back(alice: Any, sam: Any, pay: Callable) -> None:
    """R3.9: the day of the order is over, and later payments count today."""
    tomorrow = timezone.now() + timedelta(days=1)
    yesterdays = pay(AMOUNT)
    pay("5.00", at=tomorrow)
    reject_order(actor=sam, order=yesterdays, reason=REASON, at=tomorrow)
    assert used_by(alice) == Decimal(5)


def test_the_limit_never_falls_below_zero(alice: Any, sam: Any, held: TransferOrder) -> None:
    CustomerLimit.objects.filter(user=alice).update(used=Decimal(1))
    reject_order(actor=sam, order=held, reason=REASON)
    assert used_by(alice) == 0


def test_a_limit_given_back_behind_the_lock_is_noticed(alice: Any, held: TransferOrder) -> None:
    """R3.4: as where it is charged."""
    from django.db import OperationalError

    from transfers.orders import limits

    row = limits.locked_limit(alice, at=timezone.now())
    CustomerLimit.objects.filter(pk=row.pk).update(used=Decimal(1), version=row.version + 1)
    limits.give_back(row, held)
    with pytest.raises(OperationalError, match="could not serialize"):
        limits.keep(row)


def test_the_money_of_a_rejected_payment_can_be_sent_again(pay: Callable, sam: Any, held: TransferOrder) -> None:
    reject_order(actor=sam, order=held, reason=REASON)
    assert pay("19999.99").state == OrderState.HELD


# --- Who decides --------------------------------------------------------------------------------------------


@DECISIONS
@in_one_world("name", ["alice", "bob", "charlie", "audrey"])
def test_customers_and_auditors_decide_nothing(
    decide: Callable, name: str, held: TransferOrder, request: pytest.FixtureRequest, books: Callable
) -> None:
    """R1.7."""
    actor, before = request.getfixturevalue(name), books()
    for is_superuser in (False, True):
        actor.is_superuser = is_superuser
        with pytest.raises(PermissionDenied):
            decide(actor=actor, order=held, reason=REASON)
    assert books() == before


@proves("V2.3.5")
@DECISIONS
@in_one_world("name", ["alice", "bob"])
def test_neither_sender_nor_receiver_decides_even_as_staff(
    decide: Callable, name: str, held: TransferOrder, request: pytest.FixtureRequest, books: Callable
) -> None:
    """R5.2."""
    user = request.getfixturevalue(name)
    user.groups.set([Group.objects.get(name=Role.ADMIN)])
    before = books()
    with pytest.raises(NotYourself):
        decide(actor=stored(user), order=held, reason=REASON)
    assert books() == before
    assert AuditEntry.objects.get(action="TRANSFER_REFUSED", actor_id=user.pk).details["reason"] == "not_yourself"


@DECISIONS
def test_the_person_who_ordered_it_does_not_decide_it(decide: Callable, sam: Any, held: TransferOrder) -> None:
    TransferOrder.objects.filter(pk=held.pk).update(initiator=sam)
    with pytest.raises(NotYourself):
        decide(actor=sam, order=held, reason=REASON)


@DECISIONS
@in_one_world(("reason", "refusal"), [("", ReasonMissing), (" \n\t", ReasonMissing), ("x" * 301, ReasonTooLong)])
def test_without_a_reason_nothing_is_decided(
    decide: Callable, reason: str, refusal: type[Exception], sam: Any, held: TransferOrder, books: Callable
) -> None:
    before = books()
    with pytest.raises(refusal):
        decide(actor=sam, order=held, reason=reason)
    assert books() == before


@DECISIONS
@in_one_world("first", [release_order, reject_order], ids=["released", "rejected"])
def test_what_is_decided_is_decided(
    first: Callable, decide: Callable, sam: Any, ada: Any, held: TransferOrder, books: Callable
) -> None:
    """A stale form: another clerk was faster, and it says who."""
    first(actor=sam, order=held, reason=REASON)
    verb = {release_order: "released", reject_order: "rejected"}[first]
    before = books()
    with pytest.raises(DecidedAlready, match=f"^Sam Example has {verb} this transfer already.$"):
        decide(actor=ada, order=held, reason=REASON)
    assert books() == before


@DECISIONS
def test_a_decision_behind_the_lock_is_noticed(
    decide: Callable, sam: Any, held: TransferOrder, books: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.4: on an engine that ignores lock hints, the conditional UPDATE finds out."""

    def somebody_is_faster(*args: Any, **kwargs: Any) -> None:
        release_hold(*args, **kwargs)
        TransferOrder.objects.filter(pk=held.pk).update(state=OrderState.REJECTED)

    release_hold, before = holding.release_hold, books()
    monkeypatch.setattr(holding, "release_hold", somebody_is_faster)
    with pytest.raises(DecidedAlready):
        decide(actor=sam, order=held, reason=REASON)
    assert books() == before


@DECISIONS
def test_what_was_never_held_cannot_be_decided(
    decide: Callable, sam: Any, pay: Callable, household: BankAccount, books: Callable
) -> None:
    """A forged id."""
    deposit = household.orders_in.get()
    for order in (pay("5.00"), deposit):
        before = books()
        with pytest.raises(DecidedAlready):
            decide(actor=sam, order=order, reason=REASON)
        assert books() == before


@DECISIONS
def test_a_key_that_another_decision_takes_at_this_moment_is_a_conflict_and_recorded(
    decide: Callable, sam: Any, held: TransferOrder, pay: Callable, books: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.5, R6.1: for two customers' orders, whose locks do not meet, so that only the key itself can tell."""
    key, other = "one key for two", pay("5000.00")
    Once(sam, "release", str(other.public_id), REASON, key).keep(at=timezone.now())
    was_done, is_too_early = Once.was_done, [True]
    monkeypatch.setattr(Once, "was_done", lambda once: not is_too_early.pop() if is_too_early else was_done(once))
    before = books()
    with pytest.raises(IdempotencyConflict):
        decide(actor=sam, order=held, reason=REASON, idempotency_key=key)
    assert books() == before
    entry = AuditEntry.objects.get(action="TRANSFER_REFUSED", actor_id=sam.pk)
    assert entry.details["reason"] == "idempotency_conflict"
