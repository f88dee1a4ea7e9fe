"""The cost of drawing a page: no template for each row of it, and nothing kept from one customer for another."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import BankAccount
from foundation.templatetags import bank
from tests import acts
from transfers.ledger import posting as ledger
from transfers.models import TransactionKind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


def pay_in(account: BankAccount, count: int, by: Any) -> None:
    desk = BankAccount.objects.get(ledger_code="cash-0")
    for number in range(count):
        legs = ledger.transfer_legs(debit=desk.pk, credit=account.pk, amount=Decimal(number + 1))
        ledger.post(
            kind=TransactionKind.DEPOSIT,
            legs=legs,
            initiated_by=by,
            at=timezone.now(),
            description=f"No. {number}",
        )


def test_rows_are_drawn_without_templates_of_their_own(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    browser = browser_of(alice)
    pages = [
        reverse("history"),
        f"{reverse('history')}?account={everyday.public_id}",
        reverse("account", args=[everyday.public_id]),
        reverse("dashboard"),
    ]
    pay_in(savings, 1, alice)
    for url in pages:
        browser.get(url)  # parts that are drawn once for all are drawn now
    few = [len(browser.get(url).templates) for url in pages]
    pay_in(everyday, 24, alice)
    many = [len(browser.get(url).templates) for url in pages]
    assert many == few
    assert max(many) <= 40


def test_a_page_asks_as_often_however_much_is_on_it(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    browser = browser_of(alice)
    for url, most in ((reverse("history"), 9), (reverse("dashboard"), 10)):
        counts = []
        for _ in range(2):
            browser.get(url)
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(url).status_code == 200
            texts = [query["sql"] for query in captured.captured_queries]
            counts.append(sum(not text.startswith(("SAVEPOINT", "RELEASE")) for text in texts))
            pay_in(everyday, 12, alice)
        assert counts[0] == counts[1] <= most, url


def test_nothing_of_one_customer_is_kept_for_another(
    alice: Any, bob: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """Each looks in turn at pages of the same shape, which the same process draws."""
    acts.transfer(
        actor=alice,
        source=everyday,
        target=bobs,
        amount=Decimal(12),
        description="Secret plan",
        idempotency_key=new_key(),
    )
    BankAccount.objects.filter(pk=bobs.pk).update(nickname="Hidden hoard")
    hers = [everyday.nickname, everyday.masked_number[-4:], str(everyday.public_id), "€88.00"]
    his = ["Hidden hoard", bobs.masked_number[-4:], str(bobs.public_id), alice.email]
    browsers = {"alice": browser_of(alice), "bob": browser_of(bob)}
    for _ in range(2):
        for name in ("dashboard", "dashboard_live", "history"):
            pages = {who: browser.get(reverse(name)).content.decode() for who, browser in browsers.items()}
            assert "Everyday" in pages["alice"]
            assert "Hidden hoard" in pages["bob"]
            for text in ("Everyday", str(everyday.public_id), "€88.00", alice.email):
                assert text not in pages["bob"], (name, text)
            for text in ("Hidden hoard", str(bobs.public_id), bob.email):
                assert text not in pages["alice"], (name, text)
    kept = "".join(bank._drawn_fields.values())
    assert "Minimum amount" in kept
    assert not [text for text in (*hers, *his) if text in kept]


def test_a_filter_that_is_set_is_drawn_as_it_is(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    browser = browser_of(alice)
    plain = browser.get(reverse("history")).content.decode()
    set_ = browser.get(reverse("history"), {"text": "Tea & cake", "min_amount": "x"}).content.decode()
    assert 'value="Tea &amp; cake"' in set_
    assert 'value="x"' in set_
    assert "is-invalid" in set_
    again = browser.get(reverse("history")).content.decode()
    for page in (plain, again):
        assert "Tea &amp; cake" not in page
        assert "is-invalid" not in page
