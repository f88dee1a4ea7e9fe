"""How long a session lives: five idle minutes, eight hours in all (R1.6).

The cookie's age is only a courtesy to the browser. What counts is the time of its beginning, in the session, and the
time of its last noted use, in its row (`accounts.sign_in.sessions.rows`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True)
class TimeLeft:
    """Whole seconds until the session ends, if it is not used.

    `idle` counts from its last noted use. Use within SESSION_NOTED_SECONDS after that is not noted again, so the
    session lives that much longer: it never ends before five minutes without a request.
    """

    idle: int
    absolute: int

    @property
    def seconds(self) -> int:
        """Return the seconds by the last noted use; 0 when they are over."""
        return max(min(self.idle, self.absolute), 0)

    @property
    def spare_seconds(self) -> int:
        """Return the seconds on top, for use that was not noted."""
        return max(min(self.idle + settings.SESSION_NOTED_SECONDS, self.absolute), 0) - self.seconds

    @property
    def is_over(self) -> bool:
        return self.seconds + self.spare_seconds == 0


def time_left(session: SessionBase, *, seen_at: datetime, now: datetime) -> TimeLeft:
    """Return what is left at `now`, if the last noted use was at `seen_at`. A session without the time of its beginning
    was not begun by our sign-in: it has nothing left."""
    at = int(now.timestamp())
    # Alive up to and in the last second, so one more than the difference.
    return TimeLeft(
        idle=settings.SESSION_IDLE_SECONDS - (at - int(seen_at.timestamp())) + 1,
        absolute=settings.SESSION_ABSOLUTE_SECONDS - (at - session.get("auth_at", 0)) + 1,
    )


def without_renewal(view: V) -> V:
    """Mark a view that a page calls by itself, without a person: it must not keep a session alive."""
    view.is_background = True  # type: ignore[attr-defined]
    return view
