"""The key that all administrators of a bank share, for acts that one stolen user must not be enough for (R1.5)."""

import secrets

from django.conf import settings

from accounts.models import User
from accounts.sign_in import guesses
from accounts.sign_in.origin import Origin
from audit.actions import Action
from audit.services import record
from foundation.refusals import Refusal


class WrongAdminKey(Refusal):
    code = "wrong_admin_key"
    text = "This is not the administrators’ key."
    status = 422


def verify_admin_key(*, actor: User, admin_key: str, origin: Origin) -> None:
    """That `admin_key` is ADMIN_KEY, compared in constant time. Where none is set, none is asked for.

    Raises:
        WrongAdminKey
        TooOften: too many wrong ones, counted together with the actor's wrong codes and passwords (R1.4).
    """
    if not settings.ADMIN_KEY:
        return
    given, right = admin_key.encode("utf-8", "surrogatepass"), settings.ADMIN_KEY.encode()
    is_right = guesses.counted(lambda: secrets.compare_digest(given, right) or None, email=actor.email, ip=origin.ip)
    if not is_right:
        record(Action.ADMIN_KEY_REFUSED, actor=actor, subject=actor)
        raise WrongAdminKey
