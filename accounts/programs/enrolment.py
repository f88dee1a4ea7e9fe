"""Turning two-factor on through the API: after the password, before the person has any other way to sign in (R1.3).

Where the pages use a session, this uses a signed token, which lasts ten minutes and says who gave which password, and
which secret they were shown.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import EnrolmentLink, TotpDevice, User
from accounts.programs import sessions as api_sessions
from accounts.programs import tokens as api_tokens
from accounts.programs.sessions import PasswordChangeRequired, Tokens
from accounts.programs.tokens import Claims, TokenInvalid, Use
from accounts.sign_in import two_factor
from accounts.sign_in.origin import Origin
from accounts.sign_in.signing_in import verify_password

LASTS = timedelta(minutes=10)


@dataclass(frozen=True)
class Enrolment:
    enrolment_token: str
    secret: str
    provisioning_uri: str


def begin(*, email: str, password: str, origin: Origin, link_token: str = "") -> Enrolment:
    """Return a secret for the authenticator app of a person who has given their password and has no app yet.

    Args:
        link_token: from the mail to a person whose second factor the bank has reset.

    Raises:
        SignInRefused, LockedOut
        AlreadyEnrolled, PasswordChangeRequired
        LinkNeeded, LinkInvalid
    """
    user = verify_password(email=email, password=password, origin=origin)
    if user.must_change_password:
        raise PasswordChangeRequired
    proof = EnrolmentLink.find(link_token).token_digest if link_token else ""
    device = two_factor.enrolment_device(user, proof=proof)
    token = api_tokens.sign(
        Use.ENROLMENT,
        user=user.public_id,
        jti=api_tokens.new_jti(),
        now=timezone.now(),
        lasts=LASTS,
        device=str(device.public_id),
        password=_fingerprint(user),
        proof=proof,
    )
    return Enrolment(token, two_factor.secret_text(device).replace(" ", ""), two_factor.provisioning_uri(device))


def confirm(*, enrolment_token: str, code: str, origin: Origin) -> tuple[Tokens, list[str]]:
    """Turn two-factor on with a first code, and sign in; the ten recovery codes are shown only now.

    Raises:
        TokenInvalid: also when another enrolment was begun since, or the password changed.
        WrongCode, AlreadyEnrolled, LinkNeeded
        SignInRefused: two-factor is on, but they were locked meanwhile.
    """
    claims = api_tokens.read(Use.ENROLMENT, enrolment_token)
    user = _user_of(claims)
    if two_factor.confirmed_device(user):
        raise two_factor.AlreadyEnrolled
    pending = TotpDevice.objects.filter(user=user, confirmed=False, public_id=UUID(claims.more["device"])).first()
    if pending is None:
        raise TokenInvalid
    device, codes = two_factor.confirm_enrolment(user, pending, code=code, proof=claims.more["proof"])
    return api_sessions.begin(user=user, device=device, origin=origin), codes


def _user_of(claims: Claims) -> User:
    user = User.objects.filter(public_id=claims.user).first()
    if (
        user is None
        or not user.can_sign_in
        or user.must_change_password
        or _fingerprint(user) != claims.more["password"]
    ):
        raise TokenInvalid
    return user


def _fingerprint(user: User) -> str:
    """Return a digest that changes with the password; it does not lead to the stored hash."""
    return hashlib.sha256(user.get_session_auth_hash().encode()).hexdigest()
