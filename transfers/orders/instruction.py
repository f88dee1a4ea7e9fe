"""What a person asks the bank to do with money, before it is an order."""

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

    `actor` is the person who asks: the customer, or staff acting for them. Limits and the queue are the customer's.
    """

    kind: OrderKind
    actor: User
    source: BankAccount
    target: BankAccount
    amount: Decimal
    idempotency_key: str
    at: datetime
    description: str = ""
    # For a payment to another customer; None where the payer knows them by a name, and typed no other.
    name_given: NameGiven | None = None

    @cached_property
    def customer(self) -> User:
        """Return the owner of the customer's side."""
        account = self.target if self.kind == OrderKind.DEPOSIT else self.source
        owner = self.actor if account.owner_id == self.actor.pk else account.owner
        if owner is None:
            raise ValueError("An order moves a customer's money.")
        return owner

    @cached_property
    def served(self) -> User | None:
        """Return the customer for whom another person acts; None for customers who act for themselves."""
        return self.customer if self.customer.pk != self.actor.pk else None

    @cached_property
    def key_digest(self) -> str:
        return digest_of_key(self.idempotency_key)

    @cached_property
    def inputs_digest(self) -> str:
        # The bank's own side is left out: two tries may use different cash rows.
        sides = [account.pk for account in (self.source, self.target) if not account.is_internal]
        name = [self.name_given.typed] if self.name_given is not None else []
        return digest_of_inputs(self.kind, sides, to_minor(self.amount), self.description, *name)

    def as_order(self) -> TransferOrder:
        """Return the row that it becomes, still to be saved, with the present names of both sides (R2.6)."""
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
        """Return the same token for a repeated request, and another for the same key with other inputs: that counts
        again."""
        return token_of(self.key_digest + self.inputs_digest)

    @cached_property
    def a_try(self) -> str:
        """Return another value for each try of a person, and not a token: a transaction that runs again, since the
        answer to its COMMIT was lost, recognises by it what it has done."""
        return f"try {secrets.token_hex(4)}"


def _name_of(side: BankAccount) -> str:
    """Return the whole name of a customer; "" for the bank."""
    return side.owner.get_full_name() if side.owner is not None else ""
