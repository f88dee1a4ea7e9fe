"""Deciding on an order that is held: a second person releases or rejects it (R3.10).

Locks as everywhere: the customer's limit row, then accounts by id. Whoever decides at the same moment waits for that
row, and then finds the order decided; the conditional UPDATE says so also where a lock is not kept.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record, record_many
from foundation import outbox
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction
from transfers.ledger import posting as ledger
from transfers.ledger.posting import AccountNotActive, Posting
from transfers.models import CustomerLimit, OrderKind, OrderState, TransferOrder
from transfers.orders import limits, step_up
from transfers.orders.cash import CustomerCannotSignIn
from transfers.orders.decision_keys import Once
from transfers.orders.ownership import require_untouched
from transfers.orders.placing import remember_payee
from transfers.orders.records import movement_of, report_of
from transfers.orders.screening import close_alerts_of, refuse_parties

_PERMISSION = "transfers.decide_held_transfer"
_LOCKED = "This customer is locked: reject the transfer, or unlock them first."


class DecidedAlready(WrongStatus):
    text = "Somebody else has decided this transfer already."


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
    told as of any payment; cash is handed out now. `reason` is for the audit log. The same decision again under the
    same key is answered with the order, and does nothing.

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
    """Let the customer have the money back, whatever status the account has; the daily limit too, on the same day.

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


def _decide(
    decision: Callable[[Once, TransferOrder, datetime], None], once: Once, order: TransferOrder, at: datetime
) -> TransferOrder:
    try:
        try:
            decision(once, order, at)
        except IntegrityError:
            once.was_done()  # the key, at this very moment, for another order
            raise
    except Refusal as refusal:
        details = {"decision": once.act, "reason": refusal.code}
        concerns = order.source.owner
        record(Action.TRANSFER_REFUSED, actor=once.actor, subject=order, concerns=concerns, details=details, at=at)
        raise
    return TransferOrder.objects.get(pk=order.pk)


@own_transaction
def _release(once: Once, order: TransferOrder, at: datetime) -> None:
    waiting, row = _locked(once.actor, order, at)
    if _is_done(once, waiting):
        return
    if not row.user.can_sign_in:
        raise CustomerCannotSignIn(_LOCKED)  # whoever ordered it may be the reason for the lock (R1.5)
    step_up.refuse_after_reset(row.user, OrderKind(waiting.kind), waiting.target, at=at)
    require_untouched(waiting.source, waiting.target)
    ledger.release_hold(waiting.source_id, waiting.amount, target_id=waiting.target_id)
    posting = _post(waiting, at)
    _write_decision(waiting, OrderState.RELEASED, once, at, transaction_id=posting.transaction_id)
    _record(Action.TRANSFER_RELEASED, once, waiting, at, posting)
    if waiting.kind == OrderKind.PAYMENT:
        remember_payee(row.user, waiting.target, at=at)
        outbox.tell("payment_posted", order_id=waiting.pk)
    else:
        outbox.tell("cash_at_counter", order_id=waiting.pk)


@own_transaction
def _reject(once: Once, order: TransferOrder, at: datetime) -> None:
    waiting, row = _locked(once.actor, order, at)
    if _is_done(once, waiting):
        return
    ledger.release_hold(waiting.source_id, waiting.amount)
    limits.give_back(row, waiting.amount, charged_at=waiting.created_at)
    _write_decision(waiting, OrderState.REJECTED, once, at)
    _record(Action.TRANSFER_REJECTED, once, waiting, at)
    outbox.tell("order_rejected", order_id=waiting.pk)


def _locked(actor: User, order: TransferOrder, at: datetime) -> tuple[TransferOrder, CustomerLimit]:
    """The order as it stands with its customer's limit row locked, and that row.

    Raises:
        NotYourself
        DecidedAlready: a deposit, which is never held.
    """
    if order.source.owner is None:
        raise DecidedAlready
    row = limits.locked_limit(order.source.owner, at=at)
    waiting = TransferOrder.objects.select_related("initiator", "source__owner", "target").get(pk=order.pk)
    refuse_parties(actor, waiting)
    return waiting, row


def _is_done(once: Once, waiting: TransferOrder) -> bool:
    """Whether this very decision was carried out before.

    Raises:
        DecidedAlready, IdempotencyConflict
    """
    if once.was_done():
        return True
    if waiting.state != OrderState.HELD:
        raise DecidedAlready
    return False


def _post(waiting: TransferOrder, at: datetime) -> Posting:
    try:
        return ledger.post_many([movement_of(waiting, at=at)])[0]
    except AccountNotActive as error:
        side = SourceNotActive if error.account_id == waiting.source_id else TargetNotActive
        raise side(error.account_id) from error


def _write_decision(waiting: TransferOrder, state: OrderState, once: Once, at: datetime, **outcome: Any) -> None:
    still_held = TransferOrder.objects.filter(pk=waiting.pk, state=OrderState.HELD)
    decided = {"decided_by": once.actor, "decided_at": at, "decision_reason": once.reason}
    if not still_held.update(state=state.value, **decided, **outcome):
        raise DecidedAlready
    close_alerts_of(waiting, actor=once.actor, note=once.reason, at=at)
    once.keep(at=at)


def _record(action: Action, once: Once, waiting: TransferOrder, at: datetime, posting: Posting | None = None) -> None:
    report = report_of(
        waiting,
        action,
        actor=once.actor,
        concerns=waiting.source.owner,
        at=at,
        posting=posting,
        hold_reason=waiting.hold_reason,
        reason=once.reason,
    )
    record_many([report])
