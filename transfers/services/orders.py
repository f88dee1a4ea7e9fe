"""One order, carried out once: what deposits, withdrawals and transfers have in common (R3.4, R3.5).

The steps of `place()` and why they stand in this order:

0. The same request again, after it was carried out, is answered with its order.
1. A place in the customer's minute, in a transaction of its own: refused tries count too (R3.9).
2. The money transaction. The customer's limit row is locked first, then the accounts by id, everywhere:
   one order rules out deadlocks, and a repeated request waits here for the first one.
3. The same key again, now that the first request is through: its order, if the inputs are the same.
4. The daily limit. (The step-up code will be consumed here, R3.6.)
5. The ledger. (Fraud rules will stand before it: a suspicious order is HELD instead of posted, R3.10.)
6. Order, audit entry and outbox row, in the same transaction.

A refusal rolls all of it back and is then recorded in the audit log.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from accounts import outbox
from accounts.concurrency import own_transaction
from accounts.limiter import TooOften
from accounts.models import BankAccount, User
from accounts.money import to_minor
from audit.actions import Action
from audit.services import record
from transfers import ledger, limits
from transfers.identifiers import digest_of_key
from transfers.models import (
    MAX_DESCRIPTION_CHARS,
    OrderKind,
    OrderState,
    TransactionKind,
    TransferOrder,
)
from transfers.refusals import Refusal

_TRANSACTION_KINDS = {
    OrderKind.DEPOSIT: TransactionKind.DEPOSIT,
    OrderKind.WITHDRAWAL: TransactionKind.WITHDRAWAL,
    OrderKind.OWN_TRANSFER: TransactionKind.TRANSFER,
    OrderKind.PAYMENT: TransactionKind.TRANSFER,
}
_DONE = {
    OrderKind.DEPOSIT: Action.DEPOSIT_CREATED,
    OrderKind.WITHDRAWAL: Action.WITHDRAWAL_CREATED,
    OrderKind.OWN_TRANSFER: Action.TRANSFER_CREATED,
    OrderKind.PAYMENT: Action.TRANSFER_CREATED,
}
_REFUSED = {
    OrderKind.DEPOSIT: Action.DEPOSIT_REFUSED,
    OrderKind.WITHDRAWAL: Action.WITHDRAWAL_REFUSED,
    OrderKind.OWN_TRANSFER: Action.TRANSFER_REFUSED,
    OrderKind.PAYMENT: Action.TRANSFER_REFUSED,
}


class IdempotencyConflict(Refusal):
    """The key was used before, for something else."""

    code = "idempotency_conflict"
    text = "This form was already used for something else. Please start again."


def check_key(idempotency_key: str) -> None:
    """Raises: ValueError, for a key too short to be one's own or too long to be one."""
    if not 8 <= len(idempotency_key) <= 200:
        raise ValueError("An idempotency key has 8 to 200 characters.")


@dataclass(frozen=True)
class Instruction:
    """What to do, by whom, and the key under which it happens once. `amount` in major units, `at` in UTC.

    `actor` is who asks: the customer, or staff acting for them. Limits and the queue are the customer's.
    """

    kind: OrderKind
    actor: User
    source: BankAccount
    target: BankAccount
    amount: Decimal
    idempotency_key: str
    at: datetime
    description: str = ""

    @property
    def customer(self) -> User:
        """The owner of the side that is a customer's."""
        account = self.target if self.kind == OrderKind.DEPOSIT else self.source
        owner = self.actor if account.owner_id == self.actor.pk else account.owner
        if owner is None:
            raise ValueError("An order moves a customer's money.")
        return owner

    @property
    def key_digest(self) -> str:
        return digest_of_key(self.idempotency_key)

    @property
    def inputs_digest(self) -> str:
        # The bank's own side is left out: which cash row is used may differ between two tries.
        sides = [account.pk for account in (self.source, self.target) if not account.is_internal]
        text = f"{self.kind}|{sides}|{to_minor(self.amount)}|{self.description}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def submit_token(self) -> str:
        """The same for a repeated request, another for the same key with other inputs: that counts again."""
        return hashlib.sha256((self.key_digest + self.inputs_digest).encode()).hexdigest()[:16]


