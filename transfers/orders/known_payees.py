"""Whom a customer has paid: the rows, read and written in the transaction of a payment (R3.6)."""

from datetime import datetime
from typing import Any

from accounts.models import BankAccount, User
from foundation.compiled import Select, Update
from transfers.models import Payee

_field: Any = Payee._meta.get_field
_ids: Select = Select(
    lambda customer, account: Payee.objects.filter(customer=customer, account=account).values_list("pk"),
    *(_field("customer"), _field("account")),
)
_paid = Update(
    lambda pk, at: (Payee.objects.filter(pk=pk), {"last_paid_at": at}), *(Payee._meta.pk, _field("last_paid_at"))
)


def is_known(customer: User, account: BankAccount) -> bool:
    """Whether the customer has paid to this account before, and not taken it off their list since."""
    return known_id(customer, account) is not None


def known_id(customer: User, account: BankAccount) -> int | None:
    """The row of the customer for this account, for `remember`; None of one who is to be paid for the first time."""
    return next((pk for (pk,) in _ids.rows(customer.pk, account.pk)), None)


def remember(customer: User, account: BankAccount, known: int | None, *, at: datetime) -> None:
    """Let whoever is paid be a known payee from here on.

    Two first payments at once do not both insert: whatever moves a customer's money holds their limit row. A
    removal in between takes no such lock; then the row is there or it is not, and both are right.
    """
    if known is None or not _paid.execute(known, at):
        Payee.objects.create(customer=customer, account=account, first_paid_at=at, last_paid_at=at)
