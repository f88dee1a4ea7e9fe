"""Moving money out of one's own account, to another of one's own or to another customer (R3.2, R3.3)."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.roles import require
from transfers.ledger import AccountNotActive
from transfers.models import OrderKind, TransferOrder
from transfers.refusals import Refusal
from transfers.services import ownership
from transfers.services.orders import Instruction, place


class SameAccount(Refusal):
    code = "same_account"
    text = "Choose two different accounts: money cannot be sent to the account it comes from."


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
    at: datetime | None = None,
) -> TransferOrder:
    """Move `amount` (major units) from the actor's `source` to `target`, once for each idempotency key.

    Whether it is a payment to somebody else, with limits and mails, or a transfer between own accounts is
    decided by who owns the target, not by what the request says.

    Raises:
        PermissionDenied: the actor's role sends no money.
        NotYourAccount: `source` is somebody else's.
        SameAccount, PayeeCannotReceive, InsufficientFunds, AccountNotActive, DailyLimitReached,
        IdempotencyConflict: refused, recorded, nothing moved.
        TooOften: more than five in a minute.
    """
    require(actor, "transfers.transfer_own_money")
    ownership.require_owner(actor, source)
    kind = OrderKind.OWN_TRANSFER if target.owner_id == actor.pk else OrderKind.PAYMENT
    instruction = Instruction(
        kind=kind,
        actor=actor,
        source=source,
        target=target,
        amount=amount,
        description=description,
        idempotency_key=idempotency_key,
        at=at or timezone.now(),
    )
    try:
        return place(instruction, check=lambda: _check_sides(source, target))
    except AccountNotActive as error:
        if error.account_id == target.pk and kind == OrderKind.PAYMENT:
            raise PayeeCannotReceive from error
        raise


def _check_sides(source: BankAccount, target: BankAccount) -> None:
    if source.pk == target.pk:
        raise SameAccount
    if target.is_internal:
        raise PayeeCannotReceive
