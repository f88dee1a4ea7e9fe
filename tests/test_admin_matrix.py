"""Every address of the staff's area, for everybody (R1.7, R5.1, R5.4; issue 4, Shows 1).

The addresses come from the registry and the URL resolver. What is expected of each stands in the tables below: an
address, model, act or person that is in none of them fails the test.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from accounts.models import BankAccount, User
from accounts.roles import Role
from accounts.staff_acts import ActingAdmin
from audit.models import AuditBlock, AuditEntry
from audit.sealing import seal
from support.kinds import RequestKind
from support.models import ServiceRequest, Ticket
from tests.access_walk import rows_about
from transfers import fraud
from transfers.models import Entry, FraudAlert, OrderKind, OrderState, Transaction, TransferOrder

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

# --- The tables ---------------------------------------------------------------------------------------------

# Who walks, and as whom the staff's area takes them: a superuser's flag makes nobody more than their role does.
PEOPLE = {
    "nobody signed in": "outside",
    "admin without two-factor": "outside",
    "customer": "stranger",
    "superuser without a role": "stranger",
    "support": "support",
    "support with a superuser's flag": "support",
    "auditor": "auditor",
    "admin": "admin",
}

# Which roles see a model's list and its rows.
SEES = {
    User: "support auditor admin",
    BankAccount: "support auditor admin",
    Transaction: "auditor admin",
    Entry: "auditor admin",
    TransferOrder: "support auditor admin",
    FraudAlert: "support auditor admin",
    AuditEntry: "auditor admin",
    AuditBlock: "auditor admin",
    Ticket: "support auditor admin",
    ServiceRequest: "support auditor admin",
}

# Which roles may download a model's list.
EXPORTS = {
    Transaction: "auditor admin",
    AuditEntry: "auditor admin",
}

# Which roles may do an act to a row.
ACTS = {
    "bankaccount/deposit": "support admin",
    "bankaccount/freeze": "admin",
    "bankaccount/unfreeze": "admin",
    "bankaccount/withdraw": "support admin",
    "fraudalert/close": "support admin",
    "servicerequest/approve": "support admin",
    "servicerequest/reject": "support admin",
    "ticket/answer": "support admin",
    "ticket/note": "support admin",
    "ticket/reopen": "support admin",
    "ticket/resolve": "support admin",
    "ticket/take": "support admin",
    "transaction/reverse": "admin",
    "transferorder/reject": "support admin",
    "transferorder/release": "support admin",
    "user/edit": "admin",
    "user/lock": "admin",
    "user/open-account": "admin",
    "user/role": "admin",
    "user/unlock": "admin",
}

# What the pages of a model answer to GET and POST, for a role that sees it (or may export, or may act), and for
# one of the staff that does not. Add, change and delete are closed for all.
PAGES = {
    # page: ((get, post) allowed, (get, post) not allowed)
    "changelist": (("200", "200"), ("403", "403")),
    "change": (("200", "403"), ("403", "403")),
    "history": (("200", "200"), ("403", "403")),
    "add": (("403", "403"), ("403", "403")),
    "delete": (("403", "403"), ("403", "403")),
    "export": (("200", "405"), ("403", "405")),
    "act": (("200 302", "200 302"), ("403", "403")),  # 302: it makes no sense now, or it was done
    "": (("302", "302"), ("302", "302")),  # the address of a row without a page leads to its page
}

# What the pages of the whole site answer to GET and POST, for all staff.
SITE = {
    "index": ("200", "200"),
    "app_list": ("200 404", "200 404"),  # 404: an app of which this role sees nothing
    "login": ("302", "302"),  # there is one way in: home
    "logout": ("405", "302"),
    "password_change": ("302", "302"),
    "password_change_done": ("200", "405"),
    "autocomplete": ("403", "405"),  # no list offers it
    "jsi18n": ("200", "405"),
    "view_on_site": ("404", "404"),  # no row has a page elsewhere
    None: ("404", "404"),  # whatever else begins with /admin/
}

# The answers to who is not staff, whatever the address; but anybody is sent home from the sign-in page.
OTHERS = {"outside": "302", "stranger": "403"}

# --- The walk -----------------------------------------------------------------------------------------------


@pytest.fixture
def rows(alice: Any, bob: Any, open_account: Callable[..., Any]) -> dict[Any, Any]:
    """One row of each model, of Alice's; support sees no others of these either."""
    account, other = open_account(alice, "50.00"), open_account(bob)
    order = TransferOrder.objects.create(
        kind=OrderKind.PAYMENT, initiator=alice, source=account, target=other, amount=account.balance,
        key_digest="k", inputs_digest="i", state=OrderState.HELD,
    )  # fmt: skip
    BankAccount.objects.filter(pk=account.pk).update(held=account.balance)
    Ticket.objects.create(customer=alice, subject="A card", last_updated_by=alice)
    ServiceRequest.objects.create(customer=alice, kind=RequestKind.RESET_PIN)
    FraudAlert.objects.create(order=order, rule=fraud.Rule.LARGE_AMOUNT)
    seal()
    found = {model: model._default_manager.order_by("pk").last() for model in admin.site._registry}
    assert None not in found.values(), "a model without a row here"
    return found | {User: alice, BankAccount: account}


