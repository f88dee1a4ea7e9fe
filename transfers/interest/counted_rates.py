"""The rates at which days were counted, and which of them were announced differently since (R9.2, R3.15)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.models import QuerySet

from accounts.models import AccountStatus
from transfers.interest.rates import MILLIONTHS, SavingsRates, parse_rates
from transfers.models import CountedRates, SavingsInterest


@dataclass(frozen=True)
class LateRate:
    """Days from `first_day` on that were counted at other rates than `SAVINGS_RATE` says now, and on how many accounts.
    For the first of these days: the yearly rate that they `were` counted at, and the rate that it `is`."""

    first_day: date
    were: Decimal
    is_now: Decimal
    accounts: int

    def __str__(self) -> str:
        return (
            f"SAVINGS_RATE says {self.is_now} from {self.first_day} on, but {self.accounts} accounts were counted at "
            f"{self.were} then. Run accrue_interest --correct to post what is missing, or too much."
        )


def rates_now() -> SavingsRates:
    """Return the rates of `SAVINGS_RATE`."""
    return parse_rates(str(settings.SAVINGS_RATE))


def rates_of(row: SavingsInterest) -> SavingsRates:
    """Return the rates at which the days of an account were counted."""
    return parse_rates(row.counted_by.text) if row.counted_by else rates_now().up_to(row.accrued_through)


def announced_for(counted: SavingsRates, through: date) -> SavingsRates:
    """Return the right rates for days up to `through` that were counted at others. `SAVINGS_RATE` says nothing about
    days before its first one, and without days nothing about the past at all: those stay."""
    now = rates_now()
    if now.announced_from is None:
        return counted
    return counted.then(now, after=now.announced_from - timedelta(days=1)).up_to(through)


def late_rates() -> list[LateRate]:
    """Return rates that were announced, or withdrawn, for days that open accounts have been counted for."""
    return [late for _, late in _late()]


def accounts_at_late_rates() -> QuerySet[SavingsInterest]:
    """Return the rows of open accounts that were counted at other rates than were announced since."""
    books = [(book.pk, late.first_day) for book, late in _late()]
    rows = SavingsInterest.objects.none()
    for pk, first_day in books:
        rows = rows | _counted(pk, first_day)
    return rows


def check_late_rates(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn about rates that were announced late. The deployment is not at fault, so it stops nothing.

    It says nothing about a bank that was not migrated: another check does.
    """
    if DEFAULT_DB_ALIAS not in (databases or []):
        return []
    try:
        return [checks.Warning(str(late), id="transfers.W001") for late in late_rates()]
    except DatabaseError:
        return []


def rates_to_count_by(counted: SavingsRates | None, *, after: date, until: date) -> tuple[SavingsRates, str]:
    """Return the rates to count on by from a day, and the row to keep for everything counted up to another day."""
    return _spliced(counted.text if counted else "", str(settings.SAVINGS_RATE), after, until)


@lru_cache(maxsize=64)
def _spliced(counted: str, now: str, after: date, until: date) -> tuple[SavingsRates, str]:
    rates = parse_rates(counted).then(parse_rates(now), after=after) if counted else parse_rates(now)
    return rates, rates.up_to(max(after, until)).text


def kept(rates: str) -> int:
    """Return the key of the row of these rates, new if nothing was counted by them yet."""
    digest = hashlib.sha256(rates.encode()).hexdigest()
    return CountedRates.objects.get_or_create(digest=digest, defaults={"text": rates})[0].pk


def _late() -> Iterator[tuple[CountedRates, LateRate]]:
    now = rates_now()
    if now.announced_from is None:
        return
    for book in CountedRates.objects.order_by("pk"):
        counted = parse_rates(book.text)
        first_day = counted.first_difference(now, since=now.announced_from)
        accounts = _counted(book.pk, first_day).count() if first_day else 0
        if first_day and accounts:
            were, is_now = (Decimal(rates.on(first_day)) / MILLIONTHS for rates in (counted, now))
            yield book, LateRate(first_day, were, is_now, accounts)


def _counted(book: int, first_day: date) -> QuerySet[SavingsInterest]:
    rows = SavingsInterest.objects.filter(counted_by=book, accrued_through__gte=first_day)
    return rows.exclude(account__status=AccountStatus.CLOSED)
