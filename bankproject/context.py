from typing import Any

from django.conf import settings
from django.http import HttpRequest

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
    }
