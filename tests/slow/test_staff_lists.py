"""The staff's lists over many rows: few statements, each served by an index, whatever is asked (R5.3, R5.4)."""

from typing import Any

import pytest
from django.contrib import admin
from django.utils import timezone

from accounts.models import BankAccount
from audit.sealing import seal
from tests.admin_lists import Samples, all_views, samples_for, url
from tests.many_rows import make_customers, move_money
from tests.test_staff_lists import statements
from transfers.models import Transaction

pytestmark = pytest.mark.django_db

MOST_STATEMENTS = 12

MOST_STATEMENTS_IN_FRONT = 15

# As in an address: NUL, half a surrogate, far too long, an emoji among SQL and LIKE, and almost a number.
NONSENSE = ["%00", "%ED%A0%80", "x" * 10_000, "%F0%9F%98%80'%3B--%25_", "-1", "1e999", "%C2%B2", "9" * 400]


@pytest.fixture
def few() -> Samples:
    """Fifty customers and 200 transactions; the rows of the sixth customer."""
    accounts: list[Any] = make_customers(50, at=timezone.now())
    move_money(200, accounts, at=timezone.now())
    seal()
    transaction = Transaction.objects.filter(initiated_by=accounts[5].owner).order_by("pk")[0]
    return samples_for(email=accounts[5].owner.email, number=accounts[5].number, reference=transaction.reference)


def test_the_number_of_statements_does_not_grow_with_the_rows(few: Samples, audrey: Any, browser_of: Any) -> None:
    # Issue 4, Shows 5: 200 transactions, then 20,000; every list, page, filter, date and search.
    browser, now = browser_of(audrey), timezone.now()
    before = {str(view): len(statements(browser, view.url)) for view in all_views(few, now)}
    front = len(statements(browser, "/admin/"))
    accounts = list(BankAccount.objects.filter(owner__isnull=False).select_related("owner"))
    move_money(19_800, accounts, at=now)
    views = all_views(few, now)
    after = {str(view): len(statements(browser, view.url)) for view in views}
    assert any(view.url.endswith("p=200") for view in views), "a last page beyond which nothing is counted"
    assert {name: count for name, count in after.items() if count > MOST_STATEMENTS} == {}
    # Fewer where a list was empty and its related rows were not asked for.
    assert {name: (before[name], count) for name, count in after.items() if count > before[name] + 1} == {}
    assert front <= len(statements(browser, "/admin/")) <= MOST_STATEMENTS_IN_FRONT


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_shows_nothing_or_says_so(text: str, few: Samples, audrey: Any, browser_of: Any) -> None:
    # R5.4, R6.4: never a fault, and never silently everything.
    browser = browser_of(audrey)
    pages: Any = admin.site._registry.values()
    for page in pages:
        address = url(page.model, "changelist")
        for name in ["q", "p", *sorted(page.parameters())]:
            answer = browser.get(f"{address}?{name}={text}", follow=True)
            assert answer.status_code == 200, (address, name)
            content = answer.content.decode()
            says_so = "not understood" in content or 'class="errorlist"' in content
            shows_nothing = '<table id="result_list">' not in content
            assert says_so or shows_nothing or name in {"q", "p"}, (address, name)
