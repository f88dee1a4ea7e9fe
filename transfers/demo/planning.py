"""The events of the demo bank, planned before any is written: a pure function of the first month.

Days are planned one after another, and balances are tracked: a payment that does not fit is left out, so that the plan
never overdraws. A longer plan begins with the shorter one, so a stopped seed can go on on another day.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from transfers.accounts.opening import OPENING_DESCRIPTION
from transfers.demo.habits import CASH, Day, Habit, money, month_number
from transfers.demo.lives import AWAY, HABITS, HOLDINGS, owner_of
from transfers.models import OrderKind
from transfers.periods import Month, day_of, start_of_day

MONTHS = 6  # full ones, before the one so far
_SEED = 1880  # the same lives in every demo bank
_LEFT_IN_THE_ACCOUNT = 40


@dataclass(frozen=True)
class Movement:
    """One event; `key` makes it happen once. Accounts by their key, CASH for the bank's side."""

    key: str
    at: datetime
    source: str
    target: str
    amount: Decimal
    text: str

    @property
    def actor(self) -> str:
        """Return who did it: the owner of the source, or the person who paid cash in."""
        return owner_of(self.source or self.target)

    @property
    def kind(self) -> OrderKind:
        if self.source == CASH:
            return OrderKind.DEPOSIT
        if self.target == CASH:
            return OrderKind.WITHDRAWAL
        return OrderKind.OWN_TRANSFER if owner_of(self.target) == self.actor else OrderKind.PAYMENT


def first_month(now: datetime) -> Month:
    """Return the first full month of a history up to `now`."""
    return Month.of(now).and_before(MONTHS + 1)[0]


def opening_times(first: Month) -> dict[str, datetime]:
    """Return when each account was opened: some days before the first month."""
    begin = start_of_day(first.first_day - timedelta(days=3)) + timedelta(hours=10)
    return {holding.key: begin + timedelta(minutes=5 * number) for number, holding in enumerate(HOLDINGS)}


def plan(first: Month, until: datetime) -> list[Movement]:
    """Return all movements from the opening deposits up to the beginning of the day of `until`, oldest first."""
    chance = random.Random(_SEED)  # noqa: S311 - the demo's lives, not a secret
    books = _Books()
    times = opening_times(first)
    for holding in HOLDINGS:
        books.move(times[holding.key], CASH, holding.key, money(holding.deposit), OPENING_DESCRIPTION)
    date = first.first_day
    while date < day_of(until):
        _live_one_day(books, Day(date, month_number(first, date)), chance)
        date += timedelta(days=1)
    return books.movements


class _Books:
    """The plan so far, and the balances it leads to."""

    def __init__(self) -> None:
        self.movements: list[Movement] = []
        self._balances = {holding.key: Decimal(0) for holding in HOLDINGS}

    def balance(self, account: str) -> Decimal:
        return self._balances.get(account, Decimal(0))

    def has(self, account: str, amount: Decimal) -> bool:
        return account == CASH or self.balance(account) >= amount

    def move(self, at: datetime, source: str, target: str, amount: Decimal, text: str) -> None:
        if source != CASH:
            self._balances[source] -= amount
        if target != CASH:
            self._balances[target] += amount
        self.movements.append(Movement(f"seed-{len(self.movements):05}", at, source, target, amount, text))


def _live_one_day(books: _Books, day: Day, chance: random.Random) -> None:
    begin = start_of_day(day.date)
    due = [
        (
            begin + timedelta(hours=habit.hours[0], minutes=chance.randrange(60 * (habit.hours[1] - habit.hours[0]))),
            habit,
        )
        for habit in HABITS
        if habit.when(day, chance) and not _is_away(habit, day)
    ]
    for at, habit in sorted(due, key=lambda pair: pair[0]):
        amount = habit.amount(chance, books.balance(habit.source))
        left = Decimal(0 if habit.must else _LEFT_IN_THE_ACCOUNT)
        if amount > 0 and books.has(habit.source, amount + left):
            books.move(at, habit.source, habit.target, amount, chance.choice(habit.texts))


def _is_away(habit: Habit, day: Day) -> bool:
    month, first, last = AWAY.get(owner_of(habit.source), (-1, 0, 0))
    return habit.at_home and day.month == month and first <= day.date.day <= last
