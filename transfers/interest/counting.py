"""How interest is counted (R9.2), in whole numbers and without database or clock.

Actual/365: each day earns a 365th of the year's rate on what was there when it ended, in leap years too. It is counted
in micro units, millionths of a minor unit; a month's sum is rounded half-even to minor units, and what rounding took
or gave is carried into the next month, so that over the years nobody loses by it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from transfers.interest.rates import SavingsRates

MICRO = 1_000_000
_DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Accrual:
    """What an account has earned and has not been paid: `through` is the last day counted, `micro` is of the months
    not rounded yet, `due` (minor units) of those that are and could not be posted."""

    through: date
    micro: int = 0
    due: int = 0

    @property
    def payable(self) -> int:
        """All of it, in minor units."""
        return self.due + rounded(self.micro)


@dataclass(frozen=True)
class MonthOfInterest:
    """What a month came to, in minor units."""

    last_day: date
    amount: int


def of_day(balance: int, rate: int) -> int:
    """What a balance (minor units) earns in a day at a rate (millionths a year), in micro units, to the nearest.

    There is no half to round: 365 is odd.
    """
    return (2 * max(balance, 0) * rate + _DAYS_A_YEAR) // (2 * _DAYS_A_YEAR)


def rounded(micro: int) -> int:
    """Micro units in whole minor units, half-even."""
    return int((Decimal(micro) / MICRO).to_integral_value(ROUND_HALF_EVEN))


def accrue(
    before: Accrual, *, until: date, balance: int, movements: Iterable[tuple[date, int]], rates: SavingsRates
) -> tuple[Accrual, list[MonthOfInterest]]:
    """Count the days after `before.through` up to `until`; the months that end among them come back apart.

    Interest earns interest from the day after its month on, whenever it is posted. So it is all the same to a
    customer when, and in how many runs, the bank counts.

    Args:
        balance: what is on the account now, in minor units.
        movements: all that moved since `before.through` ended, but the account's interest, as (day, minor units in or
            out).
    """
    moved: Counter[date] = Counter()
    for day, amount in movements:
        moved[day] += amount
    there = balance + before.due - moved.total()
    micro, months, day = before.micro, [], before.through
    while day < until:
        day += timedelta(days=1)
        there += moved[day]
        micro += of_day(there, rates.on(day))
        if (day + timedelta(days=1)).day == 1:
            month = MonthOfInterest(day, rounded(micro))
            micro -= month.amount * MICRO
            there += month.amount
            months.append(month)
    return Accrual(day, micro, before.due), months
