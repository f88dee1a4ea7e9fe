"""What becomes of an order that is held: a second person releases or rejects it (R3.10), its customer cancels it, or
it expires (R3.14). One of these, once.

Locks as everywhere: the customer's limit row, then accounts by id. Whoever comes at the same moment waits for that
row, finds the order decided, and is told what has become of it; the conditional UPDATE says so also where a lock is
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
    """For an order that is held still: whoever decides at the same moment changes no row."""
    columns = dict(zip([*_DECIDED, "transaction"], values, strict=False))
    return TransferOrder.objects.filter(pk=pk, state=OrderState.HELD), columns


_end_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, _DECIDED))
_release_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, [*_DECIDED, "transaction"]))

_PERMISSION = "transfers.decide_held_transfer"
_LOCKED = "This customer is locked: reject the transfer, or unlock them first."


class DecidedAlready(WrongStatus):
    """It is not held any more, or never was; the text says what has become of it."""

    text = "Somebody else has decided this transfer already."


class NotYourOrder(NotFound):
    """It takes no money of theirs. Pages and API answer as if it did not exist: 404 (R1.7)."""


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
    """Carry out what is held, as if it were ordered now: status and funds are checked again. Sender and receiver are
    told as of any payment; cash is handed out, or on the account, now. `reason` is for the audit log. The same decision
    again under the same key is answered with the order, and does nothing.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor ordered, pays or is paid.
        DecidedAlready, IdempotencyConflict, AccountNotActive, InsufficientFunds, BalanceTooLarge,
        CustomerCannotSignIn, WaitsAfterReset, AccountUnreadable: refused, recorded; what was held is held on.
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
    """Let the customer have the money back, whatever status the account has; the daily limit too, on the same day. Of
    a deposit nothing is left.

    The customer reads `reason`, on the receipt and in a mail: it is written to them. The same decision again under
    the same key is answered with the order, and does nothing.

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
    Cash that a clerk has taken in lies at the counter, and only the counter gives it back."""
    is_theirs = order.customer_account.owner_id == user.pk
    return is_theirs and (order.kind != OrderKind.DEPOSIT or order.initiator_id == user.pk)


def cancel_order(*, actor: User, order: TransferOrder, at: datetime | None = None) -> TransferOrder:
    """Let the customer take back what nobody has decided on, whoever ordered it for them: the money is theirs to spend
    again, whatever status the account has; the daily limit too, on the same day. They are told by mail.

    Of an order that is cancelled already it returns the order, and does nothing. Alerts stay open: nobody has looked
    at what the rules said, and who cancels in a hurry may be a thief.

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
    """Give back what nobody has decided on until it was to expire, in the bank's own name; whether this very call did
    it. The customer is told by mail; alerts stay open for staff.

    By the bank itself, so it takes no actor: from the scheduler or the terminal only.

    Raises:
        ValueError: it is not to expire yet.
    """
    if order.expires_at > at:
        raise ValueError(f"{order} waits on until {order.expires_at}.")
    try:
        return _end(_EXPIRED, the_bank(), order, at)[1]
    except DecidedAlready:
        return False


@dataclass(frozen=True)
class _Ending:
    """How a held order ends without anybody's decision, and the mail of it."""

    state: OrderState
    action: Action
    event: str


_CANCELLED = _Ending(OrderState.CANCELLED, Action.TRANSFER_CANCELLED, "order_cancelled")
_EXPIRED = _Ending(OrderState.EXPIRED, Action.TRANSFER_EXPIRED, "order_expired")


@own_repeatable_transaction
def _end(ending: _Ending, actor: User, order: TransferOrder, at: datetime) -> tuple[TransferOrder, bool]:
    """Return the order as it ended so, and whether it did now, not before.

    Raises:
        DecidedAlready: it ended otherwise.
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
    """Return the order as it is decided; or the refusal, which is recorded in the same transaction, whatever was
    written before it taken back."""
    try:
        try:
            with transaction.atomic():
                waiting, row = _locked(order, at)
                refuse_parties(once.actor, waiting)
                if not _is_done(once, waiting):
                    decision(once, waiting, row, at)
                return waiting
        except IntegrityError:
            once.was_done()  # the key, at this very moment, for another order
            raise
    except Refusal as refusal:
        _record_refusal(once.act, refusal, once.actor, order, at)
        return refusal


def _release(once: Once, waiting: TransferOrder, row: CustomerLimit, at: datetime) -> None:
    is_deposit = waiting.kind == OrderKind.DEPOSIT
    if not row.user.can_sign_in and (waiting.is_by_its_customer or not is_deposit):
        raise CustomerCannotSignIn(_LOCKED)  # whoever ordered it may be the reason for the lock (R1.5)
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
    """Return the order as it stands with its customer's limit row locked, and that row."""
    customer: Any = order.customer_account.owner  # never one of the bank's own
    row = limits.locked_limit(customer, at=at)
    waiting = _orders.instances(order.pk)[0]
    row.user = waiting.customer_account.owner
    return waiting, row


def _is_done(once: Once, waiting: TransferOrder) -> bool:
    """Return whether this very decision was carried out before.

    Raises:
        DecidedAlready, IdempotencyConflict
    """
    if once.was_done():
        return True
    if waiting.state != OrderState.HELD:
        raise DecidedAlready(what_has_happened(waiting, once.actor))
    return False


def what_has_happened(order: TransferOrder, reader: User) -> str:
    """Return why nobody decides on the order any more: who was faster, or what it has come to. A customer does not read
    which clerk it was."""
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
    """What the order took when it was held: the money set aside, and its part of a limit of the day, of what goes out
    or of what the customer pays in by themselves."""
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
    """Whoever decides has looked: alerts close with it, and the key of the decision is used."""
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
