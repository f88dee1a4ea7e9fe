"""The PIN that the API may ask an app for: its owner sets, changes and removes it (R1.8), and the API verifies it
(R1.4). No page asks for it."""

import re
from datetime import datetime
from itertools import pairwise

from django.db.models import F
from django.utils import timezone

from accounts.models import User
from accounts.roles import require_any_role
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import hashing
from accounts.sign_in.passwords.hashing import make_hash
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

TRIES = 3
PIN_DIGITS = 6


class InvalidPin(Refusal):
    """A text that the bank accepts as nobody's PIN; `str()` says why, in words for the person who typed it."""

    code = "invalid_pin"
    status = 422


class NoPin(Refusal):
    """There is no PIN to remove."""

    code = "no_pin"
    text = "There is no PIN."


class PinLocked(Refusal):
    """Locked after wrong tries (R1.4). If its owner could replace or remove it, a guesser could go on guessing."""

    code = "pin_locked"
    text = "This PIN is locked. Only the bank unlocks it."


class WrongPin(Refusal):
    """The PIN is wrong; or there is no PIN, or no user. The caller is not told which."""

    code = "wrong_pin"
    text = "This PIN is not right."
    status = 422


class PinBusy(Refusal):
    """All remaining tries are being checked at this moment; this one was not. Nothing was counted."""

    code = "pin_busy"
    text = "Other tries are being looked at just now. Try again in a moment."


def set_pin(*, actor: User, pin: str, code: str, origin: Origin) -> None:
    """Make `pin` the actor's PIN, instead of the former one, if any.

    A refused PIN uses up no code. Only the PIN's hash is kept: the audit log and the mail say that it changed.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
        InvalidPin: not six digits, or easily guessed.
        PinLocked: only staff unlock it.
    """
    require_any_role(actor)
    check_pin(pin)
    if actor.pin_locked_at is not None:
        raise PinLocked
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _write(actor, make_hash(pin), Action.PIN_CHANGED, "pin_changed")  # hashed before any row is locked


def remove_pin(*, actor: User, code: str, origin: Origin) -> None:
    """Remove the actor's PIN: an app that must give one can no longer sign in.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
        NoPin, PinLocked
    """
    require_any_role(actor)
    if not actor.has_pin:
        raise NoPin
    if actor.pin_locked_at is not None:
        raise PinLocked
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _write(actor, "", Action.PIN_REMOVED, "pin_removed")


@own_transaction
def _write(actor: User, pin_hash: str, action: Action, event: str) -> None:
    user = lock(User.objects).get(pk=actor.pk)
    if user.pin_locked_at is not None:  # by wrong tries since the page was asked for
        raise PinLocked
    if not pin_hash and not user.has_pin:  # removed in another window
        raise NoPin
    user.pin_hash, user.pin_failures = pin_hash, 0
    user.save(update_fields=["pin_hash", "pin_failures"])
    record(action, actor=actor, subject=user)
    outbox.tell(event, user_id=user.pk)


def check_pin(text: str) -> None:
    """Check that `text` is six ASCII digits without a pattern: three guesses from a list must not get in.

    Raises:
        InvalidPin: not six digits 0 to 9; or even steps (111111, 123456, 975319), repeats (121212, 123123),
            doubled digits in even steps (112233), or the same backwards (123321).
    """
    if not re.fullmatch(rf"[0-9]{{{PIN_DIGITS}}}", text):
        raise InvalidPin("A PIN is exactly six digits, 0 to 9.")
    pairs, half = text[::2], PIN_DIGITS // 2
    doubled = pairs == text[1::2] and _in_even_steps(pairs)
    repeats = text == text[:2] * half or text == text[:half] * 2
    if _in_even_steps(text) or doubled or repeats or text == text[::-1]:
        raise InvalidPin("This is one of the first PINs that people try. Choose six digits without a pattern.")


