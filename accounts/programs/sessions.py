"""Signed-in sessions of programs: a short access token, and a refresh token that works once (R7.1).

A session of the API is a row of `UserSession`, like a session of the pages: the profile lists it, and everything that
ends a user's sessions ends it. Each request reads that row, so no token outlives its session.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from accounts.models import ApiRefreshToken, SessionKind, TotpDevice, User, UserSession
from accounts.programs import session_user
from accounts.programs import tokens as api_tokens
from accounts.programs.session_user import SessionUser
from accounts.programs.tokens import Claims, TokenInvalid, Use
from accounts.sign_in import axes as lockout
from accounts.sign_in import devices, guesses
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.guesses import Door
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import hashing
from accounts.sign_in.pins import PinBusy, PinLocked, WrongPin, verify_pin
from accounts.sign_in.sessions import rows as user_sessions
from accounts.sign_in.sessions.rows import API_REFRESH_LASTS
from accounts.sign_in.signing_in import LockedOut, SignInRefused, device_for, refuse, verify_code, verify_password
from audit.actions import Action
from audit.services import record
from foundation import mail_links, outbox
from foundation.limiter.limiter import TooOften
from foundation.locking import lock
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

ACCESS_LASTS = timedelta(minutes=15)  # R7.1


class PasswordChangeRequired(Refusal):
    """Another person chose this password, so it allows nothing except a change (R9.2)."""

    code = "password_change_required"
    text = "Sign in on the bank's website and choose a password of your own first."
    status = 403


class PinLoginOff(Refusal):
    code = "pin_login_off"
    text = "This bank asks for your password: a PIN signs nobody in."
    status = 403


@dataclass(frozen=True)
class Tokens:
    """What a program holds after signing in or refreshing; the bank keeps neither text."""

    session: UUID
    access_token: str
    refresh_token: str


def sign_in(*, email: str, password: str, code: str, origin: Origin) -> Tokens:
    """Begin a session for a person who gives e-mail, password and code; guesses are counted as on the pages (R1.4).

    Raises:
        SignInRefused: wrong, unknown, locked, deactivated, or without two-factor, without saying which: here password
            and code come in one request, so "the code" would mean "not the password".
        LockedOut: too many failures.
        PasswordChangeRequired
    """
    user = verify_password(email=email, password=password, origin=origin)
    device = verify_code(user=user, code=code, origin=origin, pauses=False)
    return begin(user=user, device=device, origin=origin)


def sign_in_with_pin(*, email: str, pin: str, code: str, origin: Origin) -> Tokens:
    """Begin a session by PIN and code, where the bank allows it. The code is checked first: without a right one the PIN
    is not looked at, otherwise strangers could lock anybody's PIN with three wrong ones.

    Raises:
        PinLoginOff
        SignInRefused, LockedOut, PasswordChangeRequired: as in `sign_in()`.
    """
    if not settings.API_PIN_LOGIN:
        raise PinLoginOff
    user = user_by_email(email)
    try:
        device = _device_by_code_alone(user, email=email, code=code, origin=origin)
    except (SignInRefused, LockedOut) as error:
        hashing.matches(None, pin)  # so that it takes as long as after a right code
        raise error from None
    person = device.user
    if not _is_right_pin(person, pin, email=email, origin=origin):
        refuse(email=email, step="pin", user=person, origin=origin)
    return begin(user=person, device=device, origin=origin)


def _device_by_code_alone(user: User | None, *, email: str, code: str, origin: Origin) -> TotpDevice:
    """Return the device that proves a code from a person who has shown nothing else: known and unknown addresses are
    counted and answered alike, by the address, by the network, and by all guesses at this address from anywhere
    (`guesses.from_anywhere`)."""
    device, was_checked = None, False
    with (
        suppress(TooOften),
        guesses.counted(email=email, ip=origin.ip, shows_nothing=True) as guess,
        suppress(TooOften),  # counted as a wrong one: strangers' guesses must not reveal how many there were
        guesses.from_anywhere(guess, email=email, door=Door.NOTHING),
    ):
        was_checked = True
        device = device_for(user, code) if user else None
        guess.was_right = device is not None
    if device is None:
        if was_checked:
            lockout.note_wrong_code(email=email, origin=origin)
        closed_for = guesses.seconds_closed(ip=origin.ip)
        refuse(email=email, step="code", user=user, origin=origin, closed_for=closed_for, was_checked=was_checked)
    return device


def _is_right_pin(user: User, pin: str, *, email: str, origin: Origin) -> bool:
    """Return whether the PIN is right, counted with the guesses on the pages; False too if no guess is left."""
    with suppress(TooOften), guesses.counted(email=email, ip=origin.ip) as guess:
        with suppress(WrongPin, PinLocked, PinBusy):
            verify_pin(user=user, pin=pin)
            guess.was_right = True
        return guess.was_right
    return False


def begin(*, user: User, device: TotpDevice, origin: Origin) -> Tokens:
    """Begin a session for a person who has just given both factors.

    Raises:
        SignInRefused: they were locked, or lost one of the two, since the check.
        PasswordChangeRequired
    """
    if user.must_change_password:
        raise PasswordChangeRequired
    tokens = _begin(user, device, origin)
    guesses.forgive(email=user.email, ip=origin.ip)
    devices.meet_program(actor=user, is_first_sign_in=user.last_login is None, origin=origin)
    return tokens


@own_transaction
def _begin(user: User, device: TotpDevice, origin: Origin) -> Tokens:
    # Acts that end sessions lock this row too: they end the new session, or are seen here.
    row = lock(User.objects).get(pk=user.pk)
    still_has_device = TotpDevice.objects.filter(pk=device.pk, user=row, confirmed=True).exists()
    if not row.can_sign_in or row.password != user.password or not still_has_device:
        raise SignInRefused
    row.last_login = timezone.now()
    row.save(update_fields=["last_login"])
    session = user_sessions.new_row(actor=row, kind=SessionKind.API, origin=origin)
    record(Action.LOGIN_SUCCESS, actor=row, subject=row, details={"by": "api"})
    return _new_tokens(row, session, timezone.now())


def refresh(*, refresh_token: str) -> Tokens:
    """Return new tokens for a refresh token that was never used: of several requests at once, one gets them.

    Used a second time, it ends the session and with it every token of the same sign-in: its user may be the thief or
    the victim. That is audited and told to the user. The token takes the place of an actor.

    Raises:
        TokenInvalid: also when the session or its user is gone, ended or locked, or the session began more than
            API_SESSION_DAYS ago, which ends it.
    """
    tokens = _refresh(api_tokens.read(Use.REFRESH, refresh_token))
    if tokens is None:  # returned as a value, since an exception would undo the end of the session
        raise TokenInvalid
    return tokens


@own_transaction
def _refresh(claims: Claims) -> Tokens | None:
    now = timezone.now()
    session = lock(UserSession.objects).filter(public_id=claims.session, kind=SessionKind.API).first()
    if session is None or session.ended_at is not None:
        return None
    user = User.objects.get(pk=session.user_id)
    token = ApiRefreshToken.objects.filter(session=session, jti_digest=mail_links.digest(claims.jti)).first()
    if token is None or user.public_id != claims.user or not user.can_sign_in or user.must_change_password:
        return None
    if user_sessions.is_too_old(session, now):
        _end(session, now)
        record(Action.SESSION_EXPIRED, actor=user, details={"by": "api"})
        return None
    unused = ApiRefreshToken.objects.filter(pk=token.pk, used_at__isnull=True)
    if not unused.update(used_at=now):
        _end(session, now)
        record(Action.API_TOKEN_REUSED, actor=None, actor_label=user.email, subject=user, concerns=user)
        outbox.tell("api_token_reused", user_id=user.pk)
        return None
    UserSession.objects.filter(pk=session.pk).update(last_seen_at=now)
    return _new_tokens(user, session, now)


def _end(session: UserSession, now: datetime) -> None:
    session.ended_at = now
    session.save(update_fields=["ended_at"])


def _new_tokens(user: User, session: UserSession, now: datetime) -> Tokens:
    jti = api_tokens.new_jti()
    digest = mail_links.digest(jti)
    ApiRefreshToken(session=session, jti_digest=digest, expires_at=now + API_REFRESH_LASTS).save()
    sign = partial(api_tokens.sign, user=user.public_id, now=now, sid=str(session.public_id))
    return Tokens(
        session=session.public_id,
        access_token=sign(Use.ACCESS, jti=api_tokens.new_jti(), lasts=ACCESS_LASTS),
        refresh_token=sign(Use.REFRESH, jti=jti, lasts=API_REFRESH_LASTS),
    )


def renew_all(*, actor: User, session: UUID) -> Tokens:
    """Return new tokens for an open session, inside the caller's transaction: the session goes on under another id, so
    that the former tokens are worthless, like a cookie whose key was cycled.

    Raises:
        TokenInvalid: the session was ended meanwhile.
    """
    row = lock(UserSession.objects).filter(public_id=session, user=actor, ended_at__isnull=True).first()
    if row is None:
        raise TokenInvalid
    ApiRefreshToken.objects.filter(session=row).delete()
    row.public_id, row.last_seen_at = uuid4(), timezone.now()
    row.save(update_fields=["public_id", "last_seen_at"])
    return _new_tokens(actor, row, row.last_seen_at)


def user_of(access_token: str) -> tuple[User, UUID]:
    """Return the user, and only the id of the session, as `session_of()` does."""
    found = session_of(access_token)
    return found.user, found.session


def session_of(access_token: str) -> SessionUser:
    """Return the user of this token, with their role, and its session: one statement, on every request.

    Raises:
        TokenInvalid: forged, expired, of an ended session, or of a person who may not sign in any more.
        PasswordChangeRequired
    """
    claims = api_tokens.read(Use.ACCESS, access_token)
    found = session_user.of_api_session(user=claims.user, session=claims.session)
    if found is None or not found.user.can_sign_in:
        raise TokenInvalid
    if found.user.must_change_password:
        raise PasswordChangeRequired
    user_sessions.note_program(found.session_pk, last_seen_at=found.last_seen_at, now=timezone.now())
    return found


@own_transaction
def sign_out(*, actor: User, session: UUID) -> None:
    """End the present session; its tokens stop working at once."""
    rows = UserSession.objects.filter(public_id=session, user=actor, ended_at__isnull=True)
    rows.update(ended_at=timezone.now())
    record(Action.LOGOUT, actor=actor)
