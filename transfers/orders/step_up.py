"""A code for one payment, which a stolen session does not have (R3.6, R1.8).

A first payment to another customer, and any payment out that brings the sum since the last code above STEP_UP_AMOUNT,
needs a code. An authenticator's code does not name a payment, so the bank keeps what the code is for: a
`StepUpChallenge`, for these accounts, this amount and this key. Three steps, each once:

1. issued, when the payment is reviewed or was tried without a code;
2. verified, in one transaction with the code, so that no refusal of the payment makes the code valid again;
3. used up by a conditional UPDATE in the payment's own transaction: a payment that is refused leaves it verified,
   for the same payment again, until its two minutes are over.

After a change of amount or account the challenge does not fit, and the customer is asked for another code. This is not
the dynamic linking of PSD2 (RTS article 5), for which the device would have to show amount and payee.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.signing_in import TryAgainIn
from accounts.sign_in.two_factor import WrongCode, verify_totp
from audit.actions import Action
from audit.services import record
from foundation.compiled import Insert, Select, Update
from foundation.limiter.limiter import TooOften
from foundation.locking import sweep
from foundation.refusals import Refusal
from foundation.transactions import own_transaction
from transfers.models import CustomerLimit, NameCheck, OrderKind, StepUpChallenge, StepUpReason
from transfers.names import SeenName
from transfers.orders import known_payees, limits
from transfers.orders.explanations import asking_for_code
from transfers.orders.instruction import Instruction

_KEPT = timedelta(days=1)

_field: Any = StepUpChallenge._meta.get_field
_BOUND_TO = ("customer", "source", "target", "amount", "currency", "key_digest")
_named: Select = Select(
    lambda public_id, at, *bound_to: StepUpChallenge.objects.filter(
        public_id=public_id, expires_at__gt=at, consumed_at__isnull=True, **dict(zip(_BOUND_TO, bound_to, strict=True))
    ),
    *map(_field, ["public_id", "expires_at", *_BOUND_TO]),
)
_waiting: Select = Select(
    lambda why, at, *bound_to: StepUpChallenge.objects.filter(
        why=why, expires_at__gt=at, verified_at__isnull=True, **dict(zip(_BOUND_TO, bound_to, strict=True))
    ).select_related("customer", "source", "target"),
    *map(_field, ["why", "expires_at", *_BOUND_TO]),
)
_consume = Update(
    lambda pk, at: (
        StepUpChallenge.objects.filter(pk=pk, verified_at__isnull=False, consumed_at__isnull=True),
        {"consumed_at": at},
    ),
    *(StepUpChallenge._meta.pk, _field("consumed_at")),
)
_insert = Insert(StepUpChallenge)


@dataclass(frozen=True)
class Proof:
    """The code that a customer gives, and its challenge."""

    origin: Origin
    challenge_id: UUID
    code: str


class StepUpRequired(Refusal):
    """The payment needs a code for `challenge`, which was issued in the transaction that keeps the place of this
    try."""

    code = "step_up_required"
    status = 403
    challenge: StepUpChallenge
    # The payee, where a name was given: before the customer gives the code, they must read a near match.
    payee: SeenName | None = None
    name_check: NameCheck | None = None

    def __init__(self, why: StepUpReason, text: str | None = None) -> None:
        super().__init__(text or asking_for_code(why))
        self.why = why

    def more(self) -> dict[str, Any]:
        """Return the challenge: the same request again, with its id and a code, goes through."""
        challenge = self.challenge
        asked = {"id": str(challenge.public_id), "expires_at": challenge.expires_at, "why": self.why.value}
        if self.payee is None or self.name_check is None:
            return {"challenge": asked}
        return {"challenge": asked, "payee_name": self.payee.name, "name_check": self.name_check.value}


class CodeTooLate(StepUpRequired):
    """The challenge is over, was used, or is for another payment: the code was not checked."""

    def __init__(self, why: StepUpReason) -> None:
        super().__init__(
            why, "The time for this code is over, or something has changed. Enter a code for it as it is now."
        )


class ForeignChallenge(CodeTooLate):
    """The challenge is somebody else's, which the answer does not tell."""

    forgery = "foreign_challenge"


