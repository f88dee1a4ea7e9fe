"""How a held order ends: a second person releases or rejects it (R3.10), its customer cancels it, or it expires
(R3.14). Exactly one of these happens, once.

The locks are the usual ones: the customer's limit row, then accounts by id. A second decision at the same moment waits
for that row, finds the order decided, and is told the outcome; the conditional UPDATE ensures it also where a lock is
not kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.people.the_bank import the_bank
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record, record_many
from foundation import outbox
from foundation.compiled import Select, Update
from foundation.refusals import NotFound, Refusal, WrongStatus
from foundation.transactions import own_repeatable_transaction, own_transaction
from transfers.ledger import holding
from transfers.ledger import posting as ledger
from transfers.ledger.posting import AccountNotActive, Posting
from transfers.models import CustomerLimit, OrderKind, OrderState, TransferOrder
from transfers.orders import known_payees, limits, records, step_up
from transfers.orders.cash import CustomerCannotSignIn
from transfers.orders.decision_keys import Once
from transfers.orders.ownership import require_untouched
from transfers.orders.screening import close_alerts_of, refuse_parties

_field: Any = TransferOrder._meta.get_field
_orders: Select = Select(lambda pk: records.order_with_sides().filter(pk=pk), TransferOrder._meta.pk)
_DECIDED = ("state", "decided_by", "decided_at", "decision_reason")


def _decide_if_held(pk: int, *values: Any) -> tuple[QuerySet[TransferOrder], dict[str, Any]]:
    """Return the statement for an order that is still held: a second decision at the same moment changes no row."""
    columns = dict(zip([*_DECIDED, "transaction"], values, strict=False))
    return TransferOrder.objects.filter(pk=pk, state=OrderState.HELD), columns


_end_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, _DECIDED))
_release_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, [*_DECIDED, "transaction"]))

_PERMISSION = "transfers.decide_held_transfer"
_LOCKED = "This customer is locked: reject the transfer, or unlock them first."


class DecidedAlready(WrongStatus):
    """It is not held any more, or never was; the text says what happened to it."""

    text = "Somebody else has decided this transfer already."


class NotYourOrder(NotFound):
    """It takes none of their money. Pages and API answer as if it did not exist: 404 (R1.7)."""


class SourceNotActive(AccountNotActive):
    text = "The account that the money leaves is frozen or closed: the transfer waits on, or reject it."


class TargetNotActive(AccountNotActive):
    text = "The account that the money goes to is frozen or closed: the transfer waits on, or reject it."


def release_order(
    *,
    actor: User,
    order: TransferOrder,
    reason: str,
    idempotency_key: str | None = None,
    at: datetime | None = None,
) -> TransferOrder:
    """Carry out a held order, as if it were ordered now: status and funds are checked again. Sender and receiver are
    told as about any payment; cash is handed out, or on the account, now. `reason` is for the audit log. A repeated
    decision under the same key returns the order, and does nothing.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor ordered, pays or is paid.
        DecidedAlready, IdempotencyConflict, AccountNotActive, InsufficientFunds, BalanceTooLarge,
        CustomerCannotSignIn, WaitsAfterReset, AccountUnreadable: refused, recorded; the order stays held.
    """
    require(actor, _PERMISSION)
    once = Once(actor, "release", str(order.public_id), checked_reason(reason), idempotency_key)
    return _decide(_release, once, order, at or timezone.now())


def reject_order(
    *,
    actor: User,
    order: TransferOrder,
    reason: str,
    idempotency_key: str | None = None,
    at: datetime | None = None,
) -> TransferOrder:
    """Give the customer the money back, whatever the account's status; the daily limit too, on the same day. A deposit
    has no effect.

    The customer reads `reason`, on the receipt and in a mail: it is written to them. A repeated decision under the same
    key returns the order, and does nothing.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor ordered, pays or is paid.
        DecidedAlready, IdempotencyConflict: refused, recorded.
    """
    require(actor, _PERMISSION)
    once = Once(actor, "reject", str(order.public_id), checked_reason(reason), idempotency_key)
    return _decide(_reject, once, order, at or timezone.now())


def may_cancel(user: User, order: TransferOrder) -> bool:
    """Return whether the user may cancel the order while it is held: it takes their money, or they pay in themselves.
    Cash that a clerk has taken is at the counter, and only the counter gives it back."""
    is_theirs = order.customer_account.owner_id == user.pk
    return is_theirs and (order.kind != OrderKind.DEPOSIT or order.initiator_id == user.pk)


def cancel_order(*, actor: User, order: TransferOrder, at: datetime | None = None) -> TransferOrder:
    """Let the customer take back an undecided order, whoever ordered it for them: they can spend the money again,
    whatever the account's status; the daily limit too, on the same day. They are told by mail.

    For an order that is cancelled already it returns the order, and does nothing. Alerts stay open: no clerk has looked
    at them, and a thief may cancel in a hurry.

    Raises:
        PermissionDenied, NotYourOrder
        DecidedAlready: released, rejected, expired, or never held; recorded.
    """
    require(actor, "transfers.transfer_own_money")
    if not may_cancel(actor, order):
        raise NotYourOrder
    now = at or timezone.now()
    try:
        return _end(_CANCELLED, actor, order, now)[0]
    except DecidedAlready as refusal:
        _record_refusal("cancel", refusal, actor, order, now)
        raise


def expire_order(*, order: TransferOrder, at: datetime) -> bool:
    """Give back an order that nobody has decided in time, in the bank's own name; return whether this call did it. The
    customer is told by mail; alerts stay open for staff.

    The bank itself acts, so it takes no actor: from the scheduler or the terminal only.

    Raises:
        ValueError: it does not expire yet.
    """
    if order.expires_at > at:
        raise ValueError(f"{order} waits on until {order.expires_at}.")
    try:
        return _end(_EXPIRED, the_bank(), order, at)[1]
    except DecidedAlready:
        return False


@dataclass(frozen=True)
class _Ending:
    """How a held order ends without a decision, and the mail about it."""

    state: OrderState
    action: Action
    event: str


_CANCELLED = _Ending(OrderState.CANCELLED, Action.TRANSFER_CANCELLED, "order_cancelled")
_EXPIRED = _Ending(OrderState.EXPIRED, Action.TRANSFER_EXPIRED, "order_expired")


@own_repeatable_transaction
def _end(ending: _Ending, actor: User, order: TransferOrder, at: datetime) -> tuple[TransferOrder, bool]:
    """Return the ended order, and whether this call ended it.

    Raises:
        DecidedAlready: it ended in another way.
    """
    waiting, row = _locked(order, at)
    if waiting.state == ending.state:
        return waiting, False
    if waiting.state != OrderState.HELD:
        raise DecidedAlready(what_has_happened(waiting, actor))
    _give_back(waiting, row)
    _write_decision(waiting, ending.state, actor, "", at)
    _record(ending.action, actor, waiting, at)
    outbox.tell(ending.event, order_id=waiting.pk)
    return waiting, True


def _decide(decision: "_Decision", once: Once, order: TransferOrder, at: datetime) -> TransferOrder:
    outcome = _decide_once(decision, once, order, at)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


@own_transaction
def _decide_once(decision: "_Decision", once: Once, order: TransferOrder, at: datetime) -> TransferOrder | Refusal:
    """Return the decided order; or the refusal, which is recorded in the same transaction, with all earlier writes
    undone."""
    try:
        try:
            with transaction.atomic():
                waiting, row = _locked(order, at)
                refuse_parties(once.actor, waiting)
                if not _is_done(once, waiting):
                    decision(once, waiting, row, at)
                return waiting
        except IntegrityError:
            once.was_done()  # the key, at this moment, for another order
            raise
    except Refusal as refusal:
        _record_refusal(once.act, refusal, once.actor, order, at)
        return refusal


def _release(once: Once, waiting: TransferOrder, row: CustomerLimit, at: datetime) -> None:
    is_deposit = waiting.kind == OrderKind.DEPOSIT
    if not row.user.can_sign_in and (waiting.is_by_its_customer or not is_deposit):
        raise CustomerCannotSignIn(_LOCKED)  # the person who ordered it may be the reason for the lock (R1.5)
    is_payment = waiting.kind == OrderKind.PAYMENT
    known = known_payees.known_payee(row.user, waiting.target) if is_payment else None
    if not is_deposit:
        step_up.refuse_after_reset(row.user, OrderKind(waiting.kind), is_known=known is not None, at=at)
    require_untouched(waiting.source, waiting.target)
    if not is_deposit:  # nothing is set aside for one
        holding.release_hold(waiting.source_id, waiting.amount, target_id=waiting.target_id)
    posting = _post(waiting, at)
    waiting.transaction = posting.as_row()
    _write_decision(waiting, OrderState.RELEASED, once.actor, once.reason, at)
    _close(once, waiting, at)
    _record(Action.TRANSFER_RELEASED, once.actor, waiting, at, posting=posting, reason=once.reason)
    if is_payment:
        known_payees.remember(row.user, waiting, known, at=at)
        outbox.tell("payment_posted", order_id=waiting.pk)
    elif is_deposit and waiting.is_by_its_customer:
        outbox.tell("deposit_released", order_id=waiting.pk)
    else:
        outbox.tell("cash_at_counter", order_id=waiting.pk)


def _reject(once: Once, waiting: TransferOrder, row: CustomerLimit, at: datetime) -> None:
    _give_back(waiting, row)
    _write_decision(waiting, OrderState.REJECTED, once.actor, once.reason, at)
    _close(once, waiting, at)
    _record(Action.TRANSFER_REJECTED, once.actor, waiting, at, reason=once.reason)
    outbox.tell("order_rejected", order_id=waiting.pk)


_Decision = Callable[[Once, TransferOrder, CustomerLimit, datetime], None]


def _locked(order: TransferOrder, at: datetime) -> tuple[TransferOrder, CustomerLimit]:
    """Return the order, with its customer's limit row locked, and that row."""
    customer: Any = order.customer_account.owner  # never one of the bank's own
    row = limits.locked_limit(customer, at=at)
    waiting = _orders.instances(order.pk)[0]
    row.user = waiting.customer_account.owner
    return waiting, row


