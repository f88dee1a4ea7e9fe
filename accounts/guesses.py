"""Guesses at passwords and codes, counted exactly: a place is taken before the guess is looked at (R1.4).

django-axes counts after the hasher has run, so parallel guesses overshoot its limit: 17 of 40 where 5 were
allowed. Axes records the attempts; this counter decides (`accounts.lockout`).
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from axes.utils import reset
from django.conf import settings

from accounts import limiter
from accounts.sign_in_identity import identity
from audit.actions import Action
from audit.context import network_of
from audit.services import record

R = TypeVar("R")


def _limit() -> limiter.Limit:
    seconds = settings.LOCKOUT_MINUTES * 60
    return limiter.Limit(times=settings.AXES_FAILURE_LIMIT, window_seconds=seconds, lock_seconds=seconds)


def key_for(email: str, ip: str | None) -> str:
    """One counter for each (e-mail, network): a stranger elsewhere cannot lock a customer's own place."""
    return f"{_prefix_for(email)}{_digest(network_of(ip))}"


def _prefix_for(email: str) -> str:
    """With what the keys of one e-mail address begin, wherever the guesses came from."""
    return f"guess:{_digest(identity(email))}:"


def _digest(text: str) -> str:
    # 160 bits of it: two digests fit into the key's column.
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def counted(guess: Callable[[], R | None], *, email: str, ip: str | None) -> R | None:
    """Make one guess if the limit allows, and return its result; None means that it was wrong.

    Raises:
        TooOften: locked; the guess was not made.
    """
    key = key_for(email, ip)
    left = limiter.take(key, _limit())
    result = guess()
    if result is not None:
        limiter.give_back(key)
    elif left == 0:  # exactly one guess takes the last place
        record(Action.LOCKED_OUT, actor=None, actor_label=identity(email))
    return result


def seconds_locked(*, email: str, ip: str | None) -> int:
    """How long no further guess is allowed; 0 if one is."""
    return limiter.seconds_to_wait(key_for(email, ip), _limit())


def is_locked_anywhere(*, email: str) -> bool:
    """Whether guesses at this address are refused from any network."""
    return limiter.is_any_full(_prefix_for(email), _limit())


def forgive_everywhere(*, email: str) -> None:
    """Forget the failures at this address from all networks, ours and axes' record of them: staff unlock it (R1.4)."""
    limiter.clear_all(_prefix_for(email))
    reset(username=identity(email))


def forgive(*, email: str, ip: str | None) -> None:
    """Forget the failures: the person has signed in."""
    limiter.clear(key_for(email, ip))
