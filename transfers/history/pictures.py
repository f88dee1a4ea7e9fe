"""Balance over time, and in and out by month: for pictures, in one statement each (R2.4, R10.5).

Each period is a sum of its own in a half-open range of `posted_at`. The index `entry_account_sums` has all columns of
the sums, so no entry's row is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from django.db.models import Case, DateTimeField, F, Func, OuterRef, QuerySet, Subquery, Value, When

from accounts.models import BankAccount, User
from foundation.compiled import Select
from foundation.money import MoneyField
from transfers.history.own_accounts import DailyUse, daily_use_by, in_order
from transfers.models import Direction, Entry
from transfers.periods import Month, Week, day_of

WEEKS = 26
MONTHS = 6

Bounds = tuple[tuple[datetime, datetime | None], ...]  # from, and before (None: no end)

# Customers' accounts are credit-normal: money in is a credit.
SIGNED_AMOUNT = Case(
    When(direction=Direction.CREDIT, then=F("amount")), default=Value(0) - F("amount"), output_field=MoneyField()
)


@dataclass(frozen=True)
class BalancePoint:
    """The balance at the end of a day; for today, the balance now."""

    day: date
    balance: Decimal


@dataclass(frozen=True)
class Balances:
    """The requested accounts, closed ones last, and their balance together, earliest first."""

    accounts: list[BankAccount]
    points: list[BalancePoint]

    @property
    def has_entries(self) -> bool:
        return any(account.last_sequence for account in self.accounts)


@dataclass(frozen=True)
class MonthFlow:
    """What came in and went out in a month, both positive (major units)."""

    month: Month
    is_so_far: bool
    money_in: Decimal
    money_out: Decimal

    @property
    def net(self) -> Decimal:
        return self.money_in - self.money_out


@dataclass(frozen=True)
class Overview:
    """What a customer sees first: every account, the balance of all of them, and today's payments out."""

    accounts: list[BankAccount]
    balances: Balances
    daily: DailyUse


def balances_over_time(user: User, *, at: datetime, account: BankAccount | None = None) -> Balances:
    """Return the balance at the end of each of the last weeks, and now; for one account or for all, closed ones
    included.

    It begins with the week in which the first of them was opened: before that there was no balance, not even zero.
    There are at least two points, the later one now.

    It counts back from the balance that is read in the same statement: so the last point is that balance, and the
    others equal the statements, whatever the order of entries at one moment.

    Raises:
        BankAccount.DoesNotExist: it belongs to another customer.
    """
    if account is None:
        return _balances(_weekly.instances(*_moments(at), user.pk), at)
    _require_owner(user, account)
    return _balances(_weekly_of_one.instances(*_moments(at), user.pk, account.pk), at)


def months_in_and_out(user: User, *, at: datetime, account: BankAccount | None = None) -> list[MonthFlow]:
    """Return the last calendar months, earliest first, the last one up to now; for one account or for all.

    Over all accounts, money moved between them counts on both sides: only the other entry says that it came from the
    same owner, and finding it would cost a look-up for each.

    Raises:
        BankAccount.DoesNotExist: it belongs to another customer.
    """
    months = Month.of(at).and_before(MONTHS)
    rows = list(_own(_with_months(_month_bounds(at)), user, account))
    return [
        MonthFlow(month, month == months[-1], _total(rows, f"in_{number}"), _total(rows, f"out_{number}"))
        for number, month in enumerate(months)
    ]


def overview_of(user: User, *, at: datetime) -> Overview:
    """Return all that the dashboard needs of accounts, balances and limits, in one statement."""
    balances = _balances(_overviews.instances(*_moments(at), user.pk), at)
    # getattr: a customer who never paid anything out has no row, which the join has shown already.
    limit = getattr(balances.accounts[0].owner, "limit", None) if balances.accounts else None
    return Overview(balances.accounts, balances, daily_use_by(limit))


def _own(accounts: QuerySet[BankAccount], user: User, account: BankAccount | None) -> QuerySet[BankAccount]:
    if account is None:
        return in_order(accounts.filter(owner=user))
    _require_owner(user, account)
    return accounts.filter(owner=user, pk=account.pk)


def _require_owner(user: User, account: BankAccount) -> None:
    if account.owner_id != user.pk:
        raise BankAccount.DoesNotExist


