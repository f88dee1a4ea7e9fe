"""How long a session still lives: five idle minutes, eight hours in all (R1.6).

The cookie's age is only a courtesy to the browser. What counts is the stamp of its beginning in the session, and when
somebody was last noted to be there, in its row (`accounts.sign_in.sessions.rows`).
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
    """Whole seconds in which the session is still alive, if nobody comes.

    `idle` counts from when somebody was last noted. Who came within SESSION_NOTED_SECONDS after that was not noted
    again, so the session lives on for so long: it never ends before five minutes without a request are over.
    """

    idle: int
    absolute: int

    @property
    def seconds(self) -> int:
        """By what is noted; 0 when that is over."""
        return max(min(self.idle, self.absolute), 0)

    @property
    def spare_seconds(self) -> int:
        """What comes on top, for who was not noted."""
        return max(min(self.idle + settings.SESSION_NOTED_SECONDS, self.absolute), 0) - self.seconds

    @property
    def is_over(self) -> bool:
        return self.seconds + self.spare_seconds == 0


def time_left(session: SessionBase, *, seen_at: datetime, now: datetime) -> TimeLeft:
    """Return what is left at `now`, when somebody was noted at `seen_at`. A session without the stamp of its beginning
    was not begun by our sign-in: it has nothing."""
    at = int(now.timestamp())
    # Alive up to and in the last second, so one more than the difference.
    return TimeLeft(
        idle=settings.SESSION_IDLE_SECONDS - (at - int(seen_at.timestamp())) + 1,
        absolute=settings.SESSION_ABSOLUTE_SECONDS - (at - session.get("auth_at", 0)) + 1,
    )


def without_renewal(view: V) -> V:
    """Mark a view that a page asks by itself, with nobody there: it must not keep a session alive."""
    view.is_background = True  # type: ignore[attr-defined]
    return view
