"""How interest is counted (R9.2), in whole numbers and without database or clock.

Actual/365: each day earns a 365th of the year's rate on the balance at its end, in leap years too. It is counted in
micro units, millionths of a minor unit; a month's sum is rounded half-even to minor units, and the remainder of
rounding is carried into the next month, so that over the years nobody loses by it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from transfers.interest.rates import SavingsRates

MICRO = 1_000_000
_DAYS_A_YEAR = 365


# Movements, as (day from which it counts, minor units in or out).
Moves = Sequence[tuple[date, int]]


@dataclass(frozen=True)
class Accrual:
    """What an account has earned and has not been paid: `through` is the last day counted, `micro` is for the months
    not rounded yet, `due` (minor units) for the rounded months that could not be posted. A negative amount is owed to
    the bank: interest that was paid and turned out to be too much."""

    through: date
    micro: int = 0
    due: int = 0

    @property
    def payable(self) -> int:
        """Return all of it, in minor units."""
        return self.due + rounded(self.micro)


@dataclass(frozen=True)
class MonthOfInterest:
    """The interest of a month, in minor units."""

    last_day: date
    amount: int


@dataclass(frozen=True)
class Correction:
    """By how much wrongly counted interest is too little, or too much where negative: `amount` (minor units) for the
    months that were rounded already, `micro` for the rest."""

    amount: int = 0
    micro: int = 0

    @property
    def is_nothing(self) -> bool:
        return not self.amount and not self.micro


def of_day(balance: int, rate: int) -> int:
    """Return what a balance (minor units) earns in a day at a rate (millionths a year), in micro units, rounded to the
    nearest.

    There is no half to round: 365 is odd.
    """
    return (2 * max(balance, 0) * rate + _DAYS_A_YEAR) // (2 * _DAYS_A_YEAR)


def rounded(micro: int) -> int:
    """Return micro units in whole minor units, rounded half-even."""
    return int((Decimal(micro) / MICRO).to_integral_value(ROUND_HALF_EVEN))


def accrue(
    before: Accrual, *, until: date, balance: int, movements: Iterable[tuple[date, int]], rates: SavingsRates
) -> tuple[Accrual, list[MonthOfInterest]]:
    """Count the days after `before.through` up to `until`; the months that end among them are returned apart.

    Interest earns interest from the day after its month on, whenever it is posted. So the result does not depend on
    when, or in how many runs, the bank counts.

    Args:
        balance: the balance now, in minor units.
        movements: everything that moved since `before.through` ended, except the account's interest, as (day, minor
            units in or out).
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


def correction(
    *, first_day: date, through: date, was: tuple[Moves, SavingsRates], is_now: tuple[Moves, SavingsRates]
) -> Correction:
    """Return by how much counted days differ from the right amount, from the account's first day up to `through`:
    counted twice, by the movements and rates as they were used and as they are.

    Interest earns interest in both, so later days come out as if the right amount had been counted in the first place.
    """
    (counted, paid), (right, payable) = (
        accrue(
            Accrual(first_day - timedelta(days=1)),
            until=through,
            balance=sum(amount for _, amount in moves),
            movements=moves,
            rates=rates,
        )
        for moves, rates in (was, is_now)
    )
    months = sum(month.amount for month in payable) - sum(month.amount for month in paid)
    return Correction(months, right.micro - counted.micro)
