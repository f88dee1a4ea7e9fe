"""Every component of templates/components on one page, for people who build pages. Exists with DEBUG only."""

import re
import uuid
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.selectors import NameThatWaits
from foundation.form_fields import AmountField
from transfers.history import drawing as pictures
from transfers.periods import Month

_ICONS = settings.BASE_DIR / "static" / "img" / "icons.svg"
_STATUSES = (
    *("active", "frozen", "closed", "posted", "held", "released", "rejected", "cancelled", "expired"),
    "reversed",
)


@login_not_required  # it shows no person's data, and a fresh checkout has no users
@require_safe
def components(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    page = {
        "icons": re.findall(r'id="([a-z-]+)"', _ICONS.read_text(encoding="utf-8")),
        "statuses": [(status, status.capitalize()) for status in _STATUSES],
        "amounts": [Decimal(text) for text in ("1234.5", "0", "-1234.5", "0.05", "999999999999.99")],
        "signed_amounts": [Decimal(text) for text in ("1234.5", "-1234.5", "999999999999.99")],
        "samples": _samples(),
        "plain_form": SampleForm(auto_id="plain_%s", initial={"colour": "green"}),
        "faulty_form": SampleForm({"amount": "1,5", "name": "", "colour": "blue"}, auto_id="faulty_%s"),
        "filter_form": FilterForm(auto_id="filter_%s"),
    }
    return render(request, "component_page.html", page)


class SampleForm(forms.Form):
    """One field of each kind that the bank's forms have."""

    name = forms.CharField(
        label="Text", help_text="With a hint below it.", error_messages={"required": "Enter a text."}
    )
    amount = AmountField(label="Amount")
    password = forms.CharField(label="Password", required=False, widget=forms.PasswordInput)
    account = forms.ChoiceField(label="Select", required=False, choices=[("1", "Household •••• 1234")])
    colour = forms.ChoiceField(label="Choice", choices=[("green", "Green"), ("sand", "Sand")], widget=forms.RadioSelect)
    agreed = forms.BooleanField(label="Check box", required=False)
    notes = forms.CharField(label="Several lines", required=False, widget=forms.Textarea(attrs={"rows": 3}))

    def clean(self) -> dict[str, Any]:
        self.add_error(None, "A word about the form as a whole.")
        return super().clean() or {}


class FilterForm(forms.Form):
    day = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    text = forms.CharField(label="Description", required=False)


def _samples() -> dict[str, Any]:
    """Return the components' arguments, made up and in no database."""
    person = SimpleNamespace(
        first_name="Alice", last_name="Archer", get_full_name="Alice Archer", email="alice@example.com"
    )
    return {
        "account": _account("active"),
        "accounts": [_account("active"), _account("frozen"), _account("closed", empty=True)],
        "entries": _entries(),
        "daily": {"limit": Decimal(25000), "used": Decimal("9100.50"), "remaining": Decimal("15899.50")},
        "messages": [
            Message(level, f"A message of the level “{name}”.")
            for level, name in constants.DEFAULT_TAGS.items()
            if level != constants.DEBUG
        ],
        "person": person,
        "nav": [
            {"label": f"Page {number}", "url": "#menus", "icon": "home", "current": number == 6}
            for number in range(1, 8)
        ],
        "demo_people": [{"name": "Alice Archer", "email": person.email, "role": "Customer"}],
        "sessions": _sessions(),
        "new_name": NameThatWaits("Alice Archer-Brandt", uuid.uuid4()),
        "sign_ins": [{"at": timezone.now(), "ip": "192.0.2.7", "succeeded": result} for result in (True, False)],
        "chips": [{"label": label, "url": "#tables"} for label in ("Household", "From 1 November 2026")],
        "freezes": [{"by_its_owner": own, "since": timezone.now()} for own in (True, False)],
        "announced": ["take back €12,345.67 that came to your account … 1234 on 3 November 2026, as a mistake"],
        "links": [{"label": "Move the money", "url": "#accounts"}],
        "waiting": [
            {
                "public_id": uuid.uuid4(),
                "label": label,
                "amount": Decimal("12345.67"),
                "since": timezone.now(),
                "account_name": "Household",
            }
            for label in ("Bob Brandt", "Cash at the counter")
        ],
        "payees": _payees(),
        "tickets": _tickets(),
        "requests": _requests(),
        "balance_picture": _balance_picture(),
        "months_picture": _months_picture(),
    }


def _account(status: str, *, empty: bool = False) -> dict[str, Any]:
    return {
        "account": {
            "public_id": uuid.uuid4(),
            "display_name": "Donaudampfschifffahrtskapitänswitwenkasse" if status == "frozen" else "Household",
            "masked_number": "•••• 1234",
            "kind_label": "Checking",
            "balance": Decimal(0) if empty else Decimal("4321.09"),
            "available": Decimal("4271.09"),
            "held": Decimal(50) if status == "active" else Decimal(0),
            "status": status,
            "status_label": status.capitalize(),
        },
        "entries": [] if empty else _entries(),
    }


def _entries() -> list[dict[str, Any]]:
    rows = (("Transfer from Bob Brandt", "9.99", "Coffee – thank you"), ("Transfer to Zoë Zhang", "-1234.56", ""))
    return [
        {
            "posted_at": timezone.now(),
            "label": label,
            "description": description,
            "counterpart": "•••• 5678",
            "amount": Decimal(amount),
            "direction_word": "out" if amount.startswith("-") else "in",
            "balance_after": Decimal("4321.09"),
            "reference": "7K3M-92QX-41",
            "order_id": uuid.uuid4(),
            "account_id": uuid.uuid4(),
            "sequence": 1,
            "account_label": "Household •••• 1234",
        }
        for label, amount, description in rows
    ]


def _sessions() -> list[dict[str, Any]]:
    now = timezone.now()
    rows = (("Firefox on Linux", "pages", True), ("curl", "api", False))
    return [
        {
            "public_id": uuid.uuid4(),
            "kind": kind,
            "device": device,
            "ip": "192.0.2.7",
            "created_at": now,
            "last_seen_at": now,
            "is_present": is_present,
        }
        for device, kind, is_present in rows
    ]


def _payees() -> list[dict[str, Any]]:
    rows = (("Bob Brandt", True, True), ("Zoë Zhang", True, False), ("Maximilian-Alexander Wolkenstein", False, False))
    return [
        {
            "payee": {"name": name, "masked_number": "•••• 5678", "can_receive": can_receive},
            "url": "#forms",
            "chosen": chosen,
        }
        for name, can_receive, chosen in rows
    ]


def _tickets() -> list[dict[str, Any]]:
    rows = (("My card does not arrive", "open"), ("A question about fees", "closed"))
    return [
        {
            "public_id": uuid.uuid4(),
            "subject": subject,
            "status": status,
            "status_label": status.capitalize(),
            "shown_at": timezone.now(),
        }
        for subject, status in rows
    ]


def _requests() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    rows = (("Freeze an account", "lock", "held"), ("A higher limit", "alert", "rejected"))
    return [
        (
            {"icon": icon},
            {
                "public_id": uuid.uuid4(),
                "kind_label": label,
                "account": {"display_name": "Household"},
                "state": state,
                "state_label": state.capitalize(),
                "created_at": timezone.now(),
            },
        )
        for label, icon, state in rows
    ]


def _balance_picture() -> dict[str, Any]:
    amounts = [Decimal(amount) for amount in (120, 480, 400, 950, 700, 1240)]
    first = date(2026, 10, 11)
    points = [{"day": first + timedelta(weeks=week), "balance": amount} for week, amount in enumerate(amounts)]
    return {
        "shape": pictures.draw_line(amounts, unit=Decimal(1)),
        "points": points,
        "first": points[0],
        "middle": points[len(points) // 2],
        "last": points[-1],
        "lowest": points[0],
        "highest": points[-1],
    }


def _months_picture() -> dict[str, Any]:
    pairs = [(Decimal(1900), Decimal(1200)), (Decimal(2100), Decimal(2350)), (Decimal(800), Decimal(0))]
    months = Month.of(timezone.now()).and_before(len(pairs))
    flows = [
        {
            "month": month,
            "is_so_far": month == months[-1],
            "money_in": money_in,
            "money_out": money_out,
            "net": money_in - money_out,
        }
        for month, (money_in, money_out) in zip(months, pairs, strict=True)
    ]
    return {"shape": pictures.draw_bars(pairs, unit=Decimal(1)), "months": flows}