def _is_done(once: Once, waiting: TransferOrder) -> bool:
    """Return whether this same decision was carried out before.

    Raises:
        DecidedAlready, IdempotencyConflict
    """
    if once.was_done():
        return True
    if waiting.state != OrderState.HELD:
        raise DecidedAlready(what_has_happened(waiting, once.actor))
    return False


def what_has_happened(order: TransferOrder, reader: User) -> str:
    """Return why the order cannot be decided any more: who was faster, or its outcome. A customer does not read which
    clerk it was."""
    what = OrderKind(order.kind).label.lower()
    if order.state == OrderState.CANCELLED:
        return f"The customer has cancelled this {what} already."
    if order.state == OrderState.EXPIRED:
        return f"This {what} has expired: nobody decided on it in time."
    if order.state == OrderState.POSTED:
        return f"This {what} was carried out at once: there is nothing to decide."
    verb = "released" if order.state == OrderState.RELEASED else "rejected"
    if reader.pk == order.customer_account.owner_id or order.decided_by is None:
        return f"We have {verb} this {what} already."
    return f"{order.decided_by.get_full_name()} has {verb} this {what} already."


def _post(waiting: TransferOrder, at: datetime) -> Posting:
    try:
        return ledger.post_many([records.movement_of(waiting, at=at)])[0]
    except AccountNotActive as error:
        side = SourceNotActive if error.account_id == waiting.source_id else TargetNotActive
        raise side(error.account_id) from error


