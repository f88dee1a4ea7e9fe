"""One order, carried out once: what deposits, withdrawals and transfers have in common (R3.4, R3.5).

The steps of `place()` and why they stand in this order:

0. The same request again, after it was carried out, is answered with its order.
1. A place in the customer's minute, in a transaction of its own: refused tries count too (R3.9).
   Then the check of this kind of order, such as the customer's code at the counter, and the code that a payment
   needs (`step_up`): each is used up. Where they refuse, the same request is looked for once more, behind the limit
   row (2.): a second click comes too late for its code while the first is still running.
2. The money transaction. The customer's limit row is locked first, then the accounts by id, everywhere:
   one order rules out deadlocks, and a repeated request waits here for the first one.
3. The same key again, now that the first request is through: its order, if the inputs are the same.
4. Whether the payment needs a code, the daily limit, and the challenge that the code has vouched for, consumed (R3.6).
5. The fraud rules, and how much cash the customer was handed that day, then the ledger: a suspicious order is HELD
   instead of posted, and its amount set aside until `transfers.orders.holds` decides (R3.10).
6. Order, alerts, audit entry, payee and outbox row, in the same transaction.

A refusal rolls all of it back and is then recorded in the audit log.
"""

from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import BankAccount, User
from audit.actions import Action
from audit.services import record, record_many
from foundation import outbox
from foundation.idempotency import IdempotencyConflict, check_key
from foundation.limiter.limiter import LimitsUnavailable
from foundation.money import to_minor
from foundation.refusals import Refusal
from foundation.transactions import own_repeatable_transaction
from transfers.ledger import posting as ledger
from transfers.models import MAX_DESCRIPTION_CHARS, CustomerLimit, OrderKind, OrderState, Payee, TransferOrder
from transfers.orders import fraud, limits, screening, step_up
from transfers.orders.fraud import Rule
from transfers.orders.instruction import Instruction
from transfers.orders.ownership import require_untouched
from transfers.orders.records import details_of, mark_posted, movement_of, report_of, report_of_posted
from transfers.orders.step_up import Proof, StepUpRequired

_REFUSED = {
    OrderKind.DEPOSIT: Action.DEPOSIT_REFUSED,
    OrderKind.WITHDRAWAL: Action.WITHDRAWAL_REFUSED,
    OrderKind.OWN_TRANSFER: Action.TRANSFER_REFUSED,
    OrderKind.PAYMENT: Action.TRANSFER_REFUSED,
}


def place(
    instruction: Instruction, *, check: Callable[[], None] | None = None, proof: Proof | None = None
) -> TransferOrder:
    """Carry the instruction out, or return the order it already became.

    The caller has checked permission and ownership. `check` raises the refusals of its own kind of order: it
    runs here, so that they are counted and recorded like all others.

    Raises:
        TooOften: the customer's minute is full, or too many wrong codes were given.
        StepUpRequired: with the challenge to give a code for; the same request with it takes no other place.
        Refusal: funds, limit, a frozen, closed or tampered account, a key used for something else, a wrong code. An
        order that is HELD is no refusal.
    """
    _check_bounds(instruction)
    # A request for what is done is answered at once: no limit, and no rule that holds by now, can refuse it.
    done = _done(instruction)
    if done is not None:
        return done
    customer, kind, token = instruction.customer, instruction.kind, instruction.submit_token
    try:
        limits.take_minute_place(customer, kind, token=token, at=instruction.at)
        require_untouched(instruction.source, instruction.target)
        return _done_meanwhile(instruction, check, proof) or _place(instruction, proof)
    except StepUpRequired as need:
        need.challenge = step_up.issue(instruction, need.why)
        raise
    except LimitsUnavailable:  # nobody said no to this: it could not be counted
        raise
    except Refusal as refusal:
        limits.spend_minute_place(customer, kind, token=token)
        _record_refusal(instruction, refusal.code)
        raise


def _done_meanwhile(
    instruction: Instruction, check: Callable[[], None] | None, proof: Proof | None
) -> TransferOrder | None:
    """Run the check of this kind of order, and look at the code. What the same request has used up, such as a code,
    this one cannot give again: then the answer is the order of that request, once it is through; None if all passed.

    Raises:
        Refusal: of a request that no other has carried out.
    """
    try:
        if check is not None:
            check()
        if proof is not None:
            step_up.give_code(instruction, proof)
    except LimitsUnavailable:  # nobody said no to this: it could not be counted
        raise
    except Refusal:
        done = _done_after_waiting(instruction)
        if done is None:
            raise
        return done
    return None


@own_repeatable_transaction
def _done_after_waiting(instruction: Instruction) -> TransferOrder | None:
    limits.locked_limit(instruction.customer, at=instruction.at)
    return _done(instruction)


