"""What somebody asks the bank to do with money, before it is an order."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from accounts.models import BankAccount, User
from foundation.idempotency import digest_of_inputs, digest_of_key, token_of
from foundation.money import to_minor
from transfers.models import OrderKind, TransferOrder
from transfers.orders.payee_names import NameGiven


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
    # Of a payment to somebody else; None where they are known by one, and the payer typed no other.
    name_given: NameGiven | None = None

    @cached_property
    def customer(self) -> User:
        """The owner of the side that is a customer's."""
        account = self.target if self.kind == OrderKind.DEPOSIT else self.source
        owner = self.actor if account.owner_id == self.actor.pk else account.owner
        if owner is None:
            raise ValueError("An order moves a customer's money.")
        return owner

    @cached_property
    def served(self) -> User | None:
        """The customer whom somebody else acts for; None for customers who act for themselves."""
        return self.customer if self.customer.pk != self.actor.pk else None

    @cached_property
    def key_digest(self) -> str:
        return digest_of_key(self.idempotency_key)

    @cached_property
    def inputs_digest(self) -> str:
        # The bank's own side is left out: which cash row is used may differ between two tries.
        sides = [account.pk for account in (self.source, self.target) if not account.is_internal]
        name = [self.name_given.typed] if self.name_given is not None else []
        return digest_of_inputs(self.kind, sides, to_minor(self.amount), self.description, *name)

    def as_order(self) -> TransferOrder:
        """Return the row that it becomes, still to be saved, with the names of both sides as they are now (R2.6)."""
        return TransferOrder(
            kind=self.kind.value,
            initiator=self.actor,
            source=self.source,
            target=self.target,
            amount=self.amount,
            description=self.description,
            key_digest=self.key_digest,
            inputs_digest=self.inputs_digest,
            created_at=self.at,
            payer_name=_name_of(self.source),
            payee_name=_name_of(self.target),
        )

    @cached_property
    def submit_token(self) -> str:
        """The same for a repeated request, another for the same key with other inputs: that counts again."""
        return token_of(self.key_digest + self.inputs_digest)

    @cached_property
    def a_try(self) -> str:
        """Another for each time that somebody asks, and no token: a transaction that is run again, since the answer to
        its COMMIT was lost, knows by it what it has done."""
        return f"try {secrets.token_hex(4)}"


def _name_of(side: BankAccount) -> str:
    """Return the whole name of a customer; "" of the bank."""
    return side.owner.get_full_name() if side.owner is not None else ""
