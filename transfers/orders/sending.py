"""Moving money out of one's own account, to another own account or to another customer (R3.2, R3.3)."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.roles import require
from foundation.refusals import Refusal
from transfers.ledger.posting import AccountNotActive
from transfers.models import OrderKind, StepUpChallenge, TransferOrder
from transfers.orders import ownership, step_up
from transfers.orders.instruction import Instruction
from transfers.orders.payee_names import NameGiven
from transfers.orders.placing import place
from transfers.orders.step_up import Proof, StepUpRequired


class SameAccount(Refusal):
    code = "same_account"
    text = "Choose two different accounts: money cannot be sent to the account it comes from."
    status = 422


class PayeeCannotReceive(Refusal):
    """Unknown, closed, frozen or the bank's own: the sender is not told which."""

    code = "payee_cannot_receive"
    text = "We cannot send money to this account. Please check the number with the person you are paying."


def transfer(
    *,
    actor: User,
    source: BankAccount,
    target: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    name_given: NameGiven | None = None,
    proof: Proof | None = None,
    at: datetime | None = None,
) -> TransferOrder:
    """Move `amount` (major units) from the actor's `source` to `target`, once for each idempotency key.

    The owner of the target decides whether it is a payment to another customer, with limits and mails, or a transfer
    between own accounts; the request does not. `proof` is the code that it may need (`step_up`).

    Args:
        name_given: the payee's name as the actor typed it, checked (`transfers.payees`). A payee whom they have paid
            before needs none.

    Raises:
        PermissionDenied: the actor's role sends no money.
        NotYourAccount: `source` belongs to another customer.
        NameNeeded: for a first payment.
        NameNotConfirmed: for a first payment, or if a known payee's own name is another.
        StepUpRequired, WrongStepUpCode, WaitsAfterReset, SameAccount, PayeeCannotReceive, InsufficientFunds,
        AccountNotActive, DailyLimitReached, IdempotencyConflict: refused, recorded, nothing moved.
        TooOften: more than five in a minute.
    """
    instruction = _instruction(actor, source, target, amount, idempotency_key, description, at, name_given)
    try:
        return place(instruction, check=lambda: _check_sides(source, target), proof=proof)
    except StepUpRequired as need:
        if instruction.name_given is not None:
            need.name_check = instruction.name_given.typed_check
            need.payee = instruction.name_given.read_as(instruction.as_order().payee_name)
        raise
    except AccountNotActive as error:
        if error.account_id == target.pk and instruction.kind == OrderKind.PAYMENT:
            raise PayeeCannotReceive from error
        raise


def challenge_for(
    *,
    actor: User,
    source: BankAccount,
    target: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    at: datetime | None = None,
) -> StepUpChallenge | None:
    """Return the challenge of a transfer that is about to be reviewed; None if it needs no code at present.

    Raises:
        PermissionDenied, NotYourAccount
        WaitsAfterReset
    """
    instruction = _instruction(actor, source, target, amount, idempotency_key, "", at)
    return step_up.challenge_ahead(instruction) if instruction.kind == OrderKind.PAYMENT else None


def _instruction(
    actor: User,
    source: BankAccount,
    target: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str,
    at: datetime | None,
    name_given: NameGiven | None = None,
) -> Instruction:
    require(actor, "transfers.transfer_own_money")
    ownership.require_owner(actor, source)
    kind = OrderKind.OWN_TRANSFER if target.owner_id == actor.pk else OrderKind.PAYMENT
    return Instruction(
        kind=kind,
        actor=actor,
        source=source,
        target=target,
        amount=amount,
        description=description,
        idempotency_key=idempotency_key,
        at=at or timezone.now(),
        name_given=name_given if kind == OrderKind.PAYMENT else None,
    )


def _check_sides(source: BankAccount, target: BankAccount) -> None:
    if source.pk == target.pk:
        raise SameAccount
    if target.is_internal:
        raise PayeeCannotReceive