def _balances(rows: list[BankAccount], at: datetime) -> Balances:
    weeks = _weeks_shown(rows, at)
    balance = sum((row.balance for row in rows), Decimal(0))
    points = [BalancePoint(day_of(at), balance)]
    for back, week in enumerate(reversed(weeks), 1):
        balance -= _total(rows, f"week_{WEEKS - back}")
        points.append(BalancePoint(week.before.last_day, balance))
    return Balances(rows, points[::-1])


def _weeks_shown(rows: Sequence[BankAccount], at: datetime) -> list[Week]:
    """Return this week and those before it that began after the first account was opened, earliest first; one at
    least."""
    weeks = Week.of(at).and_before(WEEKS)
    opened = Week.of(min((row.opened_at for row in rows), default=at))
    return [week for week in weeks if week > opened] or weeks[-1:]


def _month_bounds(at: datetime) -> Bounds:
    return tuple((month.starts_at, month.ends_at) for month in Month.of(at).and_before(MONTHS))


# --- By week ------------------------------------------------------------------------------------------------


def _with_weeks(moments: Sequence[datetime]) -> QuerySet[BankAccount]:
    """Return all accounts, each with the change of its balance in every week; `moments` as `_moments()` gives them."""
    starts, ends = moments[:WEEKS], moments[WEEKS:]
    # The current week has no end: an entry of this moment is in the balance already.
    bounds = zip(starts, [*ends, None], strict=True)
    return BankAccount.objects.annotate(
        **{f"week_{number}": _sum(SIGNED_AMOUNT, *bound) for number, bound in enumerate(bounds)}
    )


def _moments(at: datetime) -> tuple[datetime, ...]:
    """Return when each of the weeks begins, earliest first, and when each except the last of them ends."""
    starts = [week.starts_at for week in Week.of(at).and_before(WEEKS)]
    return (*starts, *starts[1:])


_MOMENTS = [DateTimeField()] * (2 * WEEKS - 1)
_OWNER = BankAccount._meta.get_field("owner")

# Compiled once: Python takes longer to build such a query than the database to answer it.
_weekly: Select = Select(lambda *values: in_order(_with_weeks(values[:-1]).filter(owner=values[-1])), *_MOMENTS, _OWNER)
_weekly_of_one: Select = Select(
    lambda *values: _with_weeks(values[:-2]).filter(owner=values[-2], pk=values[-1]),
    *_MOMENTS,
    _OWNER,
    BankAccount._meta.pk,
)
_overviews: Select = Select(
    lambda *values: in_order(_with_weeks(values[:-1]).filter(owner=values[-1])).select_related("owner__limit"),
    *_MOMENTS,
    _OWNER,
)

# --- By month -----------------------------------------------------------------------------------------------


# Kept, because Python takes longer to build the query than the database to answer it, and for a whole month it is the
# same for every customer. It is never evaluated unfiltered.
@lru_cache(maxsize=4)
def _with_months(months: Bounds) -> QuerySet[BankAccount]:
    """Return all accounts, each with what came in and went out in every month."""
    sums = {}
    for number, bounds in enumerate(months):
        sums[f"in_{number}"] = _sum(F("amount"), *bounds, Direction.CREDIT)
        sums[f"out_{number}"] = _sum(F("amount"), *bounds, Direction.DEBIT)
    return BankAccount.objects.annotate(**sums)


def _sum(amount: Case | F, begin: datetime, end: datetime | None, direction: Direction | None = None) -> Subquery:
    """Return the sum over an account's entries from `begin` to before `end`; NULL where there are none.

    In 64 bits: signed, it is the difference of two balances, each a tenth of what fits (`MAX_BALANCE_MINOR`), and the
    intermediate sums differ from that only by the entries of one moment. Unsigned, 92,000 entries of the largest amount
    fit: a customer with more on one account in a month would only miss this picture.
    """
    entries = Entry.objects.filter(account=OuterRef("pk"), posted_at__gte=begin)
    if end is not None:
        entries = entries.filter(posted_at__lt=end)
    if direction is not None:
        entries = entries.filter(direction=direction)
    # A plain function and not the aggregate: that would add a GROUP BY, which is not needed here.
    return Subquery(entries.values(total=Func(amount, function="SUM", output_field=MoneyField())))


def _total(rows: Sequence[BankAccount], name: str) -> Decimal:
    return sum((getattr(row, name) or Decimal(0) for row in rows), Decimal(0))
