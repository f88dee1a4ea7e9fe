"""What tests of the staff's services share: a request, fresh codes, an approved request."""

from typing import Any

from django.http import HttpRequest
from django.test import RequestFactory

from accounts.authority import ApprovedRequest
from accounts.models import RateWindow, TotpDevice, User
from audit.models import AuditEntry

REASON = "Asked for on the phone, number called back."


def a_request(ip: str = "192.0.2.7") -> HttpRequest:
    return RequestFactory().post("/", REMOTE_ADDR=ip)


def fresh_code(user: Any) -> str:
    """A code that works now, as if half a minute had passed since the last."""
    TotpDevice.objects.filter(user=user).update(last_step=-1)
    RateWindow.objects.filter(key__startswith="code-pause:").delete()
    return f"{TotpDevice.objects.get(user=user).totp().token():06d}"


def stored(user: Any) -> User:
    """The user as the database has them, nothing kept from before."""
    return User.objects.get(pk=user.pk)


def approved(verb: str, subject: Any) -> ApprovedRequest:
    return ApprovedRequest(verb=verb, subject=subject, reference="the-request")


def entry_of(action: str) -> AuditEntry:
    """The one audit entry of this action."""
    return AuditEntry.objects.get(action=action)
