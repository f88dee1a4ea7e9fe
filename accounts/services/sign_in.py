"""Signing in: e-mail and password, then a code. Each wrong one counts towards the lockout (R1.2, R1.4)."""

import re
from dataclasses import dataclass
from typing import NoReturn

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django_otp import login as otp_login

from accounts import guesses
from accounts.limiter import TooOften
from accounts.models import TotpDevice, User, normalise_email
from accounts.services import two_factor, user_sessions
from audit.actions import Action
from audit.context import client_ip
from audit.services import record


class SignInRefused(Exception):
    """Wrong, unknown, locked or deactivated: the caller is never told which (R1.2)."""

    code = "sign_in_refused"


@dataclass
class LockedOut(Exception):
    """Too many failures for this e-mail from this address. Says nothing about whether the user exists."""

    seconds: int
    code = "locked_out"


@dataclass
class TryAgainIn(Exception):
    """After wrong codes the device looks at none for a while: this one was neither judged nor counted."""

    seconds: int
    code = "try_again_in"


def verify_password(request: HttpRequest, *, email: str, password: str) -> User:
    """The user whose e-mail and password these are; they still have to give a code.

    Raises:
        SignInRefused: no such user, wrong password, or a user who may not sign in. Takes equally long.
        LockedOut: this was the last failure allowed, or came after it.
    """
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        _refuse(request, email=email, step="password", user=None)
    return user


def verify_code(request: HttpRequest, *, user: User, code: str) -> TotpDevice:
    """The device that vouches for `user`: by a code of the authenticator app or by a recovery code.

    Raises:
        SignInRefused: wrong, used or expired code, or the user may no longer sign in.
        LockedOut: too many failures.
        TryAgainIn: too soon after a wrong code.
    """
    ip = client_ip(request)
    wait = 0 if is_recovery_code(code) else two_factor.seconds_until_next_try(user)
    if wait and not guesses.seconds_locked(email=user.email, ip=ip):
        raise TryAgainIn(wait)
    try:
        device = guesses.counted(lambda: device_for(user, code), email=user.email, ip=ip)
    except TooOften:
        device = None
    if device is None:
        # Axes hears of it too, so that its records have codes like passwords.
        user_login_failed.send(__name__, credentials={"username": user.email}, request=request)
        _refuse(request, email=user.email, step="code", user=user)
    return device


def complete(request: HttpRequest, *, user: User, device: TotpDevice) -> None:
    """Begin the signed-in session: a new session key, the device that vouched, the clock of the timeouts."""
    login(request, user, backend="accounts.backends.CountedPasswordBackend")
    otp_login(request, device)
    # django-otp's middleware says so from the next request on; the answer to this one needs it too.
    request.user.is_verified = lambda: True  # type: ignore[union-attr]
    now = int(timezone.now().timestamp())
    request.session.update({"auth_at": now, "seen_at": now})
    user_sessions.begin(request, actor=user)
    guesses.forgive(email=user.email, ip=client_ip(request))
    record(Action.LOGIN_SUCCESS, actor=user, subject=user)


def sign_out(request: HttpRequest) -> None:
    """End the session on the server (R1.6)."""
    if request.user.is_authenticated:
        record(Action.LOGOUT, actor=request.user)
        user_sessions.end_present(request)
    logout(request)


def is_recovery_code(code: str) -> bool:
    return len(re.sub("[ -]", "", code)) > TotpDevice.DIGITS


def device_for(user: User, code: str) -> TotpDevice | None:
    """The device that vouches for a user by a code of either kind; the caller counts the guess."""
    if not user.can_sign_in:
        return None
    if is_recovery_code(code):
        return two_factor.use_recovery_code(user, code)
    return two_factor.verify_totp(user, code)


def _refuse(request: HttpRequest, *, email: str, step: str, user: User | None) -> NoReturn:
    seconds = guesses.seconds_locked(email=email, ip=client_ip(request))
    # People type passwords into the e-mail field: only what looks like an address is written down.
    typed = normalise_email(email)
    label = typed if re.fullmatch(r"[^@\s]+@[^@\s]+", typed) else "unknown"
    record(
        Action.LOGIN_FAILURE,
        actor=None,
        actor_label=label,
        subject=user,
        # Whose it was, if anybody's: looked up for known and unknown addresses alike.
        concerns=user or User.objects.filter(email=label).first(),
        details={"step": step, "locked_out": seconds > 0},
    )
    if seconds:
        raise LockedOut(seconds)
    raise SignInRefused