def place(instruction: Instruction, *, check: Callable[[], None] | None = None) -> TransferOrder:
    """Carry the instruction out, or return the order it already became.

    The caller has checked permission and ownership. `check` raises the refusals of its own kind of order: it
    runs here, so that they are counted and recorded like all others.

    Raises:
        TooOften: the customer's minute is full.
        Refusal: funds, limit, a frozen or closed account, a key used for something else.
    """
    _check_bounds(instruction)
    # A request for what is done is answered at once: no limit, and no rule that holds by now, can refuse it.
    done = _orders_of_key(instruction).filter(inputs_digest=instruction.inputs_digest).first()
    if done is not None:
        return done
    customer, kind, token = instruction.customer, instruction.kind, instruction.submit_token
    try:
        limits.take_minute_place(customer, kind, token=token, at=instruction.at)
        if check is not None:
            check()
        return _place(instruction)
    except (Refusal, TooOften) as refusal:
        limits.spend_minute_place(customer, kind, token=token)
        _record_refusal(instruction, refusal.code)
        raise


@own_transaction
def _place(instruction: Instruction) -> TransferOrder:
    row = limits.locked_limit(instruction.customer, at=instruction.at)
    earlier = find_earlier(instruction)
    if earlier is not None:
        return earlier
    if instruction.kind in limits.OUTGOING_KINDS:
        limits.charge(row, instruction.amount, at=instruction.at)
    return post_order(instruction)


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


def _orders_of_key(instruction: Instruction) -> QuerySet[TransferOrder]:
    return TransferOrder.objects.filter(initiator=instruction.actor, key_digest=instruction.key_digest)


def post_order(instruction: Instruction) -> TransferOrder:
    """Post, and write order, audit entry and outbox row; inside the caller's transaction."""
    posting = ledger.post(
        kind=_TRANSACTION_KINDS[instruction.kind],
        legs=ledger.transfer_legs(debit=instruction.source.pk, credit=instruction.target.pk, amount=instruction.amount),
        initiated_by=instruction.actor,
        at=instruction.at,
        description=instruction.description,
    )
    order = TransferOrder(
        kind=instruction.kind.value,
        initiator=instruction.actor,
        source=instruction.source,
        target=instruction.target,
        amount=instruction.amount,
        description=instruction.description,
        key_digest=instruction.key_digest,
        inputs_digest=instruction.inputs_digest,
        state=OrderState.POSTED.value,
        transaction_id=posting.transaction_id,
        created_at=instruction.at,
    )
    order.save(force_insert=True)
    record(
        _DONE[instruction.kind],
        actor=instruction.actor,
        subject=order,
        concerns=instruction.target.owner if instruction.kind == OrderKind.PAYMENT else None,
        details=_details(instruction) | {"reference": posting.reference},
        evidence_digest=posting.digest,
        at=instruction.at,
    )
    if instruction.kind == OrderKind.PAYMENT:
        outbox.tell("payment_posted", order_id=order.pk)
    return order


def _check_bounds(instruction: Instruction) -> None:
    """What no form or schema should have let through; a fault of the program, not of the customer."""
    if to_minor(instruction.amount) <= 0:
        raise ValueError("An order's amount is positive.")
    if len(instruction.description) > MAX_DESCRIPTION_CHARS:
        raise ValueError("The description is too long.")
    check_key(instruction.idempotency_key)


def _details(instruction: Instruction) -> dict[str, str]:
    return {
        "kind": instruction.kind.value,
        "amount": str(instruction.amount),
        "source": str(instruction.source),
        "target": str(instruction.target),
    }


def _record_refusal(instruction: Instruction, code: str) -> None:
    record(
        _REFUSED[instruction.kind],
        actor=instruction.actor,
        subject=instruction.source if not instruction.source.is_internal else instruction.target,
        details=_details(instruction) | {"reason": code},
        at=instruction.at,
    )
