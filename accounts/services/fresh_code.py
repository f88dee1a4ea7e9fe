"""A code given now, by somebody signed in, for a change that a stolen session must not make (R1.8)."""

from django.http import HttpRequest

from accounts import guesses
from accounts.models import User
from accounts.services import two_factor
from accounts.services.sign_in import TryAgainIn, device_for, is_recovery_code
from accounts.services.two_factor import WrongCode
from audit.actions import Action
from audit.context import client_ip
from audit.services import record


def verify_fresh_code(
    request: HttpRequest, *, actor: User, code: str, recovery_code_too: bool = False, customer: User | None = None
) -> None:
    """That `code` is a present, unused one of the actor's. It is used up, whatever comes of what it is for.

    Args:
        recovery_code_too: for the day the phone is gone.
        customer: whose code it is instead, when they stand at the actor's counter.

    Raises:
        WrongCode
        TryAgainIn: too soon after a wrong code; this one was not looked at.
        TooOften: too many wrong ones, counted together with sign-in (R1.4).
    """
    ip, person = client_ip(request), customer or actor
    by_recovery_code = recovery_code_too and is_recovery_code(code)
    wait = 0 if by_recovery_code else two_factor.seconds_until_next_try(person)
    if wait and not guesses.seconds_locked(email=person.email, ip=ip):
        raise TryAgainIn(wait)
    verify = device_for if by_recovery_code else two_factor.verify_totp
    if guesses.counted(lambda: verify(person, code), email=person.email, ip=ip) is None:
        record(Action.CODE_REFUSED, actor=actor, subject=person, concerns=customer)
        raise WrongCode
