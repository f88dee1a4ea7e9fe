"""A customer's movements, filtered: pages by key, totals, and all of them in chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from accounts.models import BankAccount, User
from foundation.money import MAX_AMOUNT_DIGITS, currency_exponent
from foundation.paging import CompiledPages, Cursor, InvalidCursor, Page, page_of
from foundation.replica import as_now, may_be_behind
from transfers.history.filters import HistoryFilters
from transfers.history.rows import PAGE_ROWS, EntryRow, entries_with_transactions, entry_rows
from transfers.models import Direction, Entry, Payee, Transaction
from transfers.payees.selectors import short_name
from transfers.periods import end_of_day, start_of_day

TOTALLED_ROWS = 50_000
CHUNK_ROWS = 500  # each chunk's transactions are asked for by id, and SQL Server takes 2,100 parameters
# The latest movements in whose rows a name is looked for, whoever paid; and as many of the payees.
_MOVEMENTS_LOOKED_AT = 2_000
_MOST_ACCOUNTS = 500  # as parameters of a statement: SQL Server takes 2,100

_LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True)
class Totals:
    """What came in and went out (both positive, major units), of the latest `totalled_rows()` at most."""

    count: int
    money_in: Decimal
    money_out: Decimal
    is_cut: bool


def totalled_rows() -> int:
    """How many entries of the largest amount can be added up without overflow of 64 bits, within reason."""
    return min(TOTALLED_ROWS, _LARGEST_BIGINT // 10 ** (MAX_AMOUNT_DIGITS + currency_exponent()))


@may_be_behind
def filtered_page(
    user: User, filters: HistoryFilters, *, after: Cursor | None = None, before: Cursor | None = None
) -> Page[EntryRow]:
    """One page of the user's filtered movements; the deepest costs what the first does.

    Raises:
        InvalidCursor: also if it is one of other filters, where one names an account and the other does not.
    """
    if filters.text:
        page = page_of(_matching(user, filters), by=_by(filters), after=after, before=before, limit=PAGE_ROWS)
    else:
        asked = _conditions(user, filters)
        page = _pages(tuple(asked), _by(filters)).page(*asked.values(), after=after, before=before)
    return page.showing(entry_rows(page.items))


@lru_cache(maxsize=64)  # one for each set of filters; a text is looked for in its own way each time
def _pages(lookups: tuple[str, ...], by: tuple[str, ...]) -> CompiledPages[Entry]:
    return CompiledPages(
        Entry,
        lambda *values: entries_with_transactions().filter(**dict(zip(lookups, values, strict=True))),
        *(_FIELDS[lookup] for lookup in lookups),
        by=by,
        limit=PAGE_ROWS,
        may_be_behind=True,
    )


def is_page_key(filters: HistoryFilters, text: str) -> bool:
    """Whether `filtered_page()` would take this text for a cursor of these filters."""
    try:
        Cursor.parse(text).key(Entry, _by(filters))
    except InvalidCursor:
        return False
    return True


@may_be_behind
def totals_of(user: User, filters: HistoryFilters) -> Totals:
    """In and out of what the filters let through, added up by the database."""
    most = totalled_rows()
    latest = _matching(user, filters).select_related(None).order_by(*(f"-{name}" for name in _by(filters)))
    sums = latest.only("direction", "amount")[:most].aggregate(
        count=Count("pk"),
        money_in=Sum("amount", filter=Q(direction=Direction.CREDIT)),
        money_out=Sum("amount", filter=Q(direction=Direction.DEBIT)),
    )
    return Totals(
        count=sums["count"],
        money_in=sums["money_in"] or Decimal(0),
        money_out=sums["money_out"] or Decimal(0),
        is_cut=sums["count"] >= most,
    )


@may_be_behind
def with_named_accounts(user: User, filters: HistoryFilters) -> HistoryFilters:
    """The same filters, with the accounts that the text names: asked for once, for page and totals alike."""
    if not filters.text or filters.named_accounts is not None:
        return filters
    return replace(filters, named_accounts=_accounts_named(user, filters.text))


def filtered_rows(user: User, filters: HistoryFilters, *, most: int) -> Iterator[EntryRow]:
    """The latest `most` of the filtered movements, newest first, read in chunks while they are used."""
    return as_now(_rows_in_chunks(user, filters, most))


def _rows_in_chunks(user: User, filters: HistoryFilters, left: int) -> Iterator[EntryRow]:
    filters = with_named_accounts(user, filters)
    entries, after = _matching(user, filters), None
    while left:
        chunk = _chunk(entries, _by(filters), after, min(CHUNK_ROWS, left))
        yield from chunk.items
        left, after = left - len(chunk.items), chunk.next_cursor
        if after is None:
            return


@may_be_behind
def _chunk(entries: QuerySet[Entry], by: Sequence[str], after: Cursor | None, limit: int) -> Page[EntryRow]:
    page = page_of(entries, by=by, after=after, limit=limit)
    return page.showing(entry_rows(page.items))


def _by(filters: HistoryFilters) -> tuple[str, ...]:
    """What orders the movements: the sequence in one account, time and id over several."""
    return ("sequence",) if filters.account else ("posted_at", "id")


_FIELDS: dict[str, Any] = {
    "account__owner": BankAccount._meta.get_field("owner"),
    "account": BankAccount._meta.pk,
    "posted_at__gte": Entry._meta.get_field("posted_at"),
    "posted_at__lt": Entry._meta.get_field("posted_at"),
    "transaction__kind": Transaction._meta.get_field("kind"),
    "amount__gte": Entry._meta.get_field("amount"),
    "amount__lte": Entry._meta.get_field("amount"),
}


def _conditions(user: User, filters: HistoryFilters) -> dict[str, Any]:
    """Look-ups and their values, for all filters but the text."""
    asked = {
        "account__owner": user.pk,
        "account": filters.account.pk if filters.account else None,
        "posted_at__gte": start_of_day(filters.date_from) if filters.date_from else None,
        "posted_at__lt": end_of_day(filters.date_to) if filters.date_to else None,
        "transaction__kind": filters.type or None,
        "amount__gte": filters.min_amount,
        "amount__lte": filters.max_amount,
    }
    return {lookup: value for lookup, value in asked.items() if value is not None}


def _matching(user: User, filters: HistoryFilters) -> QuerySet[Entry]:
    entries = entries_with_transactions().filter(**_conditions(user, filters))
    if not filters.text:
        return entries
    named = with_named_accounts(user, filters).named_accounts
    return entries.filter(_mentions(filters.text) | _is_with(named) if named else _mentions(filters.text))


def _is_with(accounts: tuple[int, ...]) -> Exists:
    """The other side is one of these. From the customer's entry to its transaction's, never from the accounts: one
    of theirs may have more entries than the customer will ever have."""
    others = Entry.objects.filter(transaction=OuterRef("transaction"), account__in=accounts)
    return Exists(others.exclude(pk=OuterRef("pk")))


def _mentions(text: str) -> Q:
    # SQLite folds the case of ASCII letters only: the usual spellings of the others are looked for one by one.
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize(), text.title()}
    found = Q(transaction__reference__icontains=text)
    for spelling in sorted(spellings):
        found |= Q(transaction__description__icontains=spelling)
    return found


def _accounts_named(user: User, text: str) -> tuple[int, ...]:
    """Ids of accounts whose name, as it stands in the user's rows or on their list of payees, has `text` in it.

    Three statements. Compared here and not by the database, so that it is what the user sees that is compared, in
    any script: a search must not find out, letter by letter, the rest of a name that they are not shown.
    """
    wanted = text.casefold()
    found = (account for account, *names in _named(user) if any(wanted in name.casefold() for name in names))
    return tuple(sorted(set(found))[:_MOST_ACCOUNTS])


def _named(user: User) -> Iterator[tuple[Any, ...]]:
    """Account ids, each with its names."""
    for account in BankAccount.objects.filter(owner=user).only("pk", "nickname", "kind"):
        yield account.pk, account.display_name
    payees = Payee.objects.filter(customer=user).select_related("account__owner")
    for payee in payees.order_by("-last_paid_at", "-id")[:_MOVEMENTS_LOOKED_AT]:
        yield payee.account_id, payee.label, _name_of(payee.account)
    for account in BankAccount.objects.filter(pk__in=_others_of(user)).select_related("owner"):
        yield account.pk, _name_of(account)


def _others_of(user: User) -> Any:
    """The ids of the customers' accounts on the other side of the user's latest movements."""
    latest = Entry.objects.filter(account__owner=user).order_by("-posted_at", "-id")[:_MOVEMENTS_LOOKED_AT]
    others = Entry.objects.filter(transaction__in=latest.values("transaction"), account__owner__isnull=False)
    return others.exclude(account__owner=user).values("account")


def _name_of(account: BankAccount) -> str:
    return short_name(account.owner) if account.owner is not None else ""
