"""At most N times in a sliding window, exact under any parallelism: one locked row for each key.

A cache's counter is faster and wrong: with a limit of 5, sixty parallel requests let 20 to 37 pass
(docs/adr/0004). A taken place is committed at once, whatever becomes of what it was taken for.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.concurrency import own_transaction
from accounts.models import RateWindow

# Longer than any window or lock.
_KEPT = timedelta(days=2)


class TooOften(Exception):
    """The limit is reached. `retry_after` is in whole seconds."""

    code = "too_often"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} seconds.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limit:
    """`times` within `window_seconds`; once they are used up, nothing for `lock_seconds` after the last."""

    times: int
    window_seconds: int
    lock_seconds: int = 0


@own_transaction
def take(key: str, limit: Limit, *, token: str = "", at: datetime | None = None) -> int:
    """Take one place under `key` and return how many are left.

    Args:
        token: names what the place is for: taken again with the same token, it is the same place (a repeated
            request is no second one).
        at: now, if not given.

    Raises:
        TooOften: none is left. Nothing was taken.
    """
    now = at or timezone.now()
    row, is_new = RateWindow.objects.select_for_update().get_or_create(key=key, defaults={"last_at": now})
    if is_new:  # whoever makes a row sweeps: an attacker's keys must not pile up
        RateWindow.objects.filter(last_at__lt=now - _KEPT).delete()
    stamps = _still_counting(row.stamps, limit, now)
    if token and any(token == other for _, other in stamps):
        return limit.times - len(stamps)
    if len(stamps) >= limit.times:
        raise TooOften(_seconds_to_wait(stamps, limit, now))
    row.stamps = [*stamps, [now.timestamp(), token]]
    row.last_at = now
    row.save(update_fields=["stamps", "last_at"])
    return limit.times - len(row.stamps)


@own_transaction
def spend(key: str, token: str) -> None:
    """What `token` took a place for is over and failed: the next try with the same token takes a place again."""
    row = RateWindow.objects.select_for_update().filter(key=key).first()
    if row is not None:
        row.stamps = [[stamp, "" if other == token else other] for stamp, other in row.stamps]
        row.save(update_fields=["stamps"])


@own_transaction
def give_back(key: str) -> None:
    """Return the place taken last: what it was taken for turned out not to count (a right password)."""
    row = RateWindow.objects.select_for_update().filter(key=key).first()
    if row and row.stamps:
        row.stamps = row.stamps[:-1]
        row.save(update_fields=["stamps"])


def seconds_to_wait(key: str, limit: Limit) -> int:
    """How long `take` would refuse, in whole seconds; 0 if it would not. Takes nothing."""
    row = RateWindow.objects.filter(key=key).first()
    if row is None or len(row.stamps) < limit.times:
        return 0
    return _seconds_to_wait(row.stamps, limit, timezone.now())


def clear(key: str) -> None:
    """Forget everything under `key`."""
    RateWindow.objects.filter(key=key).delete()


def clear_all(prefix: str) -> None:
    """Forget everything under all keys that begin with `prefix`."""
    RateWindow.objects.filter(key__startswith=prefix).delete()


def is_any_full(prefix: str, limit: Limit) -> bool:
    """Whether `take` would refuse under any of the keys that begin with `prefix`."""
    rows = RateWindow.objects.filter(key__startswith=prefix).values_list("stamps", flat=True)
    now = timezone.now()
    return any(len(stamps) >= limit.times and _seconds_to_wait(stamps, limit, now) > 0 for stamps in rows)


def _still_counting(stamps: list[list], limit: Limit, now: datetime) -> list[list]:
    if len(stamps) >= limit.times and _seconds_to_wait(stamps, limit, now) > 0:
        return stamps
    begin = (now - timedelta(seconds=limit.window_seconds)).timestamp()
    return [stamp for stamp in stamps if stamp[0] > begin]


def _seconds_to_wait(stamps: list[list], limit: Limit, now: datetime) -> int:
    """Until the oldest place leaves the window, or the lock after the newest ends, whichever is later."""
    free_at = stamps[0][0] + limit.window_seconds
    unlocked_at = stamps[-1][0] + limit.lock_seconds
    return max(0, math.ceil(max(free_at, unlocked_at) - now.timestamp()))
