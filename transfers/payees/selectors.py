"""Whom a customer has paid, as that customer sees them."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import BankAccount, User
from foundation.keys.encryption import DecryptionFailed
from transfers.models import NameCheck, Payee
from transfers.names import NO_NAME, SeenName, payee_read_by_payer
from transfers.orders.payee_names import NameGiven, read_by_payer


@dataclass(frozen=True)
class PayeeRow:
    """One payee. `can_receive` does not say why not: that is between the payee and the bank."""

    public_id: UUID
    name: str  # the customer's own label, otherwise `account_name`
    account_name: str  # the payee's own name if it was confirmed, otherwise what the customer typed
    name_confirmed: bool
    label: str
    masked_number: str
    last_paid_at: datetime
    can_receive: bool
    spoken_name: str  # on buttons, for a reader who does not see the number beside them: it tells apart two of one name


def payees_of(user: User, *, most: int | None = None) -> list[PayeeRow]:
    """Return the user's payees, latest payment first; `most`: at most this many."""
    rows = [_row(payee) for payee in _with_owners(user).order_by("-last_paid_at", "-id")[:most]]
    times = Counter(row.name for row in rows)
    return [
        replace(row, spoken_name=f"{row.name}, account ending in {row.masked_number[-4:]}")
        if times[row.name] > 1
        else row
        for row in rows
    ]


def payee_row(user: User, public_id: UUID) -> PayeeRow:
    """Return one payee of the user.

    Raises:
        Payee.DoesNotExist: also when it belongs to another customer.
    """
    return _row(_with_owners(user).get(public_id=public_id))


@dataclass(frozen=True)
class FilledIn:
    """What fills the form in for a payee: the full number, and the name as the user reads it."""

    number: str
    name: str


def payable(user: User, public_id: UUID) -> FilledIn | None:
    """Return a payee of the user who can receive money now; None for every other, and if the number does not open.

    It does not count as a look-up, and shows the user nothing new: to become a payee, an account was paid by its
    number, which they typed then.
    """
    payee = _with_owners(user).filter(public_id=public_id).first()
    if payee is None or not payee.account.is_active:
        return None
    number = typed_number(payee.account)
    return FilledIn(number, typed_name(_seen(payee))) if number else None


def typed_name(seen: SeenName) -> str:
    """Return the name as a person types it; empty if none was ever given."""
    return "" if seen.name == NO_NAME and not seen.is_confirmed else seen.name


def typed_number(account: BankAccount) -> str:
    """Return the number as a person types it; empty if it does not open, so that one tampered row breaks no page."""
    try:
        return account.number_grouped
    except DecryptionFailed:
        return ""


@dataclass(frozen=True)
class KnownAs:
    """What a customer calls one of their payees, and the name by which they know them."""

    label: str
    typed_name: str
    name_check: str


@dataclass(frozen=True)
class NamedPayee:
    """The holder of an account number, as far as a person about to pay may know."""

    name: str  # of one's own account, or of a holder: their own name if it was confirmed, otherwise what was typed
    label: str  # what the user calls them
    masked_number: str
    is_own: bool
    is_known: bool  # own, or paid before
    name_check: NameCheck
    is_another: bool = False  # the name typed now is not the payee's name, by which the user knows them

    @property
    def name_confirmed(self) -> bool:
        return self.name_check.is_confirmed

    @property
    def typed_check(self) -> NameCheck:
        """Return the result for the name typed now; without one, for the name by which they know the payee."""
        return NameCheck.NO_MATCH if self.is_another else self.name_check


def named_payee(user: User, account: BankAccount, given: NameGiven | None = None) -> NamedPayee:
    """Return the account as the user reads it before money goes there, if they gave this name."""
    rows = Payee.objects.filter(customer=user, account=account).values_list("label", "typed_name", "name_check")
    row = rows.first()
    return named(user, account, KnownAs(*row) if row else None, given)


def named(user: User, account: BankAccount, known: KnownAs | None, given: NameGiven | None) -> NamedPayee:
    """Return the same for an account whose row among the user's payees has been read: None if they never paid it."""
    if account.owner is None or account.owner_id == user.pk:
        own = (account.display_name, "", account.masked_number)
        return NamedPayee(*own, is_own=True, is_known=True, name_check=NameCheck.NOT_NEEDED)
    typed, check = read_by_payer(given, known)
    seen = payee_read_by_payer(account.owner.get_full_name(), typed, check)
    return NamedPayee(
        typed_name(seen),
        known.label if known is not None else "",
        account.masked_number,
        is_own=False,
        is_known=known is not None,
        name_check=check,
        is_another=check.is_confirmed and given is not None and given.is_another,
    )


def _with_owners(user: User) -> QuerySet[Payee]:
    return Payee.objects.filter(customer=user).select_related("account__owner")


def _seen(payee: Payee) -> SeenName:
    if payee.account.owner is None:
        raise ValueError("A payee is a customer.")
    return payee_read_by_payer(payee.account.owner.get_full_name(), payee.typed_name, payee.name_check, payee.label)


def _row(payee: Payee) -> PayeeRow:
    account, seen = payee.account, _seen(payee)
    name = payee.label or seen.name
    return PayeeRow(
        public_id=payee.public_id,
        name=name,
        account_name=seen.name,
        name_confirmed=seen.is_confirmed,
        label=payee.label,
        masked_number=account.masked_number,
        last_paid_at=payee.last_paid_at,
        can_receive=account.is_active,
        spoken_name=name,
    )
