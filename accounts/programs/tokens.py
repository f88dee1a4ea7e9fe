"""The signed tokens of the API (RFC 7519): whom they are for, how long they last, and proof that the bank made them.

A token that can be read was made by the bank; the database says on every request whether it is still valid
(`accounts.programs.sessions`). There are four uses, each with a type and an audience of its own, so that none passes
for another.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from foundation.refusals import Refusal

# Pinned: the algorithm in the header is ignored, or "none" and RS256 with our key as the public one would pass.
_ALGORITHM = "HS256"
_LONGEST = 2000
# A machine whose clock is slow, or was set back, must not refuse what was signed before: the codes of people's phones
# would not let them sign in again there.
_CLOCK_SLACK = timedelta(days=1)
_REQUIRED = ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"]


class Use(Enum):
    """What a token is for: its type in the header, and the part of the API that it is addressed to."""

    ACCESS = ("at+jwt", "/api/v1/")
    REFRESH = ("rt+jwt", "/api/v1/auth/refresh")
    ENROLMENT = ("et+jwt", "/api/v1/auth/two-factor/confirm")
    REPLACEMENT = ("pt+jwt", "/api/v1/profile/authenticator/confirm")


class TokenInvalid(Refusal):
    """Not a token of this use that the bank made and that is still valid."""

    code = "token_invalid"
    text = "This token is not good, or not any more. Sign in again."
    status = 401


class TokenForged(TokenInvalid):
    """Nothing that the bank signed for this use: made up, altered, or meant for another."""

    forgery = "token_forged"


@dataclass(frozen=True)
class Claims:
    user: UUID
    jti: str
    expires_at: int  # Unix seconds
    more: dict[str, Any]

    @cached_property
    def session(self) -> UUID:
        """Return the session that the token belongs to.

        Raises:
            TokenInvalid: it names none.
        """
        return _uuid(self.more.get("sid"))


def sign(use: Use, *, user: UUID, jti: str, now: datetime, lasts: timedelta, **more: str) -> str:
    """Return a token of this use for the user with this public id, signed with the first key of TOKEN_KEYS."""
    kind, path = use.value
    kid, key = next(iter(settings.TOKEN_KEYS.items()))
    claims = more | {
        "iss": settings.SITE_URL,
        "aud": settings.SITE_URL + path,
        "sub": str(user),
        "jti": jti,
        "iat": int(now.timestamp()),
        "nbf": int((now - _CLOCK_SLACK).timestamp()),
        "exp": int((now + lasts).timestamp()),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": kid, "typ": kind})


def new_jti() -> str:
    """Return 256 random bits."""
    return secrets.token_urlsafe(32)


def read(use: Use, token: str) -> Claims:
    """Return what a token says.

    Raises:
        TokenInvalid: over, without saying why; TokenForged: never was one, which the answer does not tell.
    """
    if len(token) > _LONGEST or not token.isascii():
        raise TokenForged
    # The keys and the bank's address are part of it: a key that was removed reads nothing any more.
    known = (use, sha256(token.encode()).digest(), settings.SITE_URL, *settings.TOKEN_KEYS.values())
    claims = _read_lately.get(known)
    if claims is None:
        try:
            claims = _read(use, token)
        except jwt.DecodeError as error:  # its signature too
            raise TokenForged from error
        except jwt.PyJWTError as error:
            raise TokenInvalid from error
        _keep(known, claims)
    elif claims.expires_at <= time.time():
        raise TokenInvalid
    return claims


# Tokens already read: a program sends its token with every request, and reading it took a fifth of a cheap request's
# time. Kept by digest, so that no token stays in memory; only time can change what a token says.
_read_lately: dict[tuple[Any, ...], Claims] = {}
_KEPT = 1000


def _keep(known: tuple[Any, ...], claims: Claims) -> None:
    if len(_read_lately) >= _KEPT:
        _read_lately.clear()
    _read_lately[known] = claims


def _read(use: Use, token: str) -> Claims:
    kind, path = use.value
    header = jwt.get_unverified_header(token)
    kid = header.get("kid")
    key = settings.TOKEN_KEYS.get(kid) if isinstance(kid, str) else None
    if key is None or header.get("typ") != kind or header.get("alg") != _ALGORITHM:
        raise TokenForged
    claims = jwt.decode(
        token,
        key,
        algorithms=[_ALGORITHM],
        audience=settings.SITE_URL + path,
        issuer=settings.SITE_URL,
        # iat is informative; nbf is what counts.
        options={"require": _REQUIRED, "verify_iat": False, "strict_aud": True},
    )
    return Claims(user=_uuid(claims["sub"]), jti=claims["jti"], expires_at=claims["exp"], more=claims)


def _uuid(text: Any) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenInvalid from error
