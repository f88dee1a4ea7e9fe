"""What people prove and change about their ways to sign in, on pages: the service, and what happens to their session.

The session gets another key whenever a code is given (`accounts.sign_in.sessions.middleware`) or a factor is changed.
The API calls the services directly, since it has tokens and no session.
"""

from functools import partial
from uuid import UUID

import django_otp
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SignedInRequest, TotpDevice, User
from accounts.people import email_change, profile
from accounts.sign_in import authenticator, devices, guesses, pins
from accounts.sign_in.authenticator import NothingToReplace
from accounts.sign_in.origin import origin_of
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.sessions import ending, pages
from accounts.sign_in.signing_in import is_recovery_code
from audit.actions import Action
from audit.services import record

_REPLACEMENT = "new_authenticator"


def complete_sign_in(request: HttpRequest, *, user: User, device: TotpDevice) -> str:
    """Begin the signed-in session: a new session key, the device that proved the code, the clock of the timeouts.

    Return the name of the browser, for the cookie that identifies it the next time (`accounts.sign_in.devices`).
    """
    origin = origin_of(request)
    is_first_sign_in = user.last_login is None  # which login() sets
    login(request, user, backend="accounts.sign_in.axes.CountedPasswordBackend")
    django_otp.login(request, device)
    # django-otp's middleware says so from the next request on; this answer needs it too.
    request.user.is_verified = lambda: True  # type: ignore[union-attr]
    request.session["auth_at"] = int(timezone.now().timestamp())
    pages.begin(request.session, actor=user, origin=origin)
    guesses.forgive(email=user.email, ip=origin.ip)
    record(Action.LOGIN_SUCCESS, actor=user, subject=user)
    return devices.meet(actor=user, is_first_sign_in=is_first_sign_in, origin=origin)


def change_password(request: SignedInRequest, *, old_password: str, new_password: str) -> None:
    """Change the password. All other sessions end; this one goes on.

    Raises:
        As `passwords.change_password()`.
    """
    keep_signed_in = partial(update_session_auth_hash, request, request.user)
    passwords.change_password(
        actor=request.user,
        old_password=old_password,
        new_password=new_password,
        kept_session=pages.id_of(request.session),
        origin=origin_of(request),
        on_new_hash=keep_signed_in,
    )
    keep_signed_in()


def request_email_change(request: SignedInRequest, *, new_email: str, password: str, code: str) -> None:
    """Call `email_change.request_change()` for a page, which may raise what that does."""
    email_change.request_change(
        actor=request.user,
        new_email=new_email,
        password=password,
        code=code,
        origin=origin_of(request),
        on_new_hash=partial(update_session_auth_hash, request, request.user),
    )


def update_details(request: SignedInRequest, *, phone: str, address: str, code: str) -> list[str]:
    """Write the details. The bank calls the phone number when a factor is lost, so the number counts as a factor."""
    return profile.update_details(
        actor=request.user, phone=phone, address=address, code=code, origin=origin_of(request)
    )


def set_pin(request: SignedInRequest, *, pin: str, code: str) -> None:
    """Call `pins.set_pin()` for a page, which may raise what that does."""
    pins.set_pin(actor=request.user, pin=pin, code=code, origin=origin_of(request))


def remove_pin(request: SignedInRequest, *, code: str) -> None:
    """Call `pins.remove_pin()` for a page, which may raise what that does."""
    pins.remove_pin(actor=request.user, code=code, origin=origin_of(request))


def renew_recovery_codes(request: SignedInRequest, *, code: str) -> list[str]:
    """Call `authenticator.renew_recovery_codes()` for a page, which may raise what that does."""
    return authenticator.renew_recovery_codes(actor=request.user, code=code, origin=origin_of(request))


def begin_replacement(request: SignedInRequest, *, code: str) -> None:
    """Let this session set up another app within ten minutes. The present one works on until that is done.

    The secret is shown by the next request, under another session key: a copy of the cookie does not reveal it.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    device = authenticator.new_pending_device(actor=request.user, code=code, origin=origin_of(request))
    request.session[_REPLACEMENT] = {
        "device": device.pk,
        "at": int(timezone.now().timestamp()),
        "by_recovery_code": is_recovery_code(code),
    }


def replacement_device(session: SessionBase, *, actor: User) -> TotpDevice:
    """Return the unconfirmed device whose secret this session is shown.

    Raises:
        NothingToReplace
    """
    begun = session.get(_REPLACEMENT)
    if not begun or timezone.now().timestamp() - begun["at"] > authenticator.SECONDS:
        raise NothingToReplace
    device = TotpDevice.objects.filter(user=actor, confirmed=False, pk=begun["device"]).first()
    if device is None:
        raise NothingToReplace
    return device


def complete_replacement(request: SignedInRequest, *, code: str) -> list[str]:
    """Replace the old app with the new one; return ten new recovery codes. All other sessions end.

    Raises:
        PermissionDenied, NothingToReplace
        WrongCode: the new device's throttle keeps count of it.
    """
    device, codes = authenticator.replace_by(
        replacement_device(request.session, actor=request.user),
        actor=request.user,
        code=code,
        kept_session=pages.id_of(request.session),
        by_recovery_code=request.session[_REPLACEMENT]["by_recovery_code"],
    )
    del request.session[_REPLACEMENT]
    pages.renew_key(request.session)
    django_otp.login(request, device)
    return codes


def end_session(request: SignedInRequest, *, public_id: UUID, code: str) -> None:
    """Call `ending.end_one()` for a page, which may raise what that does."""
    present, origin = pages.id_of(request.session), origin_of(request)
    ending.end_one(actor=request.user, public_id=public_id, present=present, code=code, origin=origin)


def end_other_sessions(request: SignedInRequest, *, code: str) -> int:
    """Sign out all other sessions, and copies of this one's cookie with them; return how many were open.

    Raises:
        As `ending.end_others()`.
    """
    present, origin = pages.id_of(request.session), origin_of(request)
    return ending.end_others(actor=request.user, present=present, code=code, origin=origin)