class WrongStepUpCode(Refusal):
    code = "wrong_step_up_code"
    text = WrongCode.text
    status = 403


class TooManyCodes(TooOften):
    """Too many wrong codes, counted together with sign-in (R1.4); this one was not checked."""


class WaitsAfterReset(Refusal):
    """A person who talked the bank into a reset, or found the recovery codes, may be an impostor: money to strangers
    and cash wait a day (R1.8)."""

    code = "waits_after_reset"
    status = 403

    def __init__(self, until: datetime) -> None:
        when = date_format(timezone.localtime(until), "DATETIME_FORMAT")
        super().__init__(
            "After two-factor sign-in was reset or set up anew with a recovery code, or the bank has changed an e-mail "
            f"address, first transfers to somebody and cash withdrawals wait {settings.HARDENED_HOURS} hours: "
            f"until {when}."
        )
        self.until = until

    def more(self) -> dict[str, Any]:
        return {"until": self.until}


def why_needed(instruction: Instruction, row: CustomerLimit | None, *, is_known: bool) -> StepUpReason | None:
    """Return why this payment out needs a code, by the customer's limit row (locked, where it decides) and whether they
    have paid to this account before; None if it needs none.

    Raises:
        WaitsAfterReset: no code helps yet.
    """
    is_new = instruction.kind == OrderKind.PAYMENT and not is_known
    if is_new or instruction.kind == OrderKind.WITHDRAWAL:
        _refuse_after_reset(instruction.customer, instruction.at)
    if instruction.served is not None:  # they gave a code at the counter
        return None
    if is_new:
        return StepUpReason.NEW_PAYEE
    out = row.out_since_code if row is not None else Decimal(0)
    return StepUpReason.AMOUNT if out + instruction.amount > settings.STEP_UP_AMOUNT else None


def refuse_after_reset(customer: User, kind: OrderKind, *, is_known: bool, at: datetime) -> None:
    """Refuse payments that wait a day after a reset, even if ordered before it, such as a held order that is to be
    released.

    Raises:
        WaitsAfterReset
    """
    if kind == OrderKind.WITHDRAWAL or not is_known:
        _refuse_after_reset(customer, at)


def why_waits(customer: User) -> str:
    """Return what a customer reads whose first payments and withdrawals wait after a reset; "" if they do not."""
    try:
        _refuse_after_reset(customer, timezone.now())
    except WaitsAfterReset as refusal:
        return str(refusal)
    return ""


def _refuse_after_reset(customer: User, at: datetime) -> None:
    if customer.hardened_at is None:
        return
    until = customer.hardened_at + timedelta(hours=settings.HARDENED_HOURS)
    if until > at:
        raise WaitsAfterReset(until)


def challenge_ahead(instruction: Instruction) -> StepUpChallenge | None:
    """Return the challenge for a payment that is about to be reviewed; None if it needs no code at present.

    Raises:
        WaitsAfterReset
    """
    row = limits.limit_of(instruction.customer)
    is_known = known_payees.is_known(instruction.customer, instruction.target)
    why = why_needed(instruction, row, is_known=is_known)
    return issue(instruction, why) if why is not None else None


@own_transaction
def issue(instruction: Instruction, why: StepUpReason) -> StepUpChallenge:
    """Return a new challenge for this payment, or one that has just begun to wait for its code. It deletes those that
    are over."""
    sweep(StepUpChallenge.objects.filter(expires_at__lt=instruction.at - _KEPT))
    lasts = timedelta(seconds=settings.STEP_UP_SECONDS)
    for waiting in _waiting.instances(why.value, instruction.at + lasts / 2, *_binding(instruction)):
        return waiting
    challenge = StepUpChallenge(
        customer=instruction.customer,
        source=instruction.source,
        target=instruction.target,
        amount=instruction.amount,
        currency=settings.CURRENCY,
        key_digest=instruction.key_digest,
        why=why.value,
        created_at=instruction.at,
        expires_at=instruction.at + lasts,
    )
    _insert.save(challenge)
    _record(Action.STEP_UP_REQUIRED, challenge, instruction.at)
    return challenge


