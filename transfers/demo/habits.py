"""The notation of a habit: who pays whom, on which days, how much, with which words.

Days and amounts are drawn from the generator that the plan passes in, so that the same plan comes out each time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from foundation.money import from_minor
from transfers.periods import Month

CASH = ""  # over the counter: the other side is the bank's own
_SATURDAY = 5
_PAYDAY = 27


@dataclass(frozen=True)
class Day:
    """A day of the plan; `month` counts from 0, the plan's first."""

    date: date
    month: int


When = Callable[[Day, Random], bool]
Amount = Callable[[Random, Decimal], Decimal]


@dataclass(frozen=True)
class Habit:
    """Money that goes from `source` to `target`, both `person.account` or CASH, whenever `when` says so.

    `amount` gets the source's balance; zero is not paid. A payment that `must` be made may empty the account, others
    leave some in it. A habit `at_home` pauses while the person is away.
    """

    source: str
    target: str
    when: When
    amount: Amount
    texts: tuple[str, ...] = ("",)
    hours: tuple[int, int] = (9, 19)
    must: bool = False
    at_home: bool = False


def money(hundredths: int) -> Decimal:
    """Return hundredths of a major unit as an amount that the bank's currency can have."""
    return (Decimal(hundredths) / 100).quantize(from_minor(1))


def weekly(*odds: int) -> When:
    """Return whether it happens, with these chances in per cent on Monday, Tuesday, … Sunday."""
    return lambda day, chance: chance.randrange(100) < odds[day.date.weekday()]


def monthly(*numbers: int) -> When:
    return lambda day, chance: day.date.day in numbers


def payday(day: Day, chance: Random) -> bool:
    """Return whether it is the 27th, or the Friday before if that is on a weekend."""
    due = day.date.replace(day=_PAYDAY)
    return day.date == due - timedelta(days=max(due.weekday() - _SATURDAY + 1, 0))


def once(month: int, number: int) -> When:
    return lambda day, chance: (day.month, day.date.day) == (month, number)


def now_and_then(month: int, first: int, last: int, odds: int) -> When:
    """Return whether it happens, with this chance in per cent on each day of a part of one month."""
    return lambda day, chance: day.month == month and first <= day.date.day <= last and chance.randrange(100) < odds


def exactly(amount: int) -> Amount:
    return lambda chance, balance: money(amount * 100)


def between(low: int, high: int) -> Amount:
    """Return an amount to the cent; small sums are more frequent than large ones."""
    return lambda chance, balance: money(round(chance.triangular(low, high, low + (high - low) / 3) * 100))


def priced(low: int, high: int) -> Amount:
    """Return an amount in tenths, as on a price list."""
    return lambda chance, balance: money(chance.randrange(low * 10, high * 10 + 1) * 10)


def notes(*amounts: int) -> Amount:
    return lambda chance, balance: money(chance.choice(amounts) * 100)


def above(keep: int, low: int, high: int) -> Amount:
    """Return a share, in per cent, of what the account has above `keep`, in tens: nothing if that is little."""

    def amount(chance: Random, balance: Decimal) -> Decimal:
        share = chance.randint(low, high)
        return money(max(int((balance - keep) * share / 100 / 10), 0) * 1000)

    return amount


def month_number(first: Month, day: date) -> int:
    return (day.year - first.year) * 12 + day.month - first.number
