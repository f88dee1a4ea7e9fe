"""A customer's movements, filtered: pages by key, totals, and all of them in chunks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from accounts.models import User
from accounts.money import MAX_AMOUNT_DIGITS, currency_exponent
from audit.replica import as_now, may_be_behind
from transfers.filters import HistoryFilters
from transfers.models import Direction, Entry
from transfers.periods import end_of_day, start_of_day
from transfers.selectors.counterparts import accounts_named
from transfers.selectors.history import PAGE_ROWS, EntryRow, entries_with_transactions, entry_rows

TOTALLED_ROWS = 50_000
CHUNK_ROWS = 500  # each chunk's transactions are asked for by id, and SQL Server takes 2,100 parameters

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True)
class FilteredPage:
    """Rows, newest first, and the keys to go on from in either direction (None: nothing there)."""

    rows: list[EntryRow]
    older_than: str | None
    newer_than: str | None


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
    user: User, filters: HistoryFilters, *, older_than: str | None = None, newer_than: str | None = None
) -> FilteredPage:
    """One page of the user's filtered movements; the deepest costs what the first does.

    The keys are texts from `FilteredPage`; one that is none of ours counts as not given.
    """
    older, newer = _key(filters, older_than), _key(filters, newer_than)
    entries = _matching(user, filters)
    # One more than is shown says whether there are others, without counting.
    if newer is not None:
        found = list(entries.filter(_beyond(newer, "gt")).order_by(*_order(filters, ""))[: PAGE_ROWS + 1])
        page, has_older, has_newer = found[:PAGE_ROWS][::-1], True, len(found) > PAGE_ROWS
    else:
        if older is not None:
            entries = entries.filter(_beyond(older, "lt"))
        found = list(entries.order_by(*_order(filters, "-"))[: PAGE_ROWS + 1])
        page, has_older, has_newer = found[:PAGE_ROWS], len(found) > PAGE_ROWS, older is not None
    return FilteredPage(
        rows=entry_rows(page),
        older_than=_key_text(filters, page[-1]) if page and has_older else None,
        newer_than=_key_text(filters, page[0]) if page and has_newer else None,
    )


def is_page_key(filters: HistoryFilters, text: str) -> bool:
    """Whether `filtered_page()` would read this text as a key of these filters."""
    return _key(filters, text) is not None


@may_be_behind
def totals_of(user: User, filters: HistoryFilters) -> Totals:
    """In and out of what the filters let through, added up by the database."""
    most = totalled_rows()
    latest = _matching(user, filters).select_related(None).order_by(*_order(filters, "-"))
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
    return replace(filters, named_accounts=accounts_named(user, filters.text))


def filtered_rows(user: User, filters: HistoryFilters, *, most: int) -> Iterator[EntryRow]:
    """The latest `most` of the filtered movements, newest first, read in chunks while they are used."""
    return as_now(_rows_in_chunks(user, filters, most))


def _rows_in_chunks(user: User, filters: HistoryFilters, left: int) -> Iterator[EntryRow]:
    filters = with_named_accounts(user, filters)
    entries = _matching(user, filters).order_by(*_order(filters, "-"))
    rows, last = _chunk(entries[: min(CHUNK_ROWS, left)])
    while last is not None:
        yield from rows
        left -= len(rows)
        rows, last = _chunk(entries.filter(_beyond(_key_of(filters, last), "lt"))[: min(CHUNK_ROWS, left)])


@may_be_behind
def _chunk(entries: QuerySet[Entry]) -> tuple[list[EntryRow], Entry | None]:
    """The rows of these entries, and the last of them to go on from."""
    found = list(entries)
    return (entry_rows(found), found[-1]) if found else ([], None)


def _matching(user: User, filters: HistoryFilters) -> QuerySet[Entry]:
    entries = entries_with_transactions().filter(account__owner=user)
    if filters.account is not None:
        entries = entries.filter(account=filters.account)
    if filters.date_from is not None:
        entries = entries.filter(posted_at__gte=start_of_day(filters.date_from))
    if filters.date_to is not None:
        entries = entries.filter(posted_at__lt=end_of_day(filters.date_to))
    if filters.type:
        entries = entries.filter(transaction__kind=filters.type)
    if filters.min_amount is not None:
        entries = entries.filter(amount__gte=filters.min_amount)
    if filters.max_amount is not None:
        entries = entries.filter(amount__lte=filters.max_amount)
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


# --- Keys: the sequence in one account, time and id over several --------------------------------------------


def _order(filters: HistoryFilters, sign: str) -> list[str]:
    return [f"{sign}sequence"] if filters.account else [f"{sign}posted_at", f"{sign}id"]


def _key_of(filters: HistoryFilters, entry: Entry) -> tuple[int] | tuple[datetime, int]:
    return (entry.sequence,) if filters.account else (entry.posted_at, entry.pk)


def _beyond(key: tuple[int] | tuple[datetime, int], side: str) -> Q:
    if len(key) == 1:
        return Q(**{f"sequence__{side}": key[0]})
    at, pk = key
    # The first condition says nothing new, but an index can be read from there.
    return Q(**{f"posted_at__{side}e": at}) & (Q(**{f"posted_at__{side}": at}) | Q(**{f"id__{side}": pk}))


def _key_text(filters: HistoryFilters, entry: Entry) -> str:
    if filters.account:
        return str(entry.sequence)
    return f"{(entry.posted_at - _EPOCH) // timedelta(microseconds=1)}-{entry.pk}"


def _key(filters: HistoryFilters, text: str | None) -> tuple[int] | tuple[datetime, int] | None:
    """A key from the address; nonsense is as if it were not there."""
    parts = (text or "").split("-")
    if not all(part.isascii() and part.isdigit() and len(part) < 17 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if filters.account:
        return (numbers[0],) if len(numbers) == 1 else None
    return (_EPOCH + timedelta(microseconds=numbers[0]), numbers[1]) if len(numbers) == 2 else None
