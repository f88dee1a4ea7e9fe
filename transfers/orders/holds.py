"""Deciding on an order that is held: a second person releases or rejects it (R3.10).

Locks as everywhere: the customer's limit row, then accounts by id. Whoever decides at the same moment waits for that
row, and then finds the order decided; the conditional UPDATE says so also where a lock is not kept.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record, record_many
from foundation import outbox
from foundation.compiled import Select, Update
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction
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


_reject_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, _DECIDED))
_release_held = Update(_decide_if_held, TransferOrder._meta.pk, *map(_field, [*_DECIDED, "transaction"]))

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


def _decide(decision: "_Decision", once: Once, order: TransferOrder, at: datetime) -> TransferOrder:
    outcome = _decide_once(decision, once, order, at)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


@own_transaction
def _decide_once(decision: "_Decision", once: Once, order: TransferOrder, at: datetime) -> TransferOrder | Refusal:
    """The order as it is decided; or the refusal, which is recorded in the same transaction, whatever was written
    before it taken back."""
    try:
        try:
            with transaction.atomic():
                waiting, row = _locked(once.actor, order, at)
                if not _is_done(once, waiting):
                    decision(once, waiting, row, at)
                return waiting
        except IntegrityError:
            once.was_done()  # the key, at this very moment, for another order
            raise
    except Refusal as refusal:
        details = {"decision": once.act, "reason": refusal.code}
        concerns = order.source.owner
        record(Action.TRANSFER_REFUSED, actor=once.actor, subject=order, concerns=concerns, details=details, at=at)
        return refusal


def _release(once: Once, waiting: TransferOrder, row: CustomerLimit, at: datetime) -> None:
    if not row.user.can_sign_in:
        raise CustomerCannotSignIn(_LOCKED)  # whoever ordered it may be the reason for the lock (R1.5)
    is_payment = waiting.kind == OrderKind.PAYMENT
    known = known_payees.known_payee(row.user, waiting.target) if is_payment else None
    step_up.refuse_after_reset(row.user, OrderKind(waiting.kind), is_known=known is not None, at=at)
    require_untouched(waiting.source, waiting.target)
    holding.release_hold(waiting.source_id, waiting.amount, target_id=waiting.target_id)
    posting = _post(waiting, at)
    waiting.transaction = posting.as_row()
    _write_decision(waiting, OrderState.RELEASED, once, at)
    _record(Action.TRANSFER_RELEASED, once, waiting, at, posting)
    if is_payment:
        known_payees.remember(row.user, waiting, known, at=at)
        outbox.tell("payment_posted", order_id=waiting.pk)
    else:
        outbox.tell("cash_at_counter", order_id=waiting.pk)


def _reject(once: Once, waiting: TransferOrder, row: CustomerLimit, at: datetime) -> None:
    holding.release_hold(waiting.source_id, waiting.amount)
    limits.give_back(row, waiting.amount, charged_at=waiting.created_at)
    limits.keep(row)
    _write_decision(waiting, OrderState.REJECTED, once, at)
    _record(Action.TRANSFER_REJECTED, once, waiting, at)
    outbox.tell("order_rejected", order_id=waiting.pk)


_Decision = Callable[[Once, TransferOrder, CustomerLimit, datetime], None]


def _locked(actor: User, order: TransferOrder, at: datetime) -> tuple[TransferOrder, CustomerLimit]:
    """The order as it stands with its customer's limit row locked, and that row.

    Raises:
        NotYourself
        DecidedAlready: a deposit, which is never held.
    """
    owner = order.source.owner
    if owner is None:
        raise DecidedAlready
    row = limits.locked_limit(owner, at=at)
    waiting = _orders.instances(order.pk)[0]
    row.user = waiting.source.owner
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
        return ledger.post_many([records.movement_of(waiting, at=at)])[0]
    except AccountNotActive as error:
        side = SourceNotActive if error.account_id == waiting.source_id else TargetNotActive
        raise side(error.account_id) from error


def _write_decision(waiting: TransferOrder, state: OrderState, once: Once, at: datetime) -> None:
    waiting.state, waiting.decided_by, waiting.decided_at = state.value, once.actor, at
    waiting.decision_reason = once.reason
    decided = (waiting.state, once.actor.pk, at, once.reason)
    if waiting.transaction_id is None:
        is_held = _reject_held.execute(waiting.pk, *decided)
    else:
        is_held = _release_held.execute(waiting.pk, *decided, waiting.transaction_id)
    if not is_held:
        raise DecidedAlready
    close_alerts_of(waiting, actor=once.actor, note=once.reason, at=at)
    once.keep(at=at)


def _record(action: Action, once: Once, waiting: TransferOrder, at: datetime, posting: Posting | None = None) -> None:
    report = records.report_of(
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
