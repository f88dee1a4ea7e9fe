"""A bound on what strangers can make a process write: for one key and for all, within an hour of the clock.

It costs no statement and is not exact over processes. Where a bound guards money or guesses, `foundation.limiter`
counts.
"""

import weakref
from enum import Enum
from threading import Lock

from django.utils import timezone

from foundation.limiter.window import TooOften

_SECONDS = 3600


class Room(Enum):
    """What is left: enough, for the last one, or nothing."""

    ENOUGH = "enough"
    LAST = "last"
    NONE = "none"


class HourlyBound:
    """At most `each` for one key and `in_all` for all keys together, in this process and hour. It remembers no more
    than `in_all` keys, whatever strangers call themselves."""

    def __init__(self, *, each: int, in_all: int) -> None:
        self.each, self.in_all = each, in_all
        self._lock = Lock()
        self.forget()
        _bounds.add(self)

    def take(self, key: str = "") -> Room:
        """Take one place, if there is room. The last one is told apart, so that it can say that no more follow."""
        with self._lock:
            hour = int(timezone.now().timestamp()) // _SECONDS
            if hour != self._hour:
                self._begin(hour)
            taken = self._taken.get(key, 0)
            if taken >= self.each or self._in_all >= self.in_all:
                return Room.NONE
            self._taken[key] = taken + 1
            self._in_all += 1
            return Room.LAST if taken + 1 == self.each or self._in_all == self.in_all else Room.ENOUGH

    def require(self, key: str = "") -> None:
        """Take one place.

        Raises:
            TooOften: there is none until the next hour.
        """
        if self.take(key) is Room.NONE:
            raise TooOften(_SECONDS - int(timezone.now().timestamp()) % _SECONDS)

    def forget(self) -> None:
        """Forget what was taken."""
        self._begin(0)

    def _begin(self, hour: int) -> None:
        self._hour, self._in_all = hour, 0
        self._taken: dict[str, int] = {}


_bounds: "weakref.WeakSet[HourlyBound]" = weakref.WeakSet()


def forget_all() -> None:
    """Forget what was taken of every bound; for tests, each of which is an hour of its own."""
    for bound in _bounds:
        bound.forget()
