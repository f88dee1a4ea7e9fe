"""Whom a customer has paid: the rows, read and written in the transaction of a payment (R3.6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import BankAccount, User
from foundation.compiled import Select, Update
from transfers.models import NameCheck, Payee, TransferOrder

_field: Any = Payee._meta.get_field
_known: Select = Select(
    lambda customer, account: Payee.objects.filter(customer=customer, account=account).values_list(
        "pk", "typed_name", "name_check"
    ),
    *(_field("customer"), _field("account")),
)
_paid = Update(
    lambda pk, at, typed_name, name_check: (
        Payee.objects.filter(pk=pk),
        {"last_paid_at": at, "typed_name": typed_name, "name_check": name_check},
    ),
    *(Payee._meta.pk, _field("last_paid_at"), _field("typed_name"), _field("name_check")),
)


@dataclass(frozen=True)
class KnownPayee:
    """The row of a person who was paid before, and the name by which the payer knows them."""

    pk: int
    typed_name: str
    name_check: str


def known_payee(customer: User, account: BankAccount) -> KnownPayee | None:
    """Return the customer's row for this account; None for a first payment, or if the customer has taken them off their
    list since."""
    return next((KnownPayee(*row) for row in _known.rows(customer.pk, account.pk)), None)


def is_known(customer: User, account: BankAccount) -> bool:
    """Return whether the customer has paid to this account before, and not taken it off their list since."""
    return known_payee(customer, account) is not None


def remember(customer: User, order: TransferOrder, known: KnownPayee | None, *, at: datetime) -> None:
    """Make the order's payee a known one from now on, by the name on the order.

    Two first payments at once do not both insert: everything that moves a customer's money holds their limit row. A
    removal takes no such lock; in between, the row exists or not, and both are right.
    """
    by_name = (order.payee_name_typed, order.name_check)
    if known is not None and NameCheck(known.name_check).is_confirmed:
        # Confirmed while this order was held: a payee who is known by their own name is never hidden again.
        by_name = (known.typed_name, known.name_check)
    if known is None or not _paid.execute(known.pk, at, *by_name):
        typed_name, name_check = by_name
        Payee.objects.create(
            customer=customer,
            account=order.target,
            typed_name=typed_name,
            name_check=name_check,
            first_paid_at=at,
            last_paid_at=at,
        )
