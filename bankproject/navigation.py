"""What every page of the bank shows: its name, its mode, and where its reader can go (R10.1)."""

import base64
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.roles import may
from accounts.sign_in.sessions import clock as session_clock
from accounts.sign_in.sessions import pages


@dataclass(frozen=True)
class Link:
    label: str
    url: str
    icon: str
    current: bool


# Label, URL name, icon, and the permission that shows it. The first five have a place in the header and the tab bar.
_CUSTOMER_LINKS = (
    ("Overview", "dashboard", "home", "transfers.open_own_account"),
    ("History", "history", "clock", "transfers.open_own_account"),
    ("Send money", "transfer_send", "send", "transfers.transfer_own_money"),
    ("Move money", "transfer_own", "swap", "transfers.transfer_own_money"),
    ("Help", "help", "help", "support.open_ticket"),
    ("Open account", "account_open", "plus", "transfers.open_own_account"),
    ("Payees", "payees", "staff", "transfers.transfer_own_money"),
)
_STAFF_LINKS = (
    ("Staff area", "admin:index", "staff", "accounts.view_user"),
    ("Audit log", "admin:audit_auditentry_changelist", "audit", "audit.view_auditentry"),
)


def bank(request: HttpRequest) -> dict[str, Any]:
    """Return what every page of the bank shows: its name, its mode, and who is where."""
    user: Any = getattr(request, "user", None)
    signed_in = pages.is_signed_in(request)
    return {
        "bank_name": settings.BANK_NAME,
        "demo": settings.DEMO,
        "debug": settings.DEBUG,
        "home_url": "/",
        "signed_in": signed_in,
        "reader": pages.reader_of(request),
        "role_label": str(user.role or "") if signed_in else "",
        "nav": links_for(request) if signed_in else [],
        "session_seconds_left": _session_seconds_left(request) if signed_in else 0,
        "kept_typing_key": _kept_typing_key(user) if signed_in else "",
    }


def links_for(request: HttpRequest) -> list[Link]:
    user: Any = request.user
    allowed = [link for link in _CUSTOMER_LINKS + _STAFF_LINKS if may(user, link[-1])]
    urls = [reverse(name) for _, name, *_ in allowed]
    return [Link(label, url, icon, request.path == url) for (label, _, icon, _), url in zip(allowed, urls, strict=True)]


def _session_seconds_left(request: HttpRequest) -> int:
    """Return the seconds left for the page that is being made: a person is there now, whenever that is noted."""
    now = timezone.now()
    return min(settings.SESSION_IDLE_SECONDS, session_clock.time_left(request.session, seen_at=now, now=now).absolute)


def _kept_typing_key(user: Any) -> str:
    """Return the key with which kept.js seals what a person was typing. Only that person's pages have it, so that
    another person at the browser after a timeout finds nothing to read, and after signing in is shown nothing."""
    digest = salted_hmac("kept typing", str(user.public_id), algorithm="sha256").digest()
    return base64.b64encode(digest).decode()
