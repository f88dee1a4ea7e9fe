"""Guesses at passwords and codes, counted exactly: a place is taken before the guess is looked at (R1.4).

Three counts: `counted` by e-mail and network, which is the lockout, and by network, against trying one password on
everybody; `from_anywhere` by e-mail, against trying codes from a thousand networks. django-axes counts
after the hasher has run, so parallel guesses overshoot its limit: 17 of 40 where 5 were allowed. Axes records the
attempts; these counters decide (`accounts.sign_in.axes`).
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any

from axes.utils import reset
from django.conf import settings
from django.utils import timezone

from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.limiter.limiter import LimitsUnavailable, TooOften
from foundation.request_context import network_of
from foundation.transactions import own_transaction

# One shared key for attempts that name nobody, different from any e-mail address.
NOBODY = "-"
_LONGEST_ADDRESS = 254  # of the column, and of RFC 5321

_ONE_AN_HOUR = limiter.Limit(times=1, window_seconds=3600)
_PAUSE_AFTER_A_CODE = limiter.Limit(times=1, window_seconds=2)
_CODES_FROM_ANYWHERE = limiter.Limit(times=50, window_seconds=3600)


def identity(email: Any) -> str:
    """Return the key for one e-mail address: two spellings share one key, and no length overflows a column."""
    return email.strip().casefold()[:255] or NOBODY if isinstance(email, str) else NOBODY


def email_in(typed: str) -> str:
    """Return the e-mail address that was typed, in its stored spelling; "" if it does not look like one: people type
    passwords into that field, and those are never written down."""
    text = typed.strip().lower()
    return text if len(text) <= _LONGEST_ADDRESS and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", text) else ""


def name_for_axes(email: Any) -> str:
    """Return what axes records of an attempt: the address, or NOBODY if it does not look like one."""
    return email_in(email) or NOBODY if isinstance(email, str) else NOBODY


class Door(StrEnum):
    """What a person has shown before they give a code: each door has a wide count of its own (`from_anywhere`), so that
    nobody can fill the count of a person who has shown more."""

    NOTHING = "nothing"  # the address alone, where a PIN signs in
    PASSWORD = "password"  # noqa: S105 - a name
    KNOWN = "known"  # the password, in a browser or program in which this person has signed in before
    SESSION = "session"


def _limit() -> limiter.Limit:
    seconds = settings.LOCKOUT_MINUTES * 60
    return limiter.Limit(times=settings.AXES_FAILURE_LIMIT, window_seconds=seconds, lock_seconds=seconds)


def key_for(email: str, ip: str | None) -> str:
    """Return the key of the counter for one (e-mail, network): a stranger elsewhere cannot lock a customer's own
    place."""
    return f"{_prefix_for(email)}{_digest(network_of(ip))}"


def _prefix_for(email: str) -> str:
    """Return the prefix of an e-mail address's keys, for all networks."""
    return f"guess:{_digest(identity(email))}:"


def _digest(text: str) -> str:
    # 160 bits of it: two digests fit into the key's column.
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class Guess:
    """One guess, while it is checked: the checking code sets `was_right`."""

    was_right = False


@contextmanager
def counted(
    *, email: str, ip: str | None, token: str = "", door: Door | None = None, shows_nothing: bool = False
) -> Iterator[Guess]:
    """Allow one guess to be checked, if the limits allow. A refused one leaves no row: addresses can be made up.

    Args:
        token: names the guess: while it is checked, the same guess (a second click) takes no other place.
        door: for a guess at a code of the app, which is also limited `from_anywhere`, in the same step.
        shows_nothing: for a person who has shown nothing yet: their network has GUESSES_PER_NETWORK wrong ones in
            LOCKOUT_MINUTES, for all addresses together. A right one gives its place back, so that many customers behind
            one address do not add up; after the limit, one more is allowed as soon as the oldest is over.

    Raises:
        TooOften: locked; the guess must not be checked.
    """
    own, guess = limiter.Place(key_for(email, ip), _limit(), token), Guess()
    wide = [limiter.Place(_network_key(ip), _network_limit())] if shows_nothing else []
    wide += [] if door is None else [_wide_place(email, door)]
    left, *wide_left = limiter.take_all([own, *wide])
    try:
        yield guess
    except TooOften:  # a wider limit is full: the guess was not made
        limiter.give_back_all([own, *wide])
        raise
    if guess.was_right:
        limiter.give_back_all([own, *wide])
        return
    if token:
        limiter.spend(own.key, token)
    if left == 0:  # exactly one guess takes the last place
        _report_lockout(email, ip)
    if shows_nothing and wide_left[0] == 0:
        record(Action.LOCKED_OUT, actor=None, actor_label=network_of(ip) or "unknown", details={"whole_network": True})


