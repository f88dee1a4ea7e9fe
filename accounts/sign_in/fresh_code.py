"""A code given now, by a signed-in person, for a change that a stolen session must not make (R1.8); and one given in
this session a moment ago, for what staff do with money (R5.8)."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User, UserSession
from accounts.sign_in import guesses, two_factor
from accounts.sign_in.guesses import Door
from accounts.sign_in.origin import Origin
from accounts.sign_in.signing_in import TryAgainIn, device_for, is_recovery_code
from accounts.sign_in.two_factor import WrongCode
from audit.actions import Action
from audit.services import record
from foundation.collecting import Collector
from foundation.keys.encryption import lookup_digest
from foundation.limiter.window import CLOCKS_DIFFER_SECONDS
from foundation.refusals import Refusal


class CodeNeeded(Refusal):
    code = "code_needed"
    text = "This takes a code of your authenticator app: the last one in this session was given too long ago."
    status = 403


_gave_codes: Collector[int] = Collector("users_who_gave_codes")
# The users who give a code meanwhile: a session in which that happens goes on under another key (ASVS V7.2.4).
noting = _gave_codes.collecting


def verify_fresh_code(
    *,
    actor: User,
    code: str,
    origin: Origin,
    recovery_code_too: bool = False,
    customer: User | None = None,
    verify: Callable[[User, str], object | None] | None = None,
    only_for: str = "",
) -> None:
    """Verify that `code` is a current, unused code of the actor. It is used up, even if the act that it is for fails.

    Args:
        recovery_code_too: for a person without their phone.
        customer: whose code it is instead, when they are at the actor's counter.
        verify: checks the code instead of `two_factor.verify_totp`, where something else has to be written in the same
            transaction; it returns None for a wrong code.
        only_for: names the one thing that the code can confirm: the same code for it, many times at once, is one guess.

    Raises:
        WrongCode
        TryAgainIn: too soon after a wrong code; this one was not looked at.
        TooOften: too many wrong ones, counted together with sign-in (R1.4), or from everywhere.
    """
    ip, person = origin.ip, customer or actor
    by_recovery_code = recovery_code_too and is_recovery_code(code)
    wait = 0 if by_recovery_code else guesses.seconds_of_pause(email=person.email, ip=ip)
    if wait and not guesses.seconds_locked(email=person.email, ip=ip):
        raise TryAgainIn(wait)
    look = device_for if by_recovery_code else verify or two_factor.verify_totp
    # Keyed, otherwise a reader of the counters could try all codes until one fits.
    token = lookup_digest(f"{only_for}:{code}") if only_for else ""
    door = None if by_recovery_code else Door.SESSION
    with guesses.counted(email=person.email, ip=ip, token=token, door=door) as guess:
        guess.was_right = look(person, code) is not None
    if not guess.was_right:
        guesses.begin_pause(email=person.email, ip=ip)
        record(Action.CODE_REFUSED, actor=actor, subject=person, concerns=customer)
        raise WrongCode
    _gave_codes.add(person.pk)


def was_given_lately(session: uuid.UUID) -> bool:
    """Return whether a code was given in this session within STAFF_CODE_SECONDS; the code at its sign-in counts."""
    now = timezone.now()
    since = now - timedelta(seconds=settings.STAFF_CODE_SECONDS)
    # A time in the future was written by a clock that has since been set back: the code would count until then.
    latest = now + timedelta(seconds=CLOCKS_DIFFER_SECONDS)
    return UserSession.objects.filter(public_id=session, code_at__gt=since, code_at__lte=latest).exists()


def note_given(session: uuid.UUID) -> None:
    UserSession.objects.filter(public_id=session).update(code_at=timezone.now())


def require_recent_code(*, actor: User, session: uuid.UUID, code: str, origin: Origin) -> None:
    """Refuse unless a code of the actor was given recently in this session, or `code` is one. Every entry to what staff
    do with money calls it: an open or stolen session moves none.

    Raises:
        CodeNeeded: none is given, "".
        WrongCode, TryAgainIn, TooOften
    """
    if was_given_lately(session):
        return
    if not code:
        raise CodeNeeded
    verify_fresh_code(actor=actor, code=code, origin=origin)
    note_given(session)
