"""Links in mails: a secret token that only its SHA-256 digest is kept of, so that a read of the database yields
no working link."""

import hashlib
import secrets


class LinkInvalid(Exception):
    """The link is unknown, used or expired, or something newer has made it worthless."""

    code = "link_invalid"


def new_token() -> str:
    """256 random bits, as they stand in a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