@own_repeatable_transaction
def _place(instruction: Instruction, proof: Proof | None) -> TransferOrder:
    row = limits.locked_limit(instruction.customer, at=instruction.at)
    earlier = find_earlier(instruction)
    if earlier is not None:
        return earlier
    if instruction.kind in limits.OUTGOING_KINDS:
        _let_out(instruction, row, proof)
    rules: tuple[Rule, ...] = ()
    if instruction.kind == OrderKind.PAYMENT:
        rules = screening.rules_set_off(instruction.customer, instruction.amount, at=instruction.at)
    hold_reason = fraud.SECOND_CLERK if _needs_second_clerk(instruction) else fraud.hold_reason(rules)
    order = _hold_order(instruction, hold_reason) if hold_reason else post_order(instruction)
    screening.raise_alerts(order, rules, at=instruction.at)
    return order


def _let_out(instruction: Instruction, row: CustomerLimit, proof: Proof | None) -> None:
    """Charge a payment out to the limit row, and consume its code if it needs one.

    Raises:
        WaitsAfterReset, DailyLimitReached, StepUpRequired
    """
    why = step_up.why_needed(instruction, row)
    by_code = why is not None or instruction.served is not None
    limits.charge(row, instruction.amount, at=instruction.at, with_code=by_code)
    if why is not None:
        step_up.consume(instruction, why, proof)


def _needs_second_clerk(instruction: Instruction) -> bool:
    """Whether clerks would give this customer more cash on one day than they may without a second."""
    if instruction.kind != OrderKind.WITHDRAWAL or instruction.served is None:
        return False
    return screening.is_much_cash_out(instruction.served, instruction.amount, at=instruction.at)


def find_earlier(instruction: Instruction) -> TransferOrder | None:
    """The order this key became before, with the customer's limit row locked.

    Raises:
        IdempotencyConflict: it was for other inputs.
    """
    for pk, inputs_digest in _orders_of_key(instruction).values_list("pk", "inputs_digest"):
        if inputs_digest != instruction.inputs_digest:
            raise IdempotencyConflict
        return TransferOrder.objects.get(pk=pk)
    return None


def _done(instruction: Instruction) -> TransferOrder | None:
    """The order that this very request became before, whatever another with its key is about."""
    return _orders_of_key(instruction).filter(inputs_digest=instruction.inputs_digest).first()


def _orders_of_key(instruction: Instruction) -> QuerySet[TransferOrder]:
    return TransferOrder.objects.filter(initiator=instruction.actor, key_digest=instruction.key_digest)


def post_order(instruction: Instruction) -> TransferOrder:
    """Post, and write order, audit entry, payee and outbox row, and an alert of much cash brought to the counter;
    inside the caller's transaction, which holds the customer's limit row."""
    order = instruction.as_order()
    (posting,) = ledger.post_many([movement_of(order, at=instruction.at)])
    mark_posted(order, posting)
    order.save(force_insert=True)
    record_many([report_of_posted(order, posting)])
    if instruction.kind == OrderKind.PAYMENT:
        remember_payee(instruction.customer, instruction.target, at=instruction.at)
        outbox.tell("payment_posted", order_id=order.pk)
    elif instruction.served is not None:
        if instruction.kind == OrderKind.DEPOSIT:
            rules = screening.rules_of_cash_in(instruction.served, at=instruction.at)
            screening.raise_alerts(order, rules, at=instruction.at)
        outbox.tell("cash_at_counter", order_id=order.pk)
    return order


def _hold_order(instruction: Instruction, hold_reason: str) -> TransferOrder:
    """Set the money aside, and write an order that waits; no payee yet, and no word to the other side, whom nothing
    has reached."""
    ledger.hold(instruction.source.pk, instruction.amount, target_id=instruction.target.pk)
    order = instruction.as_order()
    order.state, order.hold_reason = OrderState.HELD.value, hold_reason
    order.save(force_insert=True)
    actions = [Action.TRANSFER_HELD]
    if hold_reason == Rule.SUSPICIOUS_AMOUNT:
        actions.append(Action.SUSPICIOUS_TRANSFER)
    record_many(
        report_of(
            order, action, actor=instruction.actor, concerns=instruction.served, at=instruction.at, reason=hold_reason
        )
        for action in actions
    )
    outbox.tell("order_held", order_id=order.pk)
    return order


def remember_payee(customer: User, account: BankAccount, *, at: datetime) -> None:
    """Whoever was paid is a known payee from here on.

    Two first payments at once do not both insert: whatever moves a customer's money holds their limit row. A
    removal in between takes no such lock; then the row is there or it is not, and both are right.
    """
    mine = Payee.objects.filter(customer=customer, account=account)
    if not mine.update(last_paid_at=at):
        Payee.objects.create(customer=customer, account=account, first_paid_at=at, last_paid_at=at)


def _check_bounds(instruction: Instruction) -> None:
    """What no form or schema should have let through; a fault of the program, not of the customer."""
    if to_minor(instruction.amount) <= 0:
        raise ValueError("An order's amount is positive.")
    if len(instruction.description) > MAX_DESCRIPTION_CHARS:
        raise ValueError("The description is too long.")
    check_key(instruction.idempotency_key)


def _record_refusal(instruction: Instruction, code: str) -> None:
    record(
        _REFUSED[instruction.kind],
        actor=instruction.actor,
        subject=instruction.source if not instruction.source.is_internal else instruction.target,
        concerns=instruction.served,
        details=details_of(instruction.as_order()) | {"reason": code},
        at=instruction.at,
    )
