"""Plans for savings accounts, computed from what was counted and what moved; nothing is written.

Counted days can turn out wrong: a reversal has since taken back money that was there, or brought back money that was
missing; or another rate was announced for past days (R3.15). A plan says by how much, once for each reason: the
account's row keeps which reversals, and which rates, its days include.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

from accounts.models import BankAccount
from foundation.money import to_minor
from transfers.interest import counted_rates
from transfers.interest import counting as interest
from transfers.interest.counting import Accrual, Correction, MonthOfInterest
from transfers.interest.movements import Moved, all_that_moved, moved_after
from transfers.interest.rates import SavingsRates
from transfers.ledger.posting import MAX_BALANCE_MINOR
from transfers.models import Entry, SavingsInterest
from transfers.periods import day_of


@dataclass(frozen=True)
class Payment:
    """Interest to post, in minor units; negative to take back what was paid too much."""

    amount: int
    description: str


@dataclass(frozen=True)
class Before:
    """The account before the plan: what it had earned, and by which rates, and which reversals, that was counted."""

    accrual: Accrual
    rates: SavingsRates | None  # None: it is counted for the first time
    counted_by: int | None
    reversals_to: int

    @property
    def through(self) -> date:
        return self.accrual.through

    def says(self, rates: str) -> bool:
        """Return whether the row names these rates already."""
        return self.counted_by is not None and self.rates is not None and self.rates.text == rates


@dataclass(frozen=True)
class Plan:
    """The plan for one account: its state before, what was wrong and why, its state `after`, the months that ended
    meanwhile, and the rates at which its days are counted now."""

    account: BankAccount
    before: Before
    correction: Correction
    why: Sequence[str]
    after: Accrual
    months: Sequence[MonthOfInterest]
    rates: str
    reversals_to: int

    @property
    def is_new(self) -> bool:
        return self.before.rates is None

    @property
    def has_earned(self) -> bool:
        """Return whether anything except the last day changes."""
        return self.left != replace(self.before.accrual, through=self.left.through)

    @property
    def days(self) -> int:
        return (self.after.through - self.before.through).days

    @property
    def owed(self) -> int:
        """Return all rounded interest, in minor units."""
        return self.after.due + sum(month.amount for month in self.months)

    @property
    def changes_nothing(self) -> bool:
        return not (self.days or self.payments or self.why)

    @cached_property
    def can_be_paid(self) -> bool:
        """Return whether the payments are possible: not into a frozen account (R2.3), nor a full one, nor out of one
        that has too little; then they wait."""
        balance, available = to_minor(self.account.balance), to_minor(self.account.available)
        fits = balance + sum(max(payment.amount, 0) for payment in self._all) <= MAX_BALANCE_MINOR
        return self.account.is_active and fits and available + self.owed >= 0

    @cached_property
    def payments(self) -> list[Payment]:
        """Return the payments, money in before money out, so that the balance never runs short in between."""
        paid = [payment for payment in self._all if payment.amount] if self.can_be_paid else []
        return sorted(paid, key=lambda payment: payment.amount < 0)

    @cached_property
    def _all(self) -> list[Payment]:
        last_due = (self.before.through + timedelta(days=1)).replace(day=1) - timedelta(days=1)
        waited = Payment(self.before.accrual.due, f"Up to {_name(last_due)}")
        wrong = Payment(self.correction.amount, f"Correction up to {_name(last_due)}")
        return [waited, wrong, *(Payment(month.amount, f"For {_name(month.last_day)}") for month in self.months)]

    @cached_property
    def left(self) -> Accrual:
        """Return what is left to pay after the payments."""
        return Accrual(self.after.through, self.after.micro, 0 if self.can_be_paid else self.owed)


def _name(day: date) -> str:
    return f"{calendar.month_name[day.month]} {day.year}"


def planned(accounts: Sequence[BankAccount], until: date, *, correct: bool = False) -> list[Plan]:
    """Return the plan of each account that is not up to date; three statements for any number of them, and one more
    where days were counted wrongly."""
    before = counted_before(accounts)
    moved = moved_after(accounts, {pk: row.through for pk, row in before.items()})
    wrong = {account.pk: _wrong(before[account.pk], moved[account.pk], correct=correct) for account in accounts}
    recounted = [account for account in accounts if wrong[account.pk].why]
    history = all_that_moved(recounted) if recounted else {}
    plans = [
        _plan(account, before[account.pk], moved[account.pk], wrong[account.pk], history.get(account.pk, []), until)
        for account in accounts
    ]
    return [plan for plan in plans if not plan.changes_nothing]


@dataclass(frozen=True)
class _Wrong:
    """Why counted days are wrong: reversals that count from one of them and were not included; and the rates that they
    should have been counted at."""

    unheeded: Sequence[Moved]
    rates: SavingsRates | None
    why: Sequence[str]


def _wrong(before: Before, moved: Iterable[Moved], *, correct: bool) -> _Wrong:
    if before.rates is None:
        return _Wrong([], None, [])
    unheeded = [
        one
        for one in moved
        if one.reversal and one.counts_from <= before.through and one.sequence > before.reversals_to
    ]
    rates = counted_rates.announced_for(before.rates, before.through) if correct else before.rates
    late = ["rate"] if rates != before.rates else []
    return _Wrong(unheeded, rates, [f"reversal {one.reversal}" for one in unheeded] + late)


def _plan(
    account: BankAccount, before: Before, moved: Sequence[Moved], wrong: _Wrong, history: Sequence[Moved], until: date
) -> Plan:
    correction = _correction(account, before, wrong, history) if wrong.why else Correction()
    accrual = before.accrual
    begun = replace(accrual, micro=accrual.micro + correction.micro, due=accrual.due + correction.amount)
    rates, counted_by = counted_rates.rates_to_count_by(wrong.rates, after=before.through, until=until)
    after, months = interest.accrue(
        begun,
        until=until,
        balance=to_minor(account.balance),
        movements=[one.as_counted for one in moved if one.counts_from > before.through],
        rates=rates,
    )
    heeded = [one.sequence for one in moved if one.reversal and one.counts_from <= after.through]
    reversals_to = max([before.reversals_to, *heeded])
    return Plan(account, before, correction, wrong.why, after, months, counted_by, reversals_to)


def _correction(account: BankAccount, before: Before, wrong: _Wrong, history: Sequence[Moved]) -> Correction:
    if before.rates is None or wrong.rates is None:
        return Correction()
    unheeded = {one.sequence for one in wrong.unheeded}
    as_it_was = [one.as_counted for one in history if one.sequence not in unheeded]
    as_it_is = [one.as_counted for one in history]
    first_day = min([day_of(account.opened_at), *(day for day, _ in as_it_is)])
    return interest.correction(
        first_day=first_day,
        through=before.through,
        was=(as_it_was, before.rates),
        is_now=(as_it_is, wrong.rates),
    )


def counted_before(accounts: Sequence[BankAccount]) -> dict[int, Before]:
    """Return what each account has earned so far; for one that is counted for the first time, nothing up to the day
    before it was opened, or before its first movement."""
    rows = SavingsInterest.objects.select_related("counted_by").in_bulk([account.pk for account in accounts])
    new = [account.pk for account in accounts if account.pk not in rows]
    firsts = Entry.objects.filter(account__in=new, sequence=1).values_list("account_id", "posted_at") if new else []
    begun = dict(firsts)
    found = {}
    for account in accounts:
        row = rows.get(account.pk)
        if row is not None:
            rates = counted_rates.rates_of(row)
            found[account.pk] = Before(row.accrual, rates, row.counted_by_id, row.reversals_to)
        else:
            first_day = day_of(min(account.opened_at, begun.get(account.pk, account.opened_at)))
            found[account.pk] = Before(Accrual(first_day - timedelta(days=1)), None, None, 0)
    return found
