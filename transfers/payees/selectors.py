"""Whom a customer has paid, as that customer sees them."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import BankAccount, User
from foundation.keys.encryption import DecryptionFailed
from transfers.models import Payee


def masked_name(user: User) -> str:
    """Before paying: enough to recognise whom one means, too little to learn who owns a number: `B•• M•••••`."""
    return " ".join(word[0] + "•" * min(len(word) - 1, 8) for word in user.get_full_name().split())


def short_name(user: User) -> str:
    """After money has passed between the two: `Bob M.`"""
    return shortened(user.first_name, user.last_name)


def shortened(first_name: str, last_name: str) -> str:
    """The same, of a name."""
    return f"{first_name} {last_name[0]}." if last_name else first_name


@dataclass(frozen=True)
class PayeeRow:
    """One payee. `can_receive` says nothing of why not: that is between the payee and the bank."""

    public_id: UUID
    name: str  # the customer's own label, else the payee's short name
    short_name: str
    label: str
    masked_number: str
    last_paid_at: datetime
    can_receive: bool
    spoken_name: str  # on buttons, for who does not see the number beside them: two of one name are told apart


def payees_of(user: User, *, most: int | None = None) -> list[PayeeRow]:
    """The user's payees, whom they paid last first; `most`: only the first so many."""
    rows = [_row(payee) for payee in _with_owners(user).order_by("-last_paid_at", "-id")[:most]]
    times = Counter(row.name for row in rows)
    return [
        replace(row, spoken_name=f"{row.name}, account ending in {row.masked_number[-4:]}")
        if times[row.name] > 1
        else row
        for row in rows
    ]


def payee_row(user: User, public_id: UUID) -> PayeeRow:
    """One payee of the user.

    Raises:
        Payee.DoesNotExist: also when it is somebody else's.
    """
    return _row(_with_owners(user).get(public_id=public_id))


def payable_number(user: User, public_id: UUID) -> str:
    """The number in full of a payee's account, to fill in a form with; empty if there is no such payee of the
    user, or none that can receive money now.

    It is no look-up to be counted, and shows the user nothing new: an account becomes a payee by being paid by
    its number, which they typed then.
    """
    payee = _with_owners(user).filter(public_id=public_id).first()
    return typed_number(payee.account) if payee is not None and payee.account.is_active else ""


def typed_number(account: BankAccount) -> str:
    """The number as one types it; empty if it does not open, so that one tampered row costs no page."""
    try:
        return account.number_grouped
    except DecryptionFailed:
        return ""


@dataclass(frozen=True)
class NamedPayee:
    """Whom an account number belongs to, as far as somebody about to pay may know."""

    name: str  # of one's own account, its name; of whom one has paid, the short name; of others, a masked one
    label: str  # what the user calls them
    masked_number: str
    is_own: bool
    is_known: bool  # own, or paid before


def named_payee(user: User, account: BankAccount) -> NamedPayee:
    """The account as the user reads it before money goes there: of a stranger, no more than a number is worth."""
    if account.owner is None or account.owner_id == user.pk:
        return NamedPayee(account.display_name, "", account.masked_number, is_own=True, is_known=True)
    label = Payee.objects.filter(customer=user, account=account).values_list("label", flat=True).first()
    known = label is not None
    name = short_name(account.owner) if known else masked_name(account.owner)
    return NamedPayee(name, label or "", account.masked_number, is_own=False, is_known=known)


def _with_owners(user: User) -> QuerySet[Payee]:
    return Payee.objects.filter(customer=user).select_related("account__owner")


def _row(payee: Payee) -> PayeeRow:
    account = payee.account
    if account.owner is None:
        raise ValueError("A payee is a customer.")
    name = payee.label or short_name(account.owner)
    return PayeeRow(
        public_id=payee.public_id,
        name=name,
        short_name=short_name(account.owner),
        label=payee.label,
        masked_number=account.masked_number,
        last_paid_at=payee.last_paid_at,
        can_receive=account.is_active,
        spoken_name=name,
    )
