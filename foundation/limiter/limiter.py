"""At most N times in a sliding window, exact under any parallelism, in rows or in the shared cache.

A cache's plain counter is faster and wrong: with a limit of 5, sixty parallel requests let 20 to 37 pass
(docs/adr/0004, 0014). A taken place stays taken, whether the act succeeds or fails. All functions raise
LimitsUnavailable while the shared cache, where there is one, does not answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from foundation.collecting import Collector
from foundation.limiter.redis import SharedCacheStore, client_for
from foundation.limiter.rows import RowStore
from foundation.limiter.window import Limit, LimitsUnavailable, Place, TooOften

__all__ = [
    "Limit",
    "LimitsUnavailable",
    "Place",
    "Taken",
    "TooOften",
    "clear",
    "clear_all",
    "give_back",
    "give_back_all",
    "is_any_full",
    "note",
    "noting",
    "seconds_to_wait",
    "spend",
    "take",
    "take_all",
]


class Store(Protocol):
    """Each call is exact under any parallelism. Times are seconds since 1970, UTC."""

    def take(self, places: Sequence[Place], *, now: float) -> list[int]: ...  # all or none

    def spend(self, key: str, token: str) -> None: ...

    def give_back(self, taken: Sequence[tuple[str, str]]) -> None: ...

    def seconds_to_wait(self, key: str, limit: Limit, *, now: float) -> int: ...

    def clear(self, key: str) -> None: ...

    def clear_all(self, prefix: str) -> None: ...

    def is_any_full(self, prefix: str, limit: Limit, *, now: float) -> bool: ...


def present_store() -> Store:
    """Return the store that the settings name (`CACHE_URL`)."""
    if settings.CACHE_URL:
        return SharedCacheStore(client_for(settings.CACHE_URL))
    return RowStore()


@dataclass(frozen=True)
class Taken:
    """A place that was requested: how many are left now, and in how many seconds the next is free."""

    key: str
    limit: Limit
    left: int
    seconds: int


_requested: Collector[Taken] = Collector("requested_places")
# Every place that is requested meanwhile, for an answer that tells a program how many it has left.
noting = _requested.collecting
# Notes a requested place, taken here or by code that keeps places in rows of its own.
note = _requested.add


def take(key: str, limit: Limit, *, token: str = "", at: datetime | None = None) -> int:
    """Take one place under `key` and return how many are left.

    Args:
        token: names what the place is for: taken again with the same token, it is the same place (a repeated request is
            not a second one).
        at: now, if not given.

    Raises:
        TooOften: none is left. Nothing was taken.
    """
    return take_all([Place(key, limit, token)], at=at)[0]


def take_all(places: Sequence[Place], *, at: datetime | None = None) -> list[int]:
    """Take several places, all or none, and return how many are left of each.

    Raises:
        TooOften: one has none left. Nothing was taken.
    """
    try:
        lefts = present_store().take(places, now=(at or timezone.now()).timestamp())
    except TooOften as error:
        if error.place is not None:
            note(Taken(error.place.key, error.place.limit, 0, error.retry_after))
        raise
    for place, left in zip(places, lefts, strict=True):
        note(Taken(place.key, place.limit, left, place.limit.window_seconds))
    return lefts


def spend(key: str, token: str) -> None:
    """End the use of the place that `token` took, which failed: the next try with the same token takes a place
    again."""
    present_store().spend(key, token)


def give_back(key: str, *, token: str = "") -> None:
    """Return the place taken last: what it was taken for does not count after all (a right password). With a token,
    return the place that it names, if it is still taken."""
    present_store().give_back([(key, token)])


def give_back_all(places: Sequence[Place]) -> None:
    """Return places that were taken together."""
    present_store().give_back([(place.key, place.token) for place in places])


def seconds_to_wait(key: str, limit: Limit) -> int:
    """Return how long `take` would refuse, in whole seconds; 0 if it would not. Take nothing."""
    return present_store().seconds_to_wait(key, limit, now=_now())


def clear(key: str) -> None:
    """Forget everything under `key`."""
    present_store().clear(key)


def clear_all(prefix: str) -> None:
    """Forget everything under keys that begin with `prefix`."""
    present_store().clear_all(prefix)


def is_any_full(prefix: str, limit: Limit) -> bool:
    """Return whether `take` would refuse under any of the keys that begin with `prefix`."""
    return present_store().is_any_full(prefix, limit, now=_now())


def _now() -> float:
    return timezone.now().timestamp()
