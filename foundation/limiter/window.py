"""What a limit is, and when a place in a sliding window counts; both stores follow this."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from foundation.refusals import NotNow

# Machines' clocks differ by less. A place further ahead than this was taken by a clock that has since been set back, or
# by a machine with a wrong clock: its real time is unknown, and it blocks nobody until that time comes. It is kept
# until then: otherwise two machines would each forget the other's places.
CLOCKS_DIFFER_SECONDS = 60


class TooOften(NotNow):
    """The limit is reached."""

    code = "too_often"
    detail = "That was a lot in a short time. Nothing was changed."

    def __init__(self, retry_after: int, place: "Place | None" = None) -> None:
        super().__init__(retry_after, f"Try again in {retry_after} seconds.")
        self.place = place  # that could not be taken


class LimitsUnavailable(NotNow):
    """Nothing can be counted at present, so nothing that is limited is done."""

    code = "limits_unavailable"
    text = "This cannot be done at present. Nothing was changed."
    status = 503

    def __init__(self) -> None:
        super().__init__(retry_after=30)


@dataclass(frozen=True)
class Limit:
    """`times` within `window_seconds`; once they are used up, nothing for `lock_seconds` after the last."""

    times: int
    window_seconds: int
    lock_seconds: int = 0


@dataclass(frozen=True)
class Place:
    """A place to be taken under `key`. `token` names what it is for: taken again with the same token, it is the same
    place (a repeated request is not a second one)."""

    key: str
    limit: Limit
    token: str = ""


# The time a place was taken (seconds since 1970), and what it is for; the earliest place comes first.
Stamps = Sequence[Sequence]


def still_counting(stamps: Stamps, limit: Limit, now: float) -> list[Sequence]:
    """Return the places that are still taken: all places of a full window until its wait is over, otherwise those
    inside it."""
    taken = _taken_by(stamps, now)
    if wait_of(taken, limit, now) > 0:
        return taken
    return [stamp for stamp in taken if stamp[0] + limit.window_seconds > now]


def taken_ahead(stamps: Stamps, limit: Limit, now: float) -> list[Sequence]:
    """Return the places that a clock ahead of ours has taken, which are kept in front of those that count; no more than
    such a clock can take."""
    return [stamp for stamp in stamps if _is_ahead(stamp, now)][-limit.times :]


def wait_of(stamps: Stamps, limit: Limit, now: float) -> int:
    """Return the whole seconds until a place is free: until the oldest leaves the window, or the lock after the newest
    ends, whichever is later. 0 if one is free."""
    taken = _taken_by(stamps, now)
    if len(taken) < limit.times:
        return 0
    times = [stamp[0] for stamp in taken]
    free_at = min(times) + limit.window_seconds
    unlocked_at = max(times) + limit.lock_seconds
    return max(0, math.ceil(max(free_at, unlocked_at) - now))


def _taken_by(stamps: Stamps, now: float) -> list[Sequence]:
    return [stamp for stamp in stamps if not _is_ahead(stamp, now)]


def _is_ahead(stamp: Sequence, now: float) -> bool:
    return bool(stamp[0] > now + CLOCKS_DIFFER_SECONDS)
