"""The walk over every address of the bank: which there are, which are about something of Alice's, and what is hers."""

import importlib.util
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from post_office.models import Email

from accounts.models import User
from support import tickets
from support.models import RequestKind
from support.requests import services as requests
from tests import acts
from transfers.accounts import renaming
from transfers.models import Payee, Transaction, TransferOrder
from transfers.orders import sending
from transfers.payees import services as payees

OURS = ("accounts", "transfers", "support")

# Words in everything that Alice wrote, and nowhere else: an answer with one of them has shown something of hers.
WORDS = ("Moonfund", "Zanzibar", "Quokka", "Tangerine", "Wisteria", "Lindenallee")


# --- What exists ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A named address: its name with its namespaces, and the names and converters of its arguments."""

    name: str
    route: str
    arguments: tuple[tuple[str, str], ...] = field(default=())

    def path(self, values: dict[str, Any]) -> str:
        return reverse(self.name, kwargs={name: values[name] for name, _ in self.arguments})


def walk(resolver: URLResolver | None = None, namespaces: str = "", prefix: str = "") -> Iterator[Page]:
    """Yield every page of the resolver, the staff's area and the API's included."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespaces}{pattern.namespace}:" if pattern.namespace else namespaces
            yield from walk(pattern, inner, route)
        elif isinstance(pattern, URLPattern):
            converters = pattern.pattern.converters.items()
            arguments = tuple((name, type(converter).__name__) for name, converter in converters)
            yield Page(f"{namespaces}{pattern.name or ''}", route, arguments)


def pages() -> dict[str, Page]:
    """Return, by name, every page outside the staff's area and the API: those have tables of their own."""
    return {page.name: page for page in walk() if not page.name.startswith(("admin:", "api:"))}


def api_operations() -> list[str]:
    """Return `METHOD /path` of each operation in the API's own OpenAPI document; none without an API."""
    if importlib.util.find_spec("bankproject.api") is None:
        return []
    document = importlib.import_module("bankproject.api").api.get_openapi_schema()
    return sorted(f"{method.upper()} {path}" for path, verbs in document["paths"].items() for method in verbs)


def form_fields() -> dict[str, list[forms.Field]]:
    """Return every field of every form of ours, by its name: everything that a form of the bank reads."""
    get_resolver().url_patterns  # noqa: B018 - which imports every form that a page shows

    def of(kind: type[forms.BaseForm]) -> Iterator[tuple[str, forms.Field]]:
        for one in kind.__subclasses__():
            if one.__module__.partition(".")[0] in OURS and ".tests." not in one.__module__:
                yield from getattr(one, "base_fields", {}).items()
            yield from of(one)

    found: dict[str, list[forms.Field]] = {}
    for name, one in of(forms.BaseForm):
        found.setdefault(name, []).append(one)
    return found


def staff_pages() -> Iterator[str]:
    """Yield every list, row, history and act of the staff's area, for the existing rows."""
    for model, page in admin.site._registry.items():
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        yield reverse(base + "changelist")
        for row in model._default_manager.order_by("-pk")[:15]:
            yield reverse(base + "change", args=[row.pk])
            yield reverse(base + "history", args=[row.pk])
            for act in getattr(page, "acts", []):
                yield reverse(base + "act", args=[row.pk, act.name])
    yield reverse("admin:index")


def text_of(answer: Any) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode(errors="replace")


# --- What is Alice's ------------------------------------------------------------------------------------------


@dataclass
class Hers:
    """Objects of Alice's: for each page that is about something, and for each field that names something."""

    of_page: dict[str, dict[str, Any]]
    fields: dict[str, Any]


def made_up() -> dict[str, Any]:
    """Return a value of the right type that belongs to nobody."""
    return {
        "public_id": uuid4(), "draft_id": uuid4(), "sequence": 999_999, "year": 2026, "month": 1,
        "token": "x" * 43, "pk": 999_999,
    }  # fmt: skip


