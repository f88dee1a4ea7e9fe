"""Days and months of the bank, as moments (UTC) made in Python: databases disagree about time zones."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

# Dates that a customer can mean; the ends of Python's calendar overflow when moved to UTC.
FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2099, 12, 31)


def start_of_day(day: date) -> datetime:
    """Return the moment (UTC) at which a day of the bank begins."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone()).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return the moment (UTC) at which the next day begins: the day itself is before it."""
    return start_of_day(day + timedelta(days=1))


def day_of(moment: datetime) -> date:
    """Return the bank's day of a moment."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date()


@dataclass(frozen=True, order=True)
class Week:
    """A week of the bank, from Monday to Sunday."""

    first_day: date

    @classmethod
    def of(cls, moment: datetime) -> "Week":
        day = day_of(moment)
        return cls(day - timedelta(days=day.weekday()))

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=6)

    @property
    def starts_at(self) -> datetime:
        return start_of_day(self.first_day)

    @property
    def before(self) -> "Week":
        return Week(self.first_day - timedelta(weeks=1))

    def and_before(self, count: int) -> list["Week"]:
        """Return this week and those before it, `count` in all, earliest first."""
        return [Week(self.first_day - timedelta(weeks=back)) for back in range(count - 1, -1, -1)]


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month of the bank."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        day = day_of(moment)
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, self.number, calendar.monthrange(self.year, self.number)[1])

    @property
    def starts_at(self) -> datetime:
        return start_of_day(self.first_day)

    @property
    def ends_at(self) -> datetime:
        return end_of_day(self.last_day)

    @property
    def before(self) -> "Month":
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    def back_to(self, first: "Month") -> Iterator["Month"]:
        """Yield this month and those before it, latest first, down to `first`."""
        month = self
        while month >= first:
            yield month
            month = month.before

    def and_before(self, count: int) -> list["Month"]:
        """Return this month and those before it, `count` in all, earliest first."""
        months = [self]
        while len(months) < count:
            months.append(months[-1].before)
        return months[::-1]