def _give_back(waiting: TransferOrder, row: CustomerLimit) -> None:
    """Give back what the order took when it was held: the money set aside, and its part of a limit of the day, for what
    goes out or for what the customer pays in by themselves."""
    if waiting.kind in limits.OUTGOING_KINDS:
        holding.release_hold(waiting.source_id, waiting.amount)
    limits.give_back(row, waiting)
    limits.keep(row)


def _write_decision(waiting: TransferOrder, state: OrderState, actor: User, reason: str, at: datetime) -> None:
    waiting.state, waiting.decided_by, waiting.decided_at = state.value, actor, at
    waiting.decision_reason = reason
    decided = (waiting.state, actor.pk, at, reason)
    if waiting.transaction_id is None:
        is_held = _end_held.execute(waiting.pk, *decided)
    else:
        is_held = _release_held.execute(waiting.pk, *decided, waiting.transaction_id)
    if not is_held:
        raise DecidedAlready


def _close(once: Once, waiting: TransferOrder, at: datetime) -> None:
    """Close the alerts with the decision, and use up its key."""
    close_alerts_of(waiting, actor=once.actor, note=once.reason, at=at)
    once.keep(at=at)


def _record(
    action: Action, actor: User, waiting: TransferOrder, at: datetime, *, posting: Posting | None = None, **details: str
) -> None:
    report = records.report_of(
        waiting,
        action,
        actor=actor,
        concerns=waiting.customer_account.owner,
        at=at,
        posting=posting,
        hold_reason=waiting.hold_reason,
        **details,
    )
    record_many([report])


def _record_refusal(act: str, refusal: Refusal, actor: User, order: TransferOrder, at: datetime) -> None:
    details = {"decision": act, "reason": refusal.code}
    concerns = order.customer_account.owner
    record(Action.TRANSFER_REFUSED, actor=actor, subject=order, concerns=concerns, details=details, at=at)