@pytest.fixture
def walker(request: Any, make_user: Callable[..., Any], browser_of: Callable[[Any], Any], client: Any) -> Any:
    """`walker(who)`: the browser of one of `PEOPLE`."""

    def walk(who: str) -> Any:
        if who == "nobody signed in":
            return client
        role = next((role for role in Role if who.startswith(role.value.lower())), Role.CUSTOMER)
        user = make_user("Walter", role, two_factor="without two-factor" not in who)
        if "without a role" in who:
            user.groups.clear()
        User.objects.filter(pk=user.pk).update(is_superuser="superuser" in who)
        return browser_of(user)

    return walk


def addresses(rows: dict[Any, Any], standing: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every address with what it answers to GET and POST."""
    for pattern in admin.site.urls[0]:
        if hasattr(pattern, "url_patterns"):
            yield from _of_a_model(pattern, rows, standing)
        else:
            for address in _of_the_site(pattern.name, rows):
                yield address, SITE[pattern.name]


def _of_the_site(name: str | None, rows: dict[Any, Any]) -> list[str]:
    if name is None:
        return ["/admin/nowhere/", "/admin/auth/group/", "/admin/accounts/totpdevice/"]
    if name == "app_list":
        return [reverse("admin:app_list", args=[label]) for label in sorted({model._meta.app_label for model in rows})]
    if name == "view_on_site":
        types = ContentType.objects.get_for_models(*rows)
        return [reverse("admin:view_on_site", args=[types[model].pk, row.pk]) for model, row in rows.items()]
    return [reverse(f"admin:{name}")]


def _of_a_model(resolver: Any, rows: dict[Any, Any], standing: str) -> Iterator[tuple[str, tuple[str, str]]]:
    page: Any = next(
        page for page in admin.site._registry.values()
        if str(resolver.pattern) == f"{page.opts.app_label}/{page.opts.model_name}/"
    )  # fmt: skip
    prefix, row = f"{page.opts.app_label}_{page.opts.model_name}_", rows[page.model]
    for pattern in resolver.url_patterns:
        kind = (pattern.name or "").removeprefix(prefix)
        if kind == "act":
            for act in page.acts:
                allowed = standing in ACTS[f"{page.opts.model_name}/{act.name}"].split()
                yield reverse(f"admin:{prefix}act", args=[row.pk, act.name]), PAGES["act"][not allowed]
            continue
        allowed = standing in (EXPORTS if kind == "export" else SEES)[page.model].split()
        path = str(pattern.pattern).replace("<path:object_id>", str(row.pk))
        yield f"/admin/{resolver.pattern}{path}", PAGES[kind][not allowed]


def expected(address: str, standing: str, answers: tuple[str, str], method: str) -> list[str]:
    if standing in OTHERS:
        return ["302"] if address == "/admin/login/" else OTHERS[standing].split()
    return answers[method == "post"].split()


@pytest.mark.parametrize("who", PEOPLE)
def test_every_address_answers_as_the_tables_say(who: str, rows: dict[Any, Any], walker: Any) -> None:
    browser, standing, walked, wrong = walker(who), PEOPLE[who], 0, []
    was = rows_about(rows[User])
    # Signing out ends the walk.
    for address, answers in sorted(addresses(rows, standing), key=lambda one: one[0] == "/admin/logout/"):
        for method in ("get", "post"):
            answer = getattr(browser, method)(address)
            walked += 1
            if str(answer.status_code) not in expected(address, standing, answers, method):
                wrong.append((method, address, answer.status_code, expected(address, standing, answers, method)))
            if standing == "outside":
                assert answer["Location"].startswith("/sign-in/") or answer["Location"] == "/", address
    assert wrong == []
    assert walked > 150
    if standing not in {"support", "admin"}:  # theirs to do: tickets are taken with one click
        assert rows_about(rows[User]) == was


@pytest.mark.parametrize("who", PEOPLE)
def test_add_change_and_delete_are_closed_whatever_is_sent(who: str, rows: dict[Any, Any], walker: Any) -> None:
    # R5.1: with every field filled in, and by the list's actions.
    browser = walker(who)
    before = {model: list(model._default_manager.order_by("pk").values_list("pk", flat=True)) for model in rows}
    was = {model: stored(model, row) for model, row in rows.items()}
    for model, row in rows.items():
        fields = {field.name: "x" for field in model._meta.fields} | {"post": "yes", "_save": "Save"}
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for path in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert browser.post(base + path, fields).status_code in (302, 403), base + path
        action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        assert browser.post(base, action).status_code in (200, 302, 403)
    for model, keys in before.items():
        now = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
        assert now[: len(keys)] == keys, model
        assert model is AuditEntry or now == keys, model
        assert stored(model, rows[model]) == was[model], model


def stored(model: Any, row: Any) -> dict[str, Any]:
    again = model._default_manager.get(pk=row.pk)
    return {field.attname: getattr(again, field.attname) for field in model._meta.fields}


def test_the_tables_name_what_there_is_and_nothing_else() -> None:
    # A model, act or download that nobody thought about does not pass unseen.
    pages = admin.site._registry
    assert set(SEES) == set(pages)
    acts = {f"{page.opts.model_name}/{act.name}" for page in pages.values() for act in getattr(page, "acts", [])}
    assert set(ACTS) == acts
    assert set(EXPORTS) == {model for model, page in pages.items() if hasattr(page, "export_view")}
    assert {isinstance(page, ActingAdmin) for page in pages.values()} == {True, False}