def seconds_closed(*, ip: str | None) -> int:
    """Return for how many seconds this network may make no guess at anybody; 0 if it may."""
    return limiter.seconds_to_wait(_network_key(ip), _network_limit())


def _network_key(ip: str | None) -> str:
    return f"guess-network:{_digest(network_of(ip))}"


def _network_limit() -> limiter.Limit:
    return limiter.Limit(times=settings.GUESSES_PER_NETWORK, window_seconds=settings.LOCKOUT_MINUTES * 60)


@contextmanager
def from_anywhere(guess: Guess, *, email: str, door: Door) -> Iterator[None]:
    """Allow a guess at a code of the app, if few enough wrong ones came from all networks through this door.

    Fifty an hour are 1,200 a day. Three codes of a million are valid at any moment, so a day's guesses from any number
    of networks find one with a chance of 1,200 * 3 / 1,000,000 = 0.36 %, and the attacker also needs what the door asks
    for (a PIN with three tries, a password, a session). Filling the count closes only this door, never the door of a
    browser that the owner has used, nor the way by a recovery code.

    Raises:
        TooOften: the guess must not be checked.
    """
    place = _wide_place(email, door)
    limiter.take_all([place])
    yield
    if guess.was_right:
        limiter.give_back_all([place])


def _wide_place(email: str, door: Door) -> limiter.Place:
    return limiter.Place(_door_key(email, door), _CODES_FROM_ANYWHERE)


def _door_key(email: str, door: Door) -> str:
    return f"codes-{door}:{_digest(identity(email))}"


def begin_pause(*, email: str, ip: str | None) -> None:
    """Pause after a wrong code: people look at their phone again, and a second click is not a second guess. Only this
    network pauses; the counts are what limits guessing."""
    with suppress(TooOften):
        limiter.take(_pause_key(email, ip), _PAUSE_AFTER_A_CODE)


def seconds_of_pause(*, email: str, ip: str | None) -> int:
    return limiter.seconds_to_wait(_pause_key(email, ip), _PAUSE_AFTER_A_CODE)


def _pause_key(email: str, ip: str | None) -> str:
    return f"{_pauses_of(email)}{_digest(network_of(ip))}"


def _pauses_of(email: str) -> str:
    return f"code-pause:{_digest(identity(email))}:"


def _report_lockout(email: str, ip: str | None) -> None:
    """Record the lockout, and tell the user of this address, once an hour: a stranger must not fill a mailbox.

    The mail worker finds out whether the address has a user. Here the same happens for known and unknown addresses, so
    that neither the answer nor its time tells them apart.
    """
    try:
        limiter.take(f"lockout-mail:{_digest(identity(email))}", _ONE_AN_HOUR)
        is_told = True
    except (TooOften, LimitsUnavailable):  # what has happened is recorded even if nothing can be counted
        is_told = False
    _write_lockout(email_in(email), network_of(ip), is_told=is_told)


@own_transaction
def _write_lockout(email: str, network: str, *, is_told: bool) -> None:
    record(Action.LOCKED_OUT, actor=None, actor_label=email or "unknown")
    if email and is_told:
        now = timezone.now().isoformat()
        outbox.tell("locked_out", email=email, at=now, network=network, minutes=settings.LOCKOUT_MINUTES)


def seconds_locked(*, email: str, ip: str | None) -> int:
    """Return for how many seconds no further guess is allowed; 0 if one is."""
    return limiter.seconds_to_wait(key_for(email, ip), _limit())


def is_locked_anywhere(*, email: str) -> bool:
    """Return whether guesses at this address are refused from any network, or codes for it from all."""
    doors = (limiter.seconds_to_wait(_door_key(email, door), _CODES_FROM_ANYWHERE) for door in Door)
    return limiter.is_any_full(_prefix_for(email), _limit()) or any(doors)


def forgive_everywhere(*, email: str) -> None:
    """Forget the failures at this address from all networks, in our counts and in axes' records: staff unlock it
    (R1.4)."""
    # In the order of the keys, as places are taken: with rows, each of these is a lock until the caller commits.
    limiter.clear_all(_pauses_of(email))
    for door in sorted(Door):
        limiter.clear(_door_key(email, door))
    limiter.clear_all(_prefix_for(email))
    reset(username=name_for_axes(email))


def forgive(*, email: str, ip: str | None) -> None:
    """Forget the failures: the person has signed in."""
    limiter.clear(key_for(email, ip))
