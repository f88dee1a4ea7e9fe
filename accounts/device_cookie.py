"""A browser's long-lived random name, by which a sign-in there is told from one in a browser not seen before.

It opens nothing: all it decides is whether a mail goes out, and that wrong codes from elsewhere do not count against it
(`accounts.guesses.from_anywhere`). A stolen one gains silence, and only for somebody who has both factors. One value
for each browser, of which the bank keeps a digest for each user, so that no table tells who shares a browser with
whom.
"""

from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponse

from accounts import mail_links
from accounts.models import User

AnyResponse = TypeVar("AnyResponse", bound=HttpResponse)

KEPT = timedelta(days=180)


def digest_for(user: User, token: str) -> str:
    """What is kept of a browser's name: another one for each user."""
    return mail_links.digest(f"{user.public_id}|{token}")


def kept_by(response: AnyResponse, token: str) -> AnyResponse:
    """The answer that makes the browser keep its name, from now on for another half a year."""
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        token,
        max_age=KEPT,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
