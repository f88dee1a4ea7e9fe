"""One order, carried out once: the steps that deposits, withdrawals and transfers share (R3.4, R3.5).

One transaction. The customer's limit row is locked first, then the accounts by id, everywhere: one order rules out
deadlocks, and a repeated request waits here for the first one. The steps under the lock, and why they have this order:

1. A repeated request, after the first was carried out, is answered with its order: no limit, and no newer rule, can
   refuse it. Then a place in the customer's minute: refused tries count too (R3.9).
2. Everything that can refuse it (`_judge`): the check of this kind of order, who owns the accounts, whether a new
   payee's name was confirmed or the payer sends anyway, whether the payment needs a code, the limits of the day, the
   fraud rules, how much cash staff took from or handed to the customer that day, status and funds. A suspicious order
   is HELD instead of posted until `transfers.orders.holds` decides, and money that is to leave an account is set aside
   there (R3.10).
3. Nothing was written so far. A refusal commits the place taken and its audit entry, and is raised after that: a
   process that dies in between leaves no try that was judged and not counted. Otherwise everything is written
   (`_write`): the ledger or the hold, the limit, the order, alerts, audit entry, payee, the code's challenge, outbox
   row. Nothing refuses any more, and an error rolls everything back.

Where a code has to be verified (`vouch`), that comes first, in transactions of its own, so that no refusal makes a used
code valid again: a place is taken for it ahead, and the money's transaction finds the place by its token. If the code
itself is used up, and not a challenge that stays verified, the transaction needs no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, FilteredRelation, OuterRef, Q

from accounts.models import User
from audit.actions import Action
from audit.services import Report, record_many
from foundation import outbox
from foundation.compiled import Select
from foundation.idempotency import IdempotencyConflict, check_key
from foundation.limiter.limiter import LimitsUnavailable
from foundation.money import to_minor
from foundation.refusals import Refusal
from foundation.transactions import own_repeatable_transaction
from transfers.ledger import holding
from transfers.ledger import posting as ledger
from transfers.models import MAX_DESCRIPTION_CHARS, CustomerLimit, DecisionKey, OrderKind, OrderState, TransferOrder
from transfers.orders import fraud, known_payees, limits, payee_names, records, screening, step_up
from transfers.orders.fraud import Rule
from transfers.orders.instruction import Instruction
from transfers.orders.known_payees import KnownPayee
from transfers.orders.ownership import require_untouched
from transfers.orders.step_up import Proof, StepUpRequired

_REFUSED = {
    OrderKind.DEPOSIT: Action.DEPOSIT_REFUSED,
    OrderKind.WITHDRAWAL: Action.WITHDRAWAL_REFUSED,
    OrderKind.OWN_TRANSFER: Action.TRANSFER_REFUSED,
    OrderKind.PAYMENT: Action.TRANSFER_REFUSED,
}

_field: Any = TransferOrder._meta.get_field
# One statement for every act that could have the key: a second one would be one more for each payment.
_of_key: Select = Select(
    lambda actor, digest, again: (
        User.objects.filter(pk=actor)
        .annotate(
            _order=FilteredRelation("orders", condition=Q(orders__key_digest=digest)),
            is_another_act=Exists(DecisionKey.objects.filter(actor=OuterRef("pk"), key_digest=again)),
        )
        .values_list("_order__pk", "_order__inputs_digest", "is_another_act")
    ),
    *(User._meta.pk, _field("key_digest"), _field("key_digest")),
)


def place(
    instruction: Instruction,
    *,
    check: Callable[[], None] | None = None,
    vouch: Callable[[], None] | None = None,
    proof: Proof | None = None,
) -> TransferOrder:
    """Carry the instruction out, or return the order that it already became.

    The caller has checked permission and ownership.

    Args:
        check: raises the refusals of its own kind of order, and writes nothing.
        vouch: verifies a code, which it uses up in transactions of its own; not together with a `proof`.
        proof: the code for the challenge of this payment (`step_up`), which is verified in the same way.

    Raises:
        TooOften: the customer's minute is full, or too many wrong codes were given.
        NameNeeded, NameNotConfirmed: for a payee whom the customer has not paid before, or knows by another name than
            they gave (`payee_names`).
        StepUpRequired: with the challenge to give a code for; a repeated request with it takes no other place.
        Refusal: funds, limit, a frozen, closed or tampered account, a key used for something else, a wrong code. A HELD
            order is not a refusal.
    """
    _check_bounds(instruction)
    has_used_code = vouch is not None
    if vouch is None and proof is not None:
        vouch = lambda: step_up.give_code(instruction, proof)  # noqa: E731
    outcome = _by_code(instruction, check, vouch) if vouch is not None else None
    if outcome is None:
        outcome = _carry_out(instruction, check, proof, [], has_used_code=has_used_code)
    if isinstance(outcome, ledger.BalanceTooLarge):
        raise _worded_for(instruction, outcome)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


def _worded_for(instruction: Instruction, refusal: ledger.BalanceTooLarge) -> ledger.BalanceTooLarge:
    """Return the same refusal in words that are true for its reader: whose account is full."""
    if instruction.kind == OrderKind.PAYMENT:
        return ledger.BalanceTooLarge(refusal.account_id, "The payee’s account cannot take an amount this large.")
    if instruction.served is None:
        text = f"Your balance would be above {ledger.largest_balance()}."
        return ledger.BalanceTooLarge(refusal.account_id, text)
    return refusal


def _check_bounds(instruction: Instruction) -> None:
    """Refuse what no form or schema should have let through; the program is at fault, not the customer."""
    if to_minor(instruction.amount) <= 0:
        raise ValueError("An order's amount is positive.")
    if len(instruction.description) > MAX_DESCRIPTION_CHARS:
        raise ValueError("The description is too long.")
    check_key(instruction.idempotency_key)


def _by_code(
    instruction: Instruction, check: Callable[[], None] | None, vouch: Callable[[], None]
) -> TransferOrder | Refusal | None:
    """Verify the code; return None if it is right. A code that the same request has used up cannot be given again: then
    return the order of that request, once it is through."""
    outcome = _begin(instruction)
    if outcome is not None:
        return outcome
    try:
        _check(instruction, check)
        vouch()
    except LimitsUnavailable:  # this is not a refusal: the try could not be counted
        raise
    except Refusal as refusal:
        return _refuse(instruction, refusal)
    return None


@own_repeatable_transaction
def _begin(instruction: Instruction) -> TransferOrder | Refusal | None:
    """Take the place for a code to be verified; return the order, if there is one, or the refusal that comes before any
    code: no place, or a key that was used for something else."""
    row = limits.locked_limit(instruction.customer, at=instruction.at)
    earlier = _earlier(instruction)
    if earlier is not None and earlier.is_same:
        return earlier.order()
    try:
        _take_place(instruction, row)
        if earlier is not None:
            raise IdempotencyConflict
    except Refusal as refusal:
        _write_refusal(instruction, row, refusal)
        return refusal
    limits.keep(row)
    return None


@own_repeatable_transaction
def _refuse(instruction: Instruction, refusal: Refusal) -> TransferOrder | Refusal:
    """Record the refusal of a code; or return the order that the same request has become meanwhile."""
    row = limits.locked_limit(instruction.customer, at=instruction.at)
    earlier = _earlier(instruction)
    if earlier is not None and earlier.is_same:
        return earlier.order()
    if not _is_refused(instruction, row):
        _write_refusal(instruction, row, refusal)
    return refusal


@own_repeatable_transaction
def _carry_out(
    instruction: Instruction,
    check: Callable[[], None] | None,
    proof: Proof | None,
    refusals: list[Refusal],
    *,
    has_used_code: bool,
) -> TransferOrder | Refusal:
    """Run the transaction of the money.

    Args:
        refusals: from runs before this one, whose answers to COMMIT were lost.
        has_used_code: a code is used up that nobody can give again. The place taken ahead for it stays valid, even if a
            second click, whose code came too late, has spent it meanwhile.
    """
    row = limits.locked_limit(instruction.customer, at=instruction.at)
    earlier = _earlier(instruction)
    if earlier is not None and earlier.is_same:
        return earlier.order()
    if refusals and _is_refused(instruction, row):
        return refusals[-1]
    try:
        if not has_used_code:
            _take_place(instruction, row)
        if earlier is not None:
            raise IdempotencyConflict
        judged = _judge(instruction, row, check, proof)
    except Refusal as refusal:
        _write_refusal(instruction, row, refusal)
        refusals.append(refusal)
        return refusal
    return _write(instruction, row, judged)


# --- What was done before ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Earlier:
    """What the key became before: an order, or another act (`decision_keys`)."""

    pk: Any  # of the order, if it is one
    is_same: bool

    def order(self) -> TransferOrder:
        return records.with_reversal(records.order_with_sides()).get(pk=self.pk)


def _earlier(instruction: Instruction) -> _Earlier | None:
    digest = instruction.key_digest
    ((pk, inputs_digest, is_another_act),) = _of_key.rows(instruction.actor.pk, digest, digest)
    if pk is None and not is_another_act:
        return None
    return _Earlier(pk, inputs_digest == instruction.inputs_digest and not is_another_act)


# --- Judging: reads and refuses -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _LetOut:
    """A payment out: whether a code was given for it, and the verified challenge that is used up with it."""

    by_code: bool
    challenge: int | None


@dataclass(frozen=True)
class _Judged:
    """An order that nothing refuses, with the findings on the way."""

    order: TransferOrder
    movement: ledger.Judged | holding.JudgedHold | None  # none for held cash: nothing is set aside for it
    rules: tuple[Rule, ...]
    known_payee: KnownPayee | None
    let_out: _LetOut | None


def _take_place(instruction: Instruction, row: CustomerLimit) -> None:
    limits.take_place(row, instruction.kind, token=instruction.submit_token, at=instruction.at)


def _is_refused(instruction: Instruction, row: CustomerLimit) -> bool:
    """Return whether a run before this one, of the same try, has committed its refusal."""
    return limits.is_spent_by(row, instruction.kind, a_try=instruction.a_try)


def _judge(
    instruction: Instruction, row: CustomerLimit, check: Callable[[], None] | None, proof: Proof | None
) -> _Judged:
    """Return what the order is to become, after checking everything that can refuse it. It writes nothing.

    Raises:
        Refusal
    """
    _check(instruction, check)
    order = instruction.as_order()
    known, let_out = None, None
    rules: tuple[Rule, ...] = ()
    if instruction.kind == OrderKind.PAYMENT:
        known = known_payees.known_payee(instruction.customer, instruction.target)
        payee_names.put_on_order(order, instruction.name_given, known)
        earlier = limits.earlier_payments(row, at=instruction.at)
        rules = screening.rules_set_off(_as_payment(instruction, known), earlier=earlier)
    if instruction.kind == OrderKind.DEPOSIT:
        if instruction.served is None:
            limits.refuse_above_cash_in(row, instruction.amount, at=instruction.at)
        rules = screening.rules_of_cash_in(instruction)
    if instruction.kind in limits.OUTGOING_KINDS:
        let_out = _let_out(instruction, row, proof, is_known=known is not None)
    order.hold_reason = fraud.SECOND_CLERK if _needs_second_clerk(instruction) else fraud.hold_reason(rules)
    if order.hold_reason:
        order.state = OrderState.HELD.value
        return _Judged(order, _judge_hold(instruction, order), rules, known, let_out)
    return _Judged(order, ledger.judge([records.movement_of(order, at=instruction.at)]), rules, known, let_out)


def _as_payment(instruction: Instruction, known: KnownPayee | None) -> fraud.Payment:
    return fraud.Payment(instruction.amount, instruction.at, is_first=known is None)


def _judge_hold(instruction: Instruction, order: TransferOrder) -> holding.JudgedHold | None:
    """Return what is set aside for an order that waits; None for a deposit. It refuses what posting the order now would
    refuse."""
    if instruction.kind == OrderKind.DEPOSIT:
        ledger.judge([records.movement_of(order, at=instruction.at)])
        return None
    return holding.judge_hold(instruction.source.pk, instruction.amount, target_id=instruction.target.pk)


def _check(instruction: Instruction, check: Callable[[], None] | None) -> None:
    require_untouched(instruction.source, instruction.target)
    if check is not None:
        check()


def _let_out(instruction: Instruction, row: CustomerLimit, proof: Proof | None, *, is_known: bool) -> _LetOut:
    """Check that a payment out keeps to the limits, and return with which code.

    Raises:
        WaitsAfterReset, DailyLimitReached, StepUpRequired
    """
    why = step_up.why_needed(instruction, row, is_known=is_known)
    limits.refuse_above_daily(row, instruction.amount, at=instruction.at)
    challenge = step_up.vouched(instruction, why, proof) if why is not None else None
    return _LetOut(by_code=challenge is not None or instruction.served is not None, challenge=challenge)


def _needs_second_clerk(instruction: Instruction) -> bool:
    """Return whether clerks would give this customer more cash on one day than they may without a second clerk."""
    if instruction.kind != OrderKind.WITHDRAWAL or instruction.served is None:
        return False
    return screening.is_much_cash_out(instruction.served, instruction.amount, at=instruction.at)


# --- Writing: nothing refuses any more ------------------------------------------------------------------------


def _write(instruction: Instruction, row: CustomerLimit, judged: _Judged) -> TransferOrder:
    order, let_out = judged.order, judged.let_out
    if let_out is not None:
        limits.charge(row, instruction.amount, at=instruction.at, with_code=let_out.by_code)
        if instruction.kind == OrderKind.PAYMENT:
            limits.note_payment(row, _as_payment(instruction, judged.known_payee), screening.thresholds())
        if let_out.challenge is not None:
            step_up.use_up(let_out.challenge, at=instruction.at)
    elif instruction.kind == OrderKind.DEPOSIT and instruction.served is None:
        limits.count_cash_in(row, instruction.amount, at=instruction.at)
    limits.keep(row)
    if isinstance(judged.movement, ledger.Judged):
        _write_posted(instruction, order, judged.movement, known_payee=judged.known_payee)
    else:
        _write_held(instruction, order, judged.movement)
    screening.raise_alerts(order, judged.rules, at=instruction.at)
    return order


def place_within(instruction: Instruction, row: CustomerLimit) -> TransferOrder:
    """Carry out an order that needs no code, inside the caller's transaction, which holds the customer's limit row, has
    looked for the key and taken the place in the minute. The caller rolls a refusal back and records it.

    Raises:
        Refusal
    """
    return _write(instruction, row, _judge(instruction, row, None, None))


def _write_posted(
    instruction: Instruction, order: TransferOrder, movement: ledger.Judged, *, known_payee: KnownPayee | None
) -> None:
    """Write the ledger, the order, its audit entry, payee and outbox row."""
    (posting,) = movement.write()
    records.mark_posted(order, posting)
    records.insert(order)
    record_many([records.report_of_posted(order, posting, **payee_names.word_given(instruction.name_given))])
    if instruction.kind == OrderKind.PAYMENT:
        known_payees.remember(instruction.customer, order, known_payee, at=instruction.at)
        outbox.tell("payment_posted", order_id=order.pk)
    elif instruction.served is not None:
        outbox.tell("cash_at_counter", order_id=order.pk)


def _write_held(instruction: Instruction, order: TransferOrder, movement: holding.JudgedHold | None) -> None:
    """Set the money aside, and write an order that waits; no payee yet, and no mail to the other side, which nothing
    has reached."""
    if movement is not None:
        movement.write()
    records.insert(order)
    actions = [Action.TRANSFER_HELD]
    if order.hold_reason == Rule.SUSPICIOUS_AMOUNT:
        actions.append(Action.SUSPICIOUS_TRANSFER)
    record_many(
        records.report_of(
            order,
            action,
            actor=instruction.actor,
            concerns=instruction.served,
            at=instruction.at,
            posting=None,
            reason=order.hold_reason,
            **payee_names.word_given(instruction.name_given),
        )
        for action in actions
    )
    outbox.tell("order_held", order_id=order.pk)


def _write_refusal(instruction: Instruction, row: CustomerLimit, refusal: Refusal) -> None:
    """Write the place that the try took, and the record of the refusal. A payment that needs a code keeps its place,
    for the same request with the code."""
    if isinstance(refusal, StepUpRequired):
        refusal.challenge = step_up.issue.joined(instruction, refusal.why)
    else:
        limits.spend_place(row, instruction.kind, token=instruction.submit_token, a_try=instruction.a_try)
        details = records.details_of(instruction.as_order()) | {"reason": refusal.code}
        record_many(
            [
                Report(
                    action=_REFUSED[instruction.kind],
                    actor=instruction.actor,
                    subject=instruction.source if not instruction.source.is_internal else instruction.target,
                    concerns=instruction.served,
                    details=details,
                    at=instruction.at,
                )
            ]
        )
    limits.keep(row)