def things_of(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> Hers:
    """Return one of everything that she can have, each with one of `WORDS` in its text."""
    today = timezone.localdate()
    account, other, payee = open_account(alice, "100.00"), open_account(alice), open_account(bob)
    renaming.rename_account(actor=alice, account=account, nickname="Moonfund")
    renaming.rename_account(actor=alice, account=other, nickname="Moonfund too")
    acts.know(alice, payee)
    browser = browser_of(alice)
    form = {"source": str(account.public_id), "number": payee.number, "amount": "1.00", "description": "Zanzibar"}
    review = browser.post("/transfer/send/", form)["Location"]
    browser.post(review)
    order = TransferOrder.objects.get(kind="payment")
    draft = re.search(r"[0-9a-f-]{36}", browser.post("/transfer/send/", form)["Location"])
    assert draft
    known = Payee.objects.get(customer=alice)
    payees.rename_payee(actor=alice, public_id=known.public_id, label="Wisteria")
    ticket = tickets.open_ticket(actor=alice, subject="Quokka", text="Where is my Quokka?", idempotency_key="key")
    asked = requests.file_request(
        actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=open_account(alice), reason="Tangerine was stolen."
    )
    Email.objects.create(to=alice.email, from_email="bank@example.com", subject="Zanzibar", message="Zanzibar")
    month = {"public_id": account.public_id, "year": today.year, "month": today.month}
    of_page = {
        **{name: {"public_id": account.public_id} for name in ("account", "account_settings", "deposit", "withdraw")},
        **{name: {"public_id": other.public_id} for name in ("account_close", "account_freeze")},
        "transfer_review": {"draft_id": draft.group()},
        **{
            name: {"public_id": account.public_id, "draft_id": draft.group()}
            for name in ("deposit_confirm", "withdraw_confirm")
        },
        **{name: {"public_id": order.public_id} for name in ("receipt", "receipt_pdf", "order_cancel")},
        **{name: {"public_id": known.public_id} for name in ("payee", "payee_remove")},
        "entry": {"public_id": account.public_id, "sequence": 1},
        "ticket": {"public_id": ticket.public_id},
        **{name: {"public_id": asked.public_id} for name in ("service_request", "request_cancel")},
        "statements": {"public_id": account.public_id},
        "statement": month,
        "session_end": {"public_id": alice.sessions.order_by("pk")[0].public_id},
        "mail": {"pk": Email.objects.get(subject="Zanzibar").pk},
    }
    asked_for = sending.challenge_for(
        actor=alice, source=account, target=open_account(bob), amount=Decimal(1), idempotency_key="challenged"
    )
    fields = _fields(account, other, order, draft.group(), known, ticket, asked)
    return Hers(of_page, fields | {"challenge": asked_for.public_id if asked_for else ""})


def _fields(account: Any, other: Any, order: Any, draft: str, known: Any, ticket: Any, asked: Any) -> dict[str, Any]:
    """Return a value of hers for each field and parameter of all pages."""
    reference = Transaction.objects.filter(pk=order.transaction_id).values_list("reference", flat=True).get()
    return {
        # fields of forms
        "source": account.public_id, "target": other.public_id, "account": account.public_id,
        "account_id": other.public_id, "number": account.number, "amount": "1.00", "reference": reference,
        "key": draft, "kinds": "support", "email": account.owner.email, "kind": "close_account",
        "nickname": "Mine", "label": "Mine",
        "description": "Mine", "subject": "Mine", "text": "Mine", "reason": "Mine", "opening_deposit": "1.00",
        "daily_limit": "10.00", "min_amount": "0.01", "max_amount": "10000", "type": "transfer",
        "date_from": "2020-01-01", "date_to": "2099-12-31", "first_name": "Mallory", "last_name": "Mine",
        "phone": "+49 30 5550666", "address": "Here 1", "name": "Mine", "all_the_same": "1",
        # parameters of addresses only
        "draft": draft, "again": order.public_id, "from": account.public_id, "payee": known.public_id,
        "payment": reference, "older_than": "5", "newer_than": "0", "next": f"/accounts/{account.public_id}/",
        # fields that no form has, and an attacker adds
        "owner": account.owner_id, "user": account.owner_id, "user_id": account.owner_id, "actor": account.owner_id,
        "customer": account.owner_id, "pk": account.pk, "public_id": account.public_id, "ticket": ticket.public_id,
        "request": asked.public_id, "is_staff": "1", "is_superuser": "1",
        "is_active": "1", "seen": "1", "role": "Admin", "status": "closed",
        "balance": "0", "held": "0", "confirm": "1",
    }  # fmt: skip


# --- Whether something of hers changed --------------------------------------------------------------------------


def rows_about(
    user: Any, before: dict[tuple[str, Any], str] | None = None, written: Container[str] = ()
) -> dict[tuple[str, Any], str]:
    """Return every row that belongs to this person, or depends on such a row, as text by table and key.

    Dependent rows are found by the foreign keys, so a new model is included. RateWindow, the outbox and the audit log
    have none: they count and report, also refusals.

    With the rows of `before`, only the tables that were `written` since are read again.
    """
    models = [model for name in OURS for model in apps.get_app_config(name).get_models()]
    if before is not None:
        models = [model for model in models if connection.ops.quote_name(model._meta.db_table) in written]
    read_again = {model._meta.label for model in models}
    kept = {key: row for key, row in (before or {}).items() if key[0] not in read_again}
    found: dict[Any, set[Any]] = {User: {user.pk}}
    for label, key in kept:
        found.setdefault(apps.get_model(label), set()).add(key)
    _follow([(model, link) for model in models for link in model._meta.fields if link.is_relation], found)
    return kept | {
        (model._meta.label, row.pk): str([(f.attname, getattr(row, f.attname)) for f in model._meta.fields])
        for model in models
        if model in found
        for row in model._default_manager.filter(pk__in=found[model])
    }


def _follow(links: list[tuple[Any, Any]], found: dict[Any, set[Any]]) -> None:
    """Add to the keys those of the rows that depend on them."""
    asked: dict[tuple[Any, Any], int] = {}
    while more := [
        (model, link) for model, link in links
        if len(found.get(link.related_model, ())) > asked.get((model, link), 0)
    ]:  # fmt: skip
        for model, link in more:
            keys: Any = found[link.related_model]
            asked[model, link] = len(keys)
            rows = model._default_manager.filter(**{f"{link.name}__in": keys})
            found.setdefault(model, set()).update(rows.values_list("pk", flat=True))
