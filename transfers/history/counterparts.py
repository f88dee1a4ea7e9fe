"""Under which names a customer sees the other side of their movements."""

from collections.abc import Iterator
from typing import Any

from accounts.models import BankAccount, User
from transfers.models import Entry, Payee
from transfers.payees.selectors import short_name

# The latest movements in whose rows a name is looked for, whoever paid; and as many of the payees.
MOVEMENTS_LOOKED_AT = 2_000
MOST_ACCOUNTS = 500  # as parameters of a statement: SQL Server takes 2,100


def accounts_named(user: User, text: str) -> tuple[int, ...]:
    """Ids of accounts whose name, as it stands in the user's rows or on their list of payees, has `text` in it.

    Three statements. Compared here and not by the database, so that it is what the user sees that is compared, in
    any script: a search must not find out, letter by letter, the rest of a name that they are not shown.
    """
    wanted = text.casefold()
    found = (account for account, *names in _named(user) if any(wanted in name.casefold() for name in names))
    return tuple(sorted(set(found))[:MOST_ACCOUNTS])


def _named(user: User) -> Iterator[tuple[Any, ...]]:
    """Account ids, each with its names."""
    for account in BankAccount.objects.filter(owner=user).only("pk", "nickname", "kind"):
        yield account.pk, account.display_name
    payees = Payee.objects.filter(customer=user).select_related("account__owner")
    for payee in payees.order_by("-last_paid_at", "-id")[:MOVEMENTS_LOOKED_AT]:
        yield payee.account_id, payee.label, _name_of(payee.account)
    for account in BankAccount.objects.filter(pk__in=_others_of(user)).select_related("owner"):
        yield account.pk, _name_of(account)


def _others_of(user: User) -> Any:
    """The ids of the customers' accounts on the other side of the user's latest movements."""
    latest = Entry.objects.filter(account__owner=user).order_by("-posted_at", "-id")[:MOVEMENTS_LOOKED_AT]
    others = Entry.objects.filter(transaction__in=latest.values("transaction"), account__owner__isnull=False)
    return others.exclude(account__owner=user).values("account")


def _name_of(account: BankAccount) -> str:
    return short_name(account.owner) if account.owner is not None else ""
