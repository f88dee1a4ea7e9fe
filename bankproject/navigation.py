"""Where each role can go from the header of every page (R10.1)."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.roles import may


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


def links_for(request: HttpRequest) -> list[Link]:
    user: Any = request.user
    return [
        Link(label, reverse(name), icon, request.path == reverse(name))
        for label, name, icon, permission in _CUSTOMER_LINKS + _STAFF_LINKS
        if may(user, permission)
    ]
