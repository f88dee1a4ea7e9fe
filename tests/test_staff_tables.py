"""The tables of the staff's lists: they show what Django's own would, and a row costs no more than its texts (R5.4)."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.templatetags.admin_list import result_headers, results
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.template.base import Node
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.text import capfirst

from accounts import roles
from accounts.models import BankAccount, User
from audit.sealing import seal
from foundation.admin.read_only import ReadOnlyAdmin
from foundation.admin.table import Table
from support.models import RequestKind, ServiceRequest, Ticket
from support.states import RequestState
from tests.access.staff_area import permission_to_view, url
from tests.tables import in_one_world
from transfers.models import AlertState, FraudAlert, TransferOrder

pytestmark = pytest.mark.django_db

AWKWARD = ("<b>bold</b> & 'so' \"on\"", "   ", "&amp; {{ 7 }}", "Ünïcode €", "two\nlines")
# Variables of a template that one movement on the front page takes.
NODES_OF_A_MOVEMENT = 6
MOST_PERMISSIONS = 15


@pytest.fixture
def more(make_user: Any, open_account: Any, ada: Any) -> Callable[[str, int], None]:
    """Write this many more rows of everything that has a list, except blocks of the log."""

    def write(names: str, count: int) -> None:
        for number in range(count):
            customer, text = make_user(f"{names}{number}"), AWKWARD[number % len(AWKWARD)]
            account = open_account(customer, "5.00")
            User.objects.filter(pk=customer.pk).update(first_name=text, is_active=number % 3 > 0)
            if number == 0:  # the row was tampered with
                BankAccount.objects.filter(pk=account.pk).update(public_id=uuid.uuid4())
            people = {"customer": customer, "last_updated_by": ada}
            Ticket.objects.create(subject=text, status="open", **people)
            decided = {"state": RequestState.REJECTED, "decided_by": ada, "decided_at": timezone.now()}
            ServiceRequest.objects.create(
                customer=customer, kind=RequestKind.RESET_PIN, **(decided if number % 2 else {})
            )
            closed = {"state": AlertState.CLOSED, "closed_by": ada, "closed_at": timezone.now()}
            order = TransferOrder.objects.get(target=account)
            FraudAlert.objects.create(order=order, rule="large", **(closed if number % 2 else {}))
        seal()

    return write


def lists_of(user: Any) -> list[str]:
    """Return the addresses of the lists that this member of staff may see."""
    models = [model for model in admin.site._registry if user.has_role_permission(permission_to_view(model))]
    assert len(models) > 3
    return [url(model, "changelist") for model in models]


def as_django_shows(changes: Any) -> tuple[str, str]:
    """Return headings and rows, cell by cell, as Django's own tag makes them."""
    headings = [
        format_html(
            '<th scope="col"{}><div class="text"><span>{}</span></div></th>',
            head["class_attrib"],
            capfirst(str(head["text"])),
        )
        for head in result_headers(changes)
    ]
    return "".join(headings), "".join(f"<tr>{''.join(cells)}</tr>" for cells in results(changes))


@in_one_world("who", ["sam", "audrey", "ada"])
def test_each_role_is_shown_what_django_would_show_it(who: str, more: Any, request: Any, browser_of: Any) -> None:
    more("Customer", 5)
    TransferOrder.objects.update(state="held", transaction=None)  # which Support sees, too
    user = request.getfixturevalue(who)
    browser, seen = browser_of(user), 0
    for address in lists_of(user):
        for query in ("", "?q=customer1", "?_popup=1&_to_field=id"):
            answer = browser.get(address + query)
            page, changes = answer.content.decode(), answer.context["cl"]
            headings, rows = as_django_shows(changes)
            assert not rows or f"<thead><tr>{headings}</tr></thead>" in page
            assert rows in page, address + query
            seen += len(changes.result_list)
    assert seen > 60


class OddAdmin(ReadOnlyAdmin):
    """Columns of each kind that a list may have."""

    list_display = (
        "link", "email", "last_name", "is_active", "locked_at", "created_at", "pin_failures", "public_id", "role",
        "get_full_name", "has_pin", "marked", "missing", "nothing", "own_nothing", "several", "amount", "__str__",
    )  # fmt: skip

    @admin.display(description="a <link>")
    def link(self, user: User) -> str:
        return format_html("<i>{}</i>", user.email)

    @admin.display(boolean=True)
    def marked(self, user: User) -> bool | None:
        return {"alice": True, "bob": False}.get(user.email.partition("@")[0])

    def missing(self, user: User) -> str:
        raise ObjectDoesNotExist

    def nothing(self, user: User) -> str:
        return "  "

    @admin.display(empty_value="<none>")
    def own_nothing(self, user: User) -> None:
        return None

    def several(self, user: User) -> list[str]:
        return ["<1>", "2"]

    def amount(self, user: User) -> Decimal:
        return Decimal("1234.50")


def test_a_column_of_any_kind_is_as_django_shows_it(alice: Any, bob: Any, ada: Any) -> None:
    User.objects.filter(pk=alice.pk).update(last_name="O'Neil <x>", is_active=False)
    request: Any = RequestFactory().get("/admin/accounts/user/")
    request.user = ada
    changes = OddAdmin(User, admin.site).get_changelist_instance(request)
    changes.formset = None  # as Django's view says
    headings, rows = as_django_shows(changes)
    table = Table(changes)
    assert (str(table.headings), str(table.rows)) == (headings, rows)
    assert rows.count("<tr>") == User.objects.count()
    assert conditional_escape("O'Neil <x>") in rows


def test_a_row_asks_for_no_permission_no_statement_and_no_template(
    more: Any, audrey: Any, browser_of: Any, monkeypatch: Any
) -> None:
    # Issue 16: everything that a list asks or draws is done once, however many rows it has.
    told: list[str] = []
    permissions_of, drawn = roles._permissions_of, Node.render_annotated

    def noted(user: Any) -> Any:
        told.append("permission")
        return permissions_of(user)

    def drawn_and_noted(self: Any, context: Any) -> Any:
        told.append("node")
        return drawn(self, context)

    monkeypatch.setattr(roles, "_permissions_of", noted)
    monkeypatch.setattr(Node, "render_annotated", drawn_and_noted)

    def cost(address: str) -> dict[str, int]:
        told.clear()
        with CaptureQueriesContext(connection) as asked:
            answer = browser.get(address)
        counts = {"permissions": told.count("permission"), "nodes": told.count("node")}
        return counts | {"templates": len(answer.templates), "statements": len(asked)}

    more("Customer", 3)
    browser, addresses = browser_of(audrey), lists_of(audrey)
    few, front = {address: cost(address) for address in addresses}, cost("/admin/")
    more("Neighbour", 9)
    assert {address: cost(address) for address in addresses} == few
    assert all(one["permissions"] < MOST_PERMISSIONS for one in few.values()), few
    assert cost("/admin/") == front | {"nodes": front["nodes"] + 9 * NODES_OF_A_MOVEMENT}


def test_the_page_of_a_row_reads_the_row_once(more: Any, ada: Any, browser_of: Any) -> None:
    more("Customer", 2)
    account, browser = BankAccount.objects.filter(owner__email="customer1@example.com").get(), browser_of(ada)
    with CaptureQueriesContext(connection) as asked:
        answer = browser.get(url(BankAccount, "change", account.pk))
    assert account.masked_number in answer.content.decode()
    assert len([one for one in asked.captured_queries if BankAccount._meta.db_table in one["sql"]]) == 1
