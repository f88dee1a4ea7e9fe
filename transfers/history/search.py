"""A customer's movements, filtered: pages by key, totals, and all of them in chunks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DateTimeField,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from accounts.models import BankAccount, User
from foundation.compiled import Select
from foundation.money import MAX_AMOUNT_DIGITS, MoneyField, currency_exponent
from foundation.paging import (
    CompiledPages,
    Cursor,
    InvalidCursor,
    Page,
    around,
    beyond,
    each_but_the_last_twice,
    page_of,
    page_of_found,
    values_of,
)
from foundation.replica import as_now, may_be_behind
from foundation.text import folded
from transfers.history.filters import HistoryFilters
from transfers.history.rows import PAGE_ROWS, EntryRow, entries_with_transactions, entry_rows
from transfers.models import Direction, Entry, OrderKind, Payee, Transaction, TransferOrder
from transfers.names import payee_read_by_payer
from transfers.periods import end_of_day, start_of_day

TOTALLED_ROWS = 50_000
# Without a filter, so that the first look at a history costs the same however long it is.
TOTALLED_ROWS_AT_FIRST = 10_000
CHUNK_ROWS = 500  # each chunk's transactions are read by id, and SQL Server takes 2,100 parameters
# How many of the latest movements are searched for a name on their rows, whoever paid; and as many of the payees.
_MOVEMENTS_LOOKED_AT = 2_000
_MOST_ACCOUNTS = 500  # as parameters of a statement: SQL Server takes 2,100

_LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True)
class Totals:
    """What came in and went out (both positive, major units), in the latest TOTALLED_ROWS at most; without filters, in
    the latest TOTALLED_ROWS_AT_FIRST."""

    count: int
    money_in: Decimal
    money_out: Decimal
    is_cut: bool


def totalled_rows() -> int:
    """Return how many entries of the largest amount can be added up without overflow of 64 bits, within reason."""
    return min(TOTALLED_ROWS, _LARGEST_BIGINT // 10 ** (MAX_AMOUNT_DIGITS + currency_exponent()))


@may_be_behind
def filtered_page(
    user: User, filters: HistoryFilters, *, after: Cursor | None = None, before: Cursor | None = None
) -> Page[EntryRow]:
    """Return one page of the user's filtered movements; the deepest costs what the first does.

    Raises:
        InvalidCursor: also if it belongs to other filters, where one names an account and the other does not.
    """
    if filters.text:
        page = page_of(_matching(user, filters), by=_by(filters), after=after, before=before, limit=PAGE_ROWS)
    else:
        page = _page_by_conditions(_conditions(user, filters), _by(filters), after, before)
    return page.showing(entry_rows(page.items, user.pk))


def _page_by_conditions(
    asked: dict[str, Any], by: tuple[str, ...], after: Cursor | None, before: Cursor | None
) -> Page[Entry]:
    if set(asked) <= _OF_TIME:
        return _page_over_accounts(asked, after, before)
    return _pages(tuple(asked), by).page(*asked.values(), after=after, before=before)


@lru_cache(maxsize=64)  # one for each set of filters; a text is searched for in its own way each time
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
    """Return whether `filtered_page()` would take this text for a cursor of these filters."""
    try:
        Cursor.parse(text).key(Entry, _by(filters))
    except InvalidCursor:
        return False
    return True


@may_be_behind
def totals_of(user: User, filters: HistoryFilters, accounts: Sequence[BankAccount] = ()) -> Totals:
    """Return in and out of the filtered movements, added up by the database.

    Args:
        accounts: all of the user's, if they have been read: where so little has moved that nothing must be cut off, the
            rows are not sorted either.
    """
    most, asked = totalled_rows(), _conditions(user, filters)
    if not filters.text and set(asked) <= _OF_NOTHING:
        most = min(most, TOTALLED_ROWS_AT_FIRST)
    if accounts and not filters.text and sum(account.last_sequence for account in accounts) < most:
        ((count, money_in, money_out),) = _sums(tuple(asked)).tuples(*asked.values())
    else:
        count, money_in, money_out = _sums_of_latest(user, filters, most).values()
    return Totals(count, money_in or Decimal(0), money_out or Decimal(0), is_cut=count >= most)


def _sums_of_latest(user: User, filters: HistoryFilters, most: int) -> dict[str, Any]:
    entries, asked = _matching(user, filters).select_related(None), _conditions(user, filters)
    if not filters.text and set(asked) <= _OF_TIME:
        entries = entries.filter(posted_at__gte=_farthest(most, "", asked, []))
    # On one account only by time, so that an index has all columns.
    latest = entries.order_by(*(["-posted_at"] if filters.account else ["-posted_at", "-id"]))
    return latest.values("direction", "amount")[:most].aggregate(
        count=Count("*"),
        money_in=Sum("amount", filter=Q(direction=Direction.CREDIT)),
        money_out=Sum("amount", filter=Q(direction=Direction.DEBIT)),
    )


@lru_cache(maxsize=64)
def _sums(lookups: tuple[str, ...]) -> Select:
    """Return count, in and out of all that match; plain functions and not aggregates, which would add a GROUP BY."""

    def build(*values: Any) -> QuerySet[Entry]:
        sums = (
            Func(Case(When(direction=side, then=F("amount"))), function="SUM", output_field=MoneyField())
            for side in (Direction.CREDIT, Direction.DEBIT)
        )
        count = Func(F("pk"), function="COUNT", output_field=BigIntegerField())
        return Entry.objects.filter(**dict(zip(lookups, values, strict=True))).values_list(count, *sums)

    return Select(build, *(_FIELDS[lookup] for lookup in lookups), may_be_behind=True)


@may_be_behind
def with_named_accounts(user: User, filters: HistoryFilters) -> HistoryFilters:
    """Return the same filters, with the accounts that the text names: looked up once, for page and totals."""
    if not filters.text or filters.named_accounts is not None:
        return filters
    return replace(filters, named_accounts=_accounts_named(user, filters.text))


def filtered_rows(user: User, filters: HistoryFilters, *, most: int) -> Iterator[EntryRow]:
    """Yield the latest `most` filtered movements, newest first, read in chunks while they are used."""
    return as_now(_rows_in_chunks(user, filters, most))


def _rows_in_chunks(user: User, filters: HistoryFilters, left: int) -> Iterator[EntryRow]:
    filters = with_named_accounts(user, filters)
    entries, after = _matching(user, filters), None
    while left:
        chunk = _chunk(user, entries, _by(filters), after, min(CHUNK_ROWS, left))
        yield from chunk.items
        left, after = left - len(chunk.items), chunk.next_cursor
        if after is None:
            return


@may_be_behind
def _chunk(user: User, entries: QuerySet[Entry], by: Sequence[str], after: Cursor | None, limit: int) -> Page[EntryRow]:
    page = page_of(entries, by=by, after=after, limit=limit)
    return page.showing(entry_rows(page.items, user.pk))


def _by(filters: HistoryFilters) -> tuple[str, ...]:
    """Return the columns that order the movements: the sequence in one account, time and id over several."""
    return ("sequence",) if filters.account else _OVER_ACCOUNTS


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
    """Return look-ups and their values, for all filters except the text."""
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


# --- Over several accounts ----------------------------------------------------------------------------------


_OVER_ACCOUNTS = ("posted_at", "id")
_OF_NOTHING = {"account__owner", "account"}
_OF_TIME = {"account__owner", "posted_at__gte", "posted_at__lt"}
_LONG_AGO, _IN_AGES = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _farthest(count: int, side: str, conditions: Mapping[str, Any], key: Sequence[Any]) -> Subquery:
    """Return a moment beyond `count` movements over all accounts of an owner, counted from the newest, or from a key
    towards one side; a moment long ago, or far ahead, if there is none. Without it the database would sort all
    movements of the accounts: for each account, the index finds its own `count` movements and the next one, and the
    nearest of these is far enough."""
    is_newer = side == "gt"
    towards, back, further = ("posted_at", "-posted_at", "gt") if is_newer else ("-posted_at", "posted_at", "lt")
    times = {name: value for name, value in conditions.items() if name != "account__owner"}
    counted = Entry.objects.filter(account=OuterRef(OuterRef(OuterRef("pk"))), **times).order_by(towards)
    if key:
        counted = counted.filter(beyond(_OVER_ACCOUNTS, iter(key), side))
    last = Entry.objects.filter(pk__in=counted.values("pk")[:count]).order_by(back).values("posted_at")[:1]
    # A moment beyond the requested times does not bound what is within them.
    next_one = Entry.objects.filter(account=OuterRef("pk"), **{f"posted_at__{further}": Subquery(last)})
    moments = next_one.order_by(towards).values("posted_at")
    no_bound = Value(_IN_AGES if is_newer else _LONG_AGO, output_field=DateTimeField())
    accounts = BankAccount.objects.filter(owner=conditions["account__owner"])
    bounds = accounts.annotate(_bound=Coalesce(Subquery(moments[:1]), no_bound))
    return Subquery(bounds.order_by("_bound" if is_newer else "-_bound").values("_bound")[:1])


@lru_cache(maxsize=16)
def _nearest(side: str, lookups: tuple[str, ...]) -> Select[Entry]:
    """Return the statement for a page of the movements of all accounts; the values of the look-ups, and those of a key,
    are given twice."""

    def build(*values: Any) -> QuerySet[Entry]:
        given = iter(values)
        conditions, again = (dict(zip(lookups, given, strict=False)) for _ in range(2))
        rest = list(given)
        key, key_again = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        is_newer = side == "gt"
        bound = _farthest(PAGE_ROWS + 1, side, again, key_again)
        bounded = Q(posted_at__lte=bound) if is_newer else Q(posted_at__gte=bound)
        rows = entries_with_transactions().filter(bounded, **conditions)
        return around(rows, _OVER_ACCOUNTS, key, is_newer=is_newer)[: PAGE_ROWS + 1]

    of_lookups = [_FIELDS[lookup] for lookup in lookups]
    of_key: list[Any] = [Entry._meta.get_field(name) for name in _OVER_ACCOUNTS]
    of_key = each_but_the_last_twice(of_key) if side else []
    return Select(build, *of_lookups, *of_lookups, *of_key, *of_key, may_be_behind=True)


def _page_over_accounts(asked: dict[str, Any], after: Cursor | None, before: Cursor | None) -> Page[Entry]:
    came_from = after if before is None else before
    key = [] if came_from is None else values_of(came_from, Entry, _OVER_ACCOUNTS)
    side = "" if came_from is None else "lt" if before is None else "gt"
    found = _nearest(side, tuple(asked)).instances(*asked.values(), *asked.values(), *key, *key)
    return page_of_found(found, by=_OVER_ACCOUNTS, after=after, before=before, limit=PAGE_ROWS)


def _matching(user: User, filters: HistoryFilters) -> QuerySet[Entry]:
    entries = entries_with_transactions().filter(**_conditions(user, filters))
    if not filters.text:
        return entries
    named = with_named_accounts(user, filters).named_accounts
    return entries.filter(_mentions(filters.text) | _is_with(named) if named else _mentions(filters.text))


def _is_with(accounts: tuple[int, ...]) -> Exists:
    """Return the condition that the other side is one of these. It goes from the customer's entry to its transaction's,
    never from the accounts: one of theirs may have more entries than the customer will ever have."""
    others = Entry.objects.filter(transaction=OuterRef("transaction"), account__in=accounts)
    return Exists(others.exclude(pk=OuterRef("pk")))


def _mentions(text: str) -> Q:
    wanted = folded(text)
    return Q(transaction__search_text__contains=wanted) if wanted else Q(pk__in=[])


def _accounts_named(user: User, text: str) -> tuple[int, ...]:
    """Return the ids of accounts whose name, as in the user's rows or on their list of payees, contains `text`.

    Three statements. The names are compared here and not by the database, so that the search compares only what the
    user sees, in any script: it must not reveal, letter by letter, a name that they are not shown.
    """
    wanted = folded(text)
    found = (account for account, *names in _named(user) if wanted and any(wanted in folded(name) for name in names))
    return tuple(sorted(set(found))[:_MOST_ACCOUNTS])


def _named(user: User) -> Iterator[tuple[Any, ...]]:
    """Yield account ids, each with its names."""
    for account in _own_names.instances(user.pk):
        yield account.pk, account.display_name
    for payee in _latest_payees.instances(user.pk):
        owner = payee.account.owner
        name = owner.get_full_name() if owner is not None else ""
        yield payee.account_id, payee.label, payee_read_by_payer(name, payee.typed_name, payee.name_check).name
    for payer_id, source_id, payer_name, target_id, *payee_name in _others_names.rows(user.pk):
        if payer_id == user.pk:
            yield target_id, payee_read_by_payer(*payee_name).name
        else:
            yield source_id, payer_name


def _names_on_orders(owner: Any) -> QuerySet[TransferOrder, Any]:
    """Return who paid whom, with the names on the orders, in an owner's latest movements."""
    latest = Entry.objects.filter(account__owner=owner).order_by("-posted_at", "-id")[:_MOVEMENTS_LOOKED_AT]
    orders = TransferOrder.objects.filter(transaction__in=latest.values("transaction"), kind=OrderKind.PAYMENT.value)
    sides = ("source__owner", "source", "payer_name", "target", "payee_name", "payee_name_typed", "name_check")
    return orders.values_list(*sides).distinct()


def _payees_lately(customer: Any) -> QuerySet[Payee]:
    payees = Payee.objects.filter(customer=customer).select_related("account__owner")
    return payees.order_by("-last_paid_at", "-id")[:_MOVEMENTS_LOOKED_AT]


_OWNER = BankAccount._meta.get_field("owner")
_own_names: Select[BankAccount] = Select(
    lambda owner: BankAccount.objects.filter(owner=owner).only("pk", "nickname", "kind"), _OWNER, may_be_behind=True
)
_latest_payees: Select[Payee] = Select(_payees_lately, Payee._meta.get_field("customer"), may_be_behind=True)
_others_names: Select = Select(_names_on_orders, _OWNER, may_be_behind=True)
