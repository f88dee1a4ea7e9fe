"""Signing in: e-mail and password, then a code. Each wrong one counts towards the lockout (R1.2, R1.4)."""

import re
from typing import Any, NoReturn

from django.contrib.auth import authenticate

from accounts.models import TotpDevice, User
from accounts.sign_in import axes as lockout
from accounts.sign_in import devices, guesses, two_factor
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.guesses import Door, email_in
from accounts.sign_in.origin import Origin
from audit import tally
from audit.actions import Action
from audit.services import further, record
from foundation.hourly import HourlyBound, Room
from foundation.limiter.limiter import TooOften
from foundation.refusals import NotNow, Refusal

# Entries about failures in one process and hour. What was checked is bounded for a network by GUESSES_PER_NETWORK, and
# here in all; what a limit refused unseen says little, so a flood of it leaves few.
_CHECKED = HourlyBound(each=5000, in_all=5000)
_UNSEEN = HourlyBound(each=50, in_all=1000)


class SignInRefused(Refusal):
    """Wrong, unknown, locked or deactivated: the caller is never told which (R1.2)."""

    code = "sign_in_refused"
    text = (
        "What was given does not sign anybody in. After a wrong code, wait for the next one, and check that your"
        " phone’s clock is right."
    )
    status = 401


class LockedOut(NotNow):
    """Too many failures for this e-mail from this address, too many from this network, or too many codes from
    everywhere. Says nothing about whether the user exists."""

    code = "locked_out"
    text = "Too many wrong ones from where you are: for a while nobody signs in from there as this person."


class TryAgainIn(NotNow):
    """After a wrong code no code is checked for a moment: this one was neither checked nor counted."""

    code = "try_again_in"
    detail = "Too soon after a wrong code: this one was not looked at."

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after, f"A short pause after a wrong code: enter the next one in {retry_after} s.")


def verify_password(*, email: str, password: str, origin: Origin) -> User:
    """Return the user with this e-mail and password; they still have to give a code.

    Raises:
        SignInRefused: no such user, wrong password, or a user who may not sign in. All take equally long.
        LockedOut: this was the last allowed failure, or came after it; for this address or the whole network.
    """
    request = lockout.request_from(origin)
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        closed_for, checked = guesses.seconds_closed(ip=origin.ip), lockout.was_checked(request)
        refuse(email=email, step="password", user=None, origin=origin, closed_for=closed_for, was_checked=checked)
    return user


def verify_code(*, user: User, code: str, origin: Origin, pauses: bool = True) -> TotpDevice:
    """Return the device that proves a code of `user`, who has given the password: a code of the app or a recovery code.

    Args:
        pauses: False where password and code come in one request: an answer that the code was neither checked nor
            counted would reveal that the password was right.

    Raises:
        SignInRefused: wrong, used or expired code, or the user may no longer sign in.
        LockedOut: too many failures from here, or too many codes from everywhere.
        TryAgainIn: too soon after a wrong code.
    """
    ip, closed_for = origin.ip, 0
    wait = guesses.seconds_of_pause(email=user.email, ip=ip) if pauses and not is_recovery_code(code) else 0
    if wait and not guesses.seconds_locked(email=user.email, ip=ip):
        raise TryAgainIn(wait)
    # A recovery code, 40 bits behind a slow hash, is limited only by the count of its network.
    door = None if is_recovery_code(code) else _door_of(user, origin)
    try:
        with guesses.counted(email=user.email, ip=ip, door=door) as guess:
            device = device_for(user, code)
            guess.was_right = device is not None
    except TooOften as error:
        device, closed_for = None, error.retry_after
    if device is None:
        if not closed_for:
            guesses.begin_pause(email=user.email, ip=ip)
            lockout.note_wrong_code(email=user.email, origin=origin)
        checked = not closed_for
        refuse(email=user.email, step="code", user=user, origin=origin, closed_for=closed_for, was_checked=checked)
    return device


def _door_of(user: User, origin: Origin) -> Door:
    return Door.KNOWN if devices.is_known(user=user, origin=origin) else Door.PASSWORD


def is_recovery_code(code: str) -> bool:
    return len(re.sub("[ -]", "", code)) > TotpDevice.DIGITS


def device_for(user: User, code: str) -> TotpDevice | None:
    """Return the device that proves a code of either kind; the caller counts the guess."""
    if not user.can_sign_in:
        return None
    if is_recovery_code(code):
        return two_factor.use_recovery_code(user, code)
    return two_factor.verify_totp(user, code)


def refuse(
    *, email: str, step: str, user: User | None, origin: Origin, closed_for: int = 0, was_checked: bool = True
) -> NoReturn:
    """Record a wrong guess, after it was counted; for code that signs people in.

    Args:
        closed_for: seconds for which a wider limit than this address's is full.
        was_checked: False for one that a limit refused unseen: of these fewer are recorded.

    Raises:
        SignInRefused, LockedOut
    """
    seconds = max(guesses.seconds_locked(email=email, ip=origin.ip), closed_for)
    room = _CHECKED.take() if was_checked else _UNSEEN.take(origin.network)
    if room is Room.NONE:
        tally.leave_out(Action.LOGIN_FAILURE)
    else:
        _record_failure(email, user, {"step": step, "locked_out": seconds > 0} | further(room))
    if seconds:
        raise LockedOut(seconds)
    raise SignInRefused


def _record_failure(email: str, user: User | None, details: dict[str, Any]) -> None:
    label = email_in(email) or "unknown"
    record(
        Action.LOGIN_FAILURE,
        actor=None,
        actor_label=label,
        subject=user,
        # The user, if there is one: looked up for known and unknown addresses alike.
        concerns=user or user_by_email(label),
        details=details,
    )
