"""The staff's lists over many rows: few statements, each served by an index, whatever is asked (R5.3, R5.4)."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit.sealing import seal
from tests.admin_lists import Samples, all_views, samples_for, url
from tests.many_rows import make_customers, move_money
from tests.tables import in_one_world
from transfers.models import Entry, Transaction, TransferOrder

pytestmark = pytest.mark.django_db

# Tables that grow with every payment, customer, ticket or request.
LARGE = (
    "transfers_transaction", "transfers_entry", "transfers_transferorder", "transfers_fraudalert", "audit_auditentry",
    "audit_auditblock", "accounts_user", "accounts_bankaccount", "support_ticket", "support_servicerequest",
)  # fmt: skip


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Samples:
    """Fifty customers and 200 transactions, twenty to a page, which costs less to show; the rows of the sixth
    customer."""
    for page in admin.site._registry.values():
        monkeypatch.setattr(page, "list_per_page", 20)
    accounts: list[Any] = make_customers(50, at=timezone.now())
    move_money(200, accounts, at=timezone.now())
    seal()
    transaction = Transaction.objects.filter(initiated_by=accounts[5].owner).order_by("pk")[0]
    return samples_for(email=accounts[5].owner.email, number=accounts[5].number, reference=transaction.reference)


def statements(browser: Any, address: str) -> list[str]:
    """Return a page's statements; it must exist."""
    with CaptureQueriesContext(connection) as asked:
        answer = browser.get(address)
    assert answer.status_code == 200, address
    return [one["sql"] for one in asked.captured_queries]


def misread(statement: str) -> list[str]:
    """Return the steps of a statement's plan that would take long with millions of rows, by SQLite's own account."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        plan = [row[3] for row in cursor.fetchall()]
    scans = [line for line in plan if re.match(rf"SCAN ({'|'.join(LARGE)})\b", line)]
    # The first rows of a table in one of its orders (all of them, if they fit on a page). Nearly everybody is a
    # customer and nearly all accounts are theirs, so reading along finds some.
    along = r'EXISTS\(|NOT \("accounts_bankaccount"\."kind" IN'
    if " WHERE " not in statement or re.search(along, statement):
        scans = []
    # Only a handful: the results of a search, the few held orders, the staff, the acts on one thing.
    is_sorted = "USE TEMP B-TREE FOR ORDER BY" in plan and not re.search(r" IN \(|subject_id", statement)
    return scans + (["sorted"] if is_sorted else [])


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Reads the plans of SQLite.")
@in_one_world("who", ["sam", "audrey"])
def test_an_index_serves_every_list_and_filter(who: str, few: Samples, request: Any, browser_of: Any) -> None:
    # R5.4: without statistics of the tables, so the plans are the same for two rows and two million.
    user = request.getfixturevalue(who)
    browser, seen = browser_of(user), 0
    for view in all_views(few, timezone.now()):
        if user.has_role_permission(f"{view.model._meta.app_label}.view_{view.model._meta.model_name}"):
            asked = [one for one in statements(browser, view.url) if one.startswith("SELECT")]
            assert {one: misread(one) for one in asked if misread(one)} == {}, str(view)
            seen += 1
    assert seen > 30
    asked = [one for one in statements(browser, "/admin/") if one.startswith("SELECT")]
    assert {one: misread(one) for one in asked if misread(one)} == {}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Reads the plans of SQLite.")
def test_a_scan_and_a_sort_would_be_noticed(db: Any) -> None:
    assert misread(str(User.objects.filter(pin_failures=2).order_by("created_at").query))
    assert misread(str(Transaction.objects.order_by("description")[:5].query)) == ["sorted"]
    assert misread(str(Entry.objects.filter(direction="'debit'").query))
    assert misread(str(TransferOrder.objects.order_by("-created_at")[:5].query)) == []


@in_one_world(
    "dates",
    [
        {"month": 5}, {"day": 5}, {"year": 2026, "day": 5}, {"year": 9999, "month": 12, "day": 31}, {"year": 1},
        {"year": 2026, "month": 13}, {"year": 2026, "month": 2, "day": 30}, {"year": ""}, {"year": 0},
    ],
)  # fmt: skip
def test_dates_that_nobody_means_are_not_understood(dates: dict[str, Any], audrey: Any, browser_of: Any) -> None:
    # R5.4
    parameters = {f"created_at__{part}": value for part, value in dates.items()}
    answer = browser_of(audrey).get(url(Transaction, "changelist"), parameters, follow=True)
    assert answer.status_code == 200
    assert "not understood" in answer.content.decode()
