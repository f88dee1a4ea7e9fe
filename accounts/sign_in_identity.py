"""Who a sign-in attempt is for: what the guess counters of this app and of django-axes count under."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

# One shared key for attempts that name nobody, far from any e-mail address.
NOBODY = "-"


def identity(email: Any) -> str:
    """The key for one e-mail address: two spellings of it are one, and no length breaks a column."""
    return email.strip().casefold()[:255] or NOBODY if isinstance(email, str) else NOBODY


def email_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """For `AXES_USERNAME_CALLABLE`. Forms pass `username`, programs `email`; without this, axes reads None for
    one of them and every user shares a single counter, so that one person's failures lock all."""
    source = credentials or (request.POST if request is not None else {})
    return identity(source.get("username") or source.get("email"))