def _in_even_steps(digits: str) -> bool:
    """Return whether each digit is equally far from the one before, with 0 following 9."""
    numbers = [int(digit) for digit in digits]
    return len({(after - before) % 10 for before, after in pairwise(numbers)}) == 1


def verify_pin(*, user: User | None, pin: str, at: datetime | None = None) -> None:
    """Verify that `pin` is the user's. A right one resets the count; a wrong one is recorded, and the third locks the
    PIN.

    One conditional UPDATE takes a try before the hasher runs, so three of any number of parallel guesses reach it.
    Where there is no PIN, or no user, the hasher works as long. The actor is the person who asks, signed out: call it
    only after a right code or password, or strangers could lock anybody's PIN.

    Raises:
        WrongPin
        PinLocked: the hasher did not run.
        PinBusy: likewise.
    """
    if user is None or not user.has_pin:
        hashing.matches(None, pin)
        if user is not None:
            record(Action.PIN_REFUSED, actor=None, subject=user, concerns=user, details={"has_pin": False})
        raise WrongPin
    pin_hash, place = _take_try(user)
    renewed: list[str] = []
    try:
        right = hashing.check_and_renew(pin_hash, pin, renew=renewed.append)
    except BaseException:  # out of memory, or the worker is ended: nothing was learnt, so the try does not count
        _return_try(user, pin_hash)
        raise
    if not right:
        _count_wrong(user, pin_hash, place, at=at or timezone.now())
        raise WrongPin
    _forgive(user, pin_hash, place, renewed=renewed)


@own_transaction
def _take_try(user: User) -> tuple[str, int]:
    """Return the hash to check, and which of the three tries this one is."""
    untried = User.objects.filter(pk=user.pk, pin_locked_at__isnull=True, pin_failures__lt=TRIES)
    taken = untried.exclude(pin_hash="").update(pin_failures=F("pin_failures") + 1)
    # In the transaction that has just written the row: nobody else counts meanwhile.
    row = User.objects.get(pk=user.pk)
    if taken:
        return row.pin_hash, row.pin_failures
    if row.pin_locked_at is not None:
        raise PinLocked
    if row.has_pin:
        raise PinBusy
    raise WrongPin  # removed since the user was read


@own_transaction
def _return_try(user: User, pin_hash: str) -> None:
    """Return the try, but never below the start, nor if a right PIN, another PIN or a lock has come meanwhile."""
    taken = User.objects.filter(pk=user.pk, pin_hash=pin_hash, pin_locked_at__isnull=True, pin_failures__gt=0)
    taken.update(pin_failures=F("pin_failures") - 1)


@own_transaction
def _count_wrong(user: User, pin_hash: str, place: int, *, at: datetime) -> None:
    """Keep the try taken. The last one locks the PIN, if no right PIN has reset the count and it is still the same
    PIN."""
    record(Action.PIN_REFUSED, actor=None, subject=user, concerns=user, details={"has_pin": True})
    if place < TRIES:
        return
    full = User.objects.filter(pk=user.pk, pin_hash=pin_hash, pin_locked_at__isnull=True, pin_failures__gte=TRIES)
    if full.update(pin_locked_at=at):
        record(Action.PIN_LOCKED, actor=None, subject=user, concerns=user)
        outbox.tell("pin_locked", user_id=user.pk)


@own_transaction
def _forgive(user: User, pin_hash: str, place: int, *, renewed: list[str]) -> None:
    """Give back this try and those before it; a later one belongs to another request and still counts."""
    row = lock(User.objects).get(pk=user.pk)
    if row.pin_locked_at is not None:  # by a wrong one that was checked meanwhile
        raise PinLocked
    if row.pin_hash != pin_hash:  # another PIN was set meanwhile
        raise WrongPin
    row.pin_failures = max(row.pin_failures - place, 0)
    row.pin_hash = renewed[0] if renewed else row.pin_hash
    row.save(update_fields=["pin_failures", "pin_hash"])
