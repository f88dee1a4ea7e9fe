"""Another password or authenticator app through the API: where the pages use a session, programs use a token (R1.8)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import TotpDevice, User
from accounts.programs import sessions as api_sessions
from accounts.programs import tokens as api_tokens
from accounts.programs.sessions import Tokens
from accounts.programs.tokens import TokenInvalid, Use
from accounts.sign_in import authenticator, two_factor
from accounts.sign_in.authenticator import NothingToReplace
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.signing_in import is_recovery_code
from audit.actions import Action
from foundation.transactions import own_transaction

REPLACEMENT_LASTS = timedelta(seconds=authenticator.SECONDS)


@dataclass(frozen=True)
class Replacement:
    """A new app that is being set up: its secret, and the token with which this session continues."""

    replacement_token: str
    secret: str
    provisioning_uri: str


def change_password(*, actor: User, session: UUID, old_password: str, new_password: str, origin: Origin) -> Tokens:
    """Set a new password. All other sessions of the actor end; this one goes on with the tokens returned, and its
    former tokens are worthless.

    Raises:
        WrongCurrentPassword, TooOften, ValidationError: as in `passwords.choose_password()`.
        TokenInvalid: the session was ended meanwhile; nothing was changed.
    """
    passwords.choose_password(actor=actor, old_password=old_password, new_password=new_password, origin=origin)
    return _change_password(actor, session)


@own_transaction
def _change_password(actor: User, session: UUID) -> Tokens:
    passwords.save_new_password(actor, action=Action.PASSWORD_CHANGED, kept_session=session)
    return api_sessions.renew_all(actor=actor, session=session)


def begin_replacement(*, actor: User, session: UUID, code: str, origin: Origin) -> Replacement:
    """Let this session set up another app within ten minutes. The present one works on until that is done.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    device = authenticator.new_pending_device(actor=actor, code=code, origin=origin)
    token = api_tokens.sign(
        Use.REPLACEMENT,
        user=actor.public_id,
        jti=api_tokens.new_jti(),
        now=timezone.now(),
        lasts=REPLACEMENT_LASTS,
        sid=str(session),
        device=str(device.public_id),
        by="recovery_code" if is_recovery_code(code) else "app",
    )
    return Replacement(token, two_factor.secret_text(device).replace(" ", ""), two_factor.provisioning_uri(device))


def complete_replacement(*, actor: User, session: UUID, replacement_token: str, code: str) -> tuple[Tokens, list[str]]:
    """Replace the old app with the new one; return new tokens and ten new recovery codes. All other sessions of the
    actor end; this one goes on with the tokens returned, and its former tokens are worthless.

    Raises:
        PermissionDenied, WrongCode
        TokenInvalid: the session was ended meanwhile; nothing was changed.
        NothingToReplace: the token is not of this session, or too old, or something newer has made it worthless.
    """
    try:
        claims = api_tokens.read(Use.REPLACEMENT, replacement_token)
        is_of_this_session = (claims.user, claims.session) == (actor.public_id, session)
    except TokenInvalid as error:
        raise NothingToReplace from error
    rows = TotpDevice.objects.filter(user=actor, confirmed=False)
    pending = rows.filter(public_id=UUID(claims.more["device"])).first() if is_of_this_session else None
    if pending is None:
        raise NothingToReplace
    renewed: list[Tokens] = []
    _, codes = authenticator.replace_by(
        pending,
        actor=actor,
        code=code,
        kept_session=session,
        by_recovery_code=claims.more.get("by") != "app",
        on_replaced=lambda: renewed.append(api_sessions.renew_all(actor=actor, session=session)),
    )
    return renewed[-1], codes  # the last one, if the transaction had to be run again
