"""What savings earn a year, and from which day (R9.2): read from one text, without database or clock.

A rate is a whole number of millionths: 0.015, which is 1.5 %, is 15,000. So interest is counted exactly.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

MILLIONTHS = 1_000_000
_RATE = re.compile(r"(?:0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?)")


class BadRates(ValueError):
    """The text is not rates; `str()` tells the operator why."""


@dataclass(frozen=True)
class SavingsRates:
    """Rates by their first day, earliest first. Before the first of these days savings earn nothing."""

    first_days: Sequence[date]
    rates: Sequence[int]

    def on(self, day: date) -> int:
        """Return the rate of a day, in millionths a year."""
        place = bisect_right(self.first_days, day)
        return self.rates[place - 1] if place else 0

    @property
    def text(self) -> str:
        """Return the text that `parse_rates()` reads these rates from; the same for the same rates."""
        each = zip(self.first_days, self.rates, strict=True)
        return ",".join(f"{day}:{rate // MILLIONTHS}.{rate % MILLIONTHS:06}" for day, rate in each)

    @property
    def announced_from(self) -> date | None:
        """Return the first day that these rates cover; None where they were written without a day, which says nothing
        about the past."""
        return None if self.first_days[0] == date.min else self.first_days[0]

    def up_to(self, day: date) -> "SavingsRates":
        """Return the same rates, without those that begin after `day`."""
        return _rates_of([(first, rate) for first, rate in self._pairs if first <= day] or [(date.min, 0)])

    def then(self, later: "SavingsRates", *, after: date) -> "SavingsRates":
        """Return these rates up to `after`, and `later` from the next day on."""
        begins = after + timedelta(days=1)
        pairs = [pair for pair in self._pairs if pair[0] <= after]
        pairs.append((begins, later.on(begins)))
        return _rates_of(pairs + [pair for pair in later._pairs if pair[0] > begins])

    def first_difference(self, other: "SavingsRates", *, since: date) -> date | None:
        """Return the first day from `since` on for which the two have another rate."""
        days = {since, *self.first_days, *other.first_days}
        return next((day for day in sorted(days) if day >= since and self.on(day) != other.on(day)), None)

    @property
    def _pairs(self) -> list[tuple[date, int]]:
        return list(zip(self.first_days, self.rates, strict=True))


def _rates_of(pairs: Sequence[tuple[date, int]]) -> SavingsRates:
    """Return rates by their first days, without those that change nothing."""
    kept: list[tuple[date, int]] = []
    for day, rate in pairs:
        if not kept or kept[-1][1] != rate:
            kept.append((day, rate))
    return SavingsRates([day for day, _ in kept], [rate for _, rate in kept])


@lru_cache(maxsize=8)
def parse_rates(text: str) -> SavingsRates:
    """Read one rate, such as `0.015`, or rates with their first days: `2026-01-01:0.015,2026-11-16:0.02`.

    Raises:
        BadRates: not a rate from 0 to 1 with six decimals at most, a day that does not exist, days out of order.
    """
    if ":" not in text:
        return SavingsRates([date.min], [_rate(text)])
    days, rates = [], []
    for item in text.split(","):
        day, _, rate = item.strip().partition(":")
        days.append(_day(day))
        rates.append(_rate(rate))
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise BadRates("the days stand in order, each once")
    return SavingsRates(days, rates)


def _rate(text: str) -> int:
    if not _RATE.fullmatch(text.strip()):
        raise BadRates(f"{text.strip()!r} is no rate: write 0.015 for 1.5 % a year, with six decimals at most")
    whole, _, decimals = text.strip().partition(".")
    return int(whole) * MILLIONTHS + int(decimals.ljust(6, "0"))


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise BadRates(f"{text!r} is no day: write it like 2026-11-16")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadRates(f"{text} is no day of the calendar") from error
