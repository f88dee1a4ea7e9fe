import base64
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import session_clock
from bankproject.navigation import links_for


def bank(request: HttpRequest) -> dict[str, Any]:
    """What every page of the bank shows: its name, its mode, and who is where."""
    user: Any = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated and user.is_verified()
    return {
        "bank_name": settings.BANK_NAME,
        "demo": settings.DEMO,
        "debug": settings.DEBUG,
        "home_url": "/",
        "signed_in": signed_in,
        "role_label": str(user.role or "") if signed_in else "",
        "nav": links_for(request) if signed_in else [],
        "session_seconds_left": _session_seconds_left(request) if signed_in else 0,
        "kept_typing_key": _kept_typing_key(user) if signed_in else "",
    }


def _session_seconds_left(request: HttpRequest) -> int:
    """As seen by the page that is being made: its request renews the session."""
    left = session_clock.time_left(request.session, now=int(timezone.now().timestamp()))
    return min(settings.SESSION_IDLE_SECONDS, left.absolute)


def _kept_typing_key(user: Any) -> str:
    """The key with which kept.js seals what somebody was typing. It stands in their own pages only, so that who
    comes to the browser after a timeout finds nothing to read, and another who signs in there is shown nothing."""
    digest = salted_hmac("kept typing", str(user.public_id), algorithm="sha256").digest()
    return base64.b64encode(digest).decode()
