"""How long a session still lives: five idle minutes, eight hours in all (R1.6).

The cookie's age is only a courtesy to the browser; the stamps in the session are what counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True)
class TimeLeft:
    """Whole seconds in which the session is still alive; at most nothing once it is over."""

    idle: int
    absolute: int

    @property
    def seconds(self) -> int:
        return max(min(self.idle, self.absolute), 0)

    @property
    def is_over(self) -> bool:
        return self.seconds == 0


def time_left(session: SessionBase, *, now: int) -> TimeLeft:
    """What is left at `now` (Unix seconds). A session without stamps was not begun by our sign-in: it has nothing."""
    # Alive up to and in the last second, so one more than the difference.
    return TimeLeft(
        idle=settings.SESSION_IDLE_SECONDS - (now - session.get("seen_at", 0)) + 1,
        absolute=settings.SESSION_ABSOLUTE_SECONDS - (now - session.get("auth_at", 0)) + 1,
    )


def renew(session: SessionBase, *, now: int) -> None:
    """Somebody is there: the idle minutes begin anew."""
    session["seen_at"] = now


def without_renewal(view: V) -> V:
    """Mark a view that a page asks by itself, with nobody there: it must not keep a session alive."""
    view.is_background = True  # type: ignore[attr-defined]
    return view