def give_code(instruction: Instruction, proof: Proof) -> None:
    """Verify the challenge with the code. A challenge that is verified already needs no other code: a second click.

    If the challenge is over, used or for another payment, the code is not checked and stays valid: `vouched` decides,
    with the customer's limit row locked, whether the payment needs one.

    Raises:
        WrongStepUpCode, TooManyCodes
    """
    challenge = _usable(instruction, proof)
    if challenge is None or challenge.verified_at is not None:
        return
    try:
        verify_fresh_code(
            actor=instruction.actor,
            code=proof.code,
            origin=proof.origin,
            verify=lambda person, code: _verify(person, code, challenge, instruction.at),
            only_for=f"challenge {challenge.pk}",
        )
    except TryAgainIn as error:
        raise WrongStepUpCode(str(error)) from error
    except WrongCode as error:
        raise WrongStepUpCode from error
    except TooOften as error:
        raise TooManyCodes(error.retry_after) from error


@own_transaction
def _verify(person: User, code: str, challenge: StepUpChallenge, at: datetime) -> StepUpChallenge | None:
    """Use up the code and mark the challenge, in one transaction. It raises nothing: a wrong code must stay counted.

    The code's device is locked meanwhile, so the second of two clicks finds the challenge verified by the first.
    """
    if verify_totp(person, code) is not None:
        StepUpChallenge.objects.filter(pk=challenge.pk, verified_at__isnull=True).update(verified_at=at)
        _record(Action.STEP_UP_GIVEN, challenge, at)
        return challenge
    return StepUpChallenge.objects.filter(pk=challenge.pk, verified_at__isnull=False).first()


def vouched(instruction: Instruction, why: StepUpReason, proof: Proof | None) -> int:
    """Return the verified challenge for this payment, to be used up with it.

    Raises:
        StepUpRequired: none was given; CodeTooLate: none is for this payment, verified, in time and unused.
    """
    if proof is None:
        raise StepUpRequired(why)
    found = _usable(instruction, proof)
    if found is None or found.verified_at is None:
        theirs = StepUpChallenge.objects.filter(public_id=proof.challenge_id).exclude(customer=instruction.customer)
        raise ForeignChallenge(why) if theirs.exists() else CodeTooLate(why)
    return found.pk


def use_up(challenge_id: int, *, at: datetime) -> None:
    """Use a verified challenge up, in the payment's transaction: once.

    Raises:
        OperationalError: another transaction was faster; the caller's retry repeats everything.
    """
    if not _consume.execute(challenge_id, at):
        raise OperationalError("could not serialize: the code's challenge was used without the customer's lock")


def _usable(instruction: Instruction, proof: Proof) -> StepUpChallenge | None:
    """Return the challenge named, if it is for this payment, in time and unused."""
    found = _named.instances(proof.challenge_id, instruction.at, *_binding(instruction))
    return next(iter(found), None)


def _binding(instruction: Instruction) -> tuple[Any, ...]:
    """Return what a challenge is for, in the order of `_BOUND_TO`; all of it must be the same when it is used."""
    sides = (instruction.customer.pk, instruction.source.pk, instruction.target.pk)
    return (*sides, instruction.amount, settings.CURRENCY, instruction.key_digest)


def _record(action: Action, challenge: StepUpChallenge, at: datetime) -> None:
    details = {
        "why": challenge.why,
        "amount": str(challenge.amount),
        "source": str(challenge.source),
        "target": str(challenge.target),
    }
    record(action, actor=challenge.customer, subject=challenge, concerns=challenge.customer, details=details, at=at)
