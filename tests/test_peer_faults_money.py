"""Faults of a known peer that must never be ours: those of money (REQUIREMENTS, last section).

Each test is named after the absence of the peer's fault. Faults with tests elsewhere are shown here once, through the
pages, as an attacker would try them.
"""

import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.account_numbers import InvalidAccountNumber, check_digits, parse_number
from accounts.models import BankAccount
from foundation.limiter.limiter import TooOften
from foundation.money import InvalidAmount, parse_amount
from tests import acts
from tests.asvs import proves
from transfers.models import Entry, Transaction
from transfers.orders import cash, sending
from transfers.orders.ownership import NotYourAccount


@pytest.fixture
def hers(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's account with 100.00."""
    return open_account(alice, "100.00")


@pytest.fixture
def his(charlie: Any, open_account: Callable) -> BankAccount:
    """Charlie the stranger's empty account."""
    return open_account(charlie)


def balance(account: BankAccount) -> Decimal:
    return BankAccount.objects.values_list("balance", flat=True).get(pk=account.pk)


def review_url(browser: Client, source: BankAccount, target: BankAccount, amount: str) -> str:
    name = target.owner.get_full_name() if target.owner else ""
    fields = {"source": source.public_id, "number": target.number, "name": name, "amount": amount}
    response = browser.post(reverse("transfer_send"), fields)
    return response.headers.get("Location", "")


def test_another_customer_does_not_debit_your_account(
    charlie: Any, browser_of: Callable, hers: BankAccount, his: BankAccount
) -> None:
    browser = browser_of(charlie)
    for source in (hers.public_id, hers.pk, hers.number):
        response = browser.post(reverse("transfer_send"), {"source": source, "number": his.number, "amount": "5"})
        assert response.status_code == 200
        assert "source" in response.context["form"].errors
    # His own review, with her account put into the request.
    url = review_url(browser, his, hers, "0") or reverse("transfer_review", args=[uuid.uuid4()])
    browser.post(url, {"source": hers.public_id, "source_id": hers.pk, "amount": "5"})
    withdraw = reverse("withdraw", args=[hers.public_id])
    assert browser.post(withdraw, {"key": uuid.uuid4(), "amount": "5"}).status_code == 404
    with pytest.raises(NotYourAccount):
        acts.transfer(actor=charlie, source=hers, target=his, amount=Decimal(5), idempotency_key="his own key")
    assert [balance(hers), balance(his)] == [Decimal(100), Decimal(0)]


@pytest.mark.parametrize(
    "disguise", [int, float, lambda number: [number], lambda number: {"number": number}, bytes.fromhex]
)
def test_an_account_number_of_another_type_does_not_dodge_the_check_for_the_same_account(
    hers: BankAccount, disguise: Callable
) -> None:
    """In JSON, 1 and "1" are two things; here only a text can be a number."""
    with pytest.raises(InvalidAccountNumber):
        parse_number(disguise(hers.number))


def test_no_spelling_of_ones_own_number_dodges_the_check_for_the_same_account(
    alice: Any, browser_of: Callable, hers: BankAccount, settings: Any
) -> None:
    browser, number = browser_of(alice), str(hers.number)
    for spelling in (number, hers.number_grouped, "-".join(number), f"  {number} "):
        response = browser.post(reverse("transfer_send"), {"source": hers.public_id, "number": spelling, "amount": "5"})
        assert response.context["form"].errors == {"number": [sending.SameAccount.text]}
    assert balance(hers) == Decimal(100)
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize(
    "text",
    ["NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e3", "1E3", "-5", "+5", "0", "-0", "0.001", "１２", "٣",
     "1_000", "0x1F", "1,5", "1.", ".5", "1" + "0" * 20, "", " ", "5\n6", "5\x00"],
)  # fmt: skip
def test_no_strange_amount_gets_into_the_books(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(text)


@pytest.mark.parametrize("value", [5, 5.0, True, None, ["5"], {"amount": "5"}, b"5", Decimal(5), Decimal("NaN")])
def test_an_amount_of_another_type_is_not_an_amount(value: Any) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(value)


def test_no_residue_of_floats_is_left(alice: Any, hers: BankAccount, settings: Any) -> None:
    """0.1 a hundred times, and out again at once."""
    settings.DEPOSITS_PER_MINUTE = 1000
    for number in range(100):
        cash.deposit(actor=alice, account=hers, amount=Decimal("0.10"), idempotency_key=f"a dime {number}")
    cash.withdraw(actor=alice, account=hers, amount=Decimal("110.00"), idempotency_key="all of it")
    assert balance(hers) == 0
    if connection.vendor == "sqlite":  # where a column may hold what it likes
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT typeof(amount), typeof(balance_after) FROM {Entry._meta.db_table}")
            assert cursor.fetchall() == [("integer", "integer")]


@proves("V3.5.3")
def test_no_state_changes_by_get(alice: Any, browser_of: Callable, hers: BankAccount, his: BankAccount) -> None:
    """A link that another person wrote does not either."""
    browser = browser_of(alice)
    url = review_url(browser, hers, his, "10.00")
    fields = {"amount": "10.00", "key": str(uuid.uuid4()), "confirm": "1", "number": his.number}
    pages = [reverse(name, args=[hers.public_id]) for name in ("deposit", "withdraw", "account", "account_close")]
    for page in (url, *pages, reverse("account_open"), reverse("transfer_send"), reverse("transfer_own")):
        assert browser.get(page, fields | {"source": hers.public_id}).status_code == 200
    assert [balance(hers), balance(his)] == [Decimal(100), Decimal(0)]
    assert BankAccount.objects.get(pk=hers.pk).status == "active"
    assert BankAccount.objects.filter(owner=alice).count() == 1


@proves("V3.5.1")
@pytest.mark.parametrize("name", ["deposit", "withdraw", "account_close"])
def test_no_state_changes_from_another_site(alice: Any, browser_of: Callable, hers: BankAccount, name: str) -> None:
    """Without the token of a page of ours (R8.2)."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser_of(alice).cookies
    url = reverse(name, args=[hers.public_id])
    response = strict.post(url, {"key": uuid.uuid4(), "amount": "10.00"}, headers={"origin": "https://evil.example"})
    assert response.status_code == 403
    assert balance(hers) == Decimal(100)


def test_nobody_learns_whether_an_account_exists(
    charlie: Any, browser_of: Callable, hers: BankAccount, open_account: Callable
) -> None:
    browser, his = browser_of(charlie), open_account(charlie, "10.00")

    def page(url: str) -> tuple[int, str]:
        response = browser.get(url)
        return response.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())

    for name in ("account", "deposit", "withdraw", "account_close"):
        known, unknown = (page(reverse(name, args=[key])) for key in (hers.public_id, uuid.uuid4()))
        assert known == unknown
        assert known[0] == 404

    BankAccount.objects.filter(pk=hers.pk).update(status="frozen")
    answers = []
    for number in (hers.number, "1234567890" + check_digits("1234567890")):
        fields = {"source": his.public_id, "number": number, "amount": "1"}
        answers.append(browser.post(reverse("transfer_send"), fields).context["form"].errors)
    assert answers == [{"number": [sending.PayeeCannotReceive.text]}] * 2


@proves("V1.2.4")
@pytest.mark.parametrize(
    "text", ["'; DROP TABLE transfers_entry; --", '" OR 1=1 --', "%s %(x)s {0}", "\\x27", "😀" * 70]
)
def test_no_sql_reaches_the_database_and_no_error_of_it_the_client(
    alice: Any, browser_of: Callable, hers: BankAccount, text: str
) -> None:
    browser, entries = browser_of(alice), Entry.objects.count()
    fields = {"amount": "1.00", "description": text}
    review = browser.post(reverse("deposit", args=[hers.public_id]), fields)["Location"]
    assert browser.post(review).status_code == 302
    assert Entry.objects.count() == entries + 2
    assert Transaction.objects.order_by("pk").last().description == text  # type: ignore[union-attr]
    opening = {"key": uuid.uuid4(), "kind": "savings", "opening_deposit": "1.00"}
    for field in ("opening_deposit", "key", "kind"):
        response = browser.post(reverse("account_open"), opening | {field: text})
        assert response.status_code == 200
        for word in ("SELECT", "sqlite", "Traceback", "syntax error", "DatabaseError"):
            assert word not in response.content.decode()
    for query in (text, "1 OR 1=1"):
        assert browser.get(reverse("account", args=[hers.public_id]), {"older_than": query}).status_code == 200


def test_rate_limits_count_submits_not_page_loads(
    alice: Any, browser_of: Callable, hers: BankAccount, his: BankAccount
) -> None:
    browser = browser_of(alice)
    acts.know(alice, his)
    url = review_url(browser, hers, his, "1.00")
    for _ in range(30):
        assert browser.get(url).status_code == 200
    assert browser.post(url).status_code == 302


def test_rate_limits_do_not_believe_what_a_client_says_of_its_address(
    alice: Any, browser_of: Callable, hers: BankAccount, his: BankAccount
) -> None:
    """They count the user: neither a header nor another address gives five more."""
    browser, statuses = browser_of(alice), []
    acts.know(alice, his)
    for number in range(7):
        url = review_url(browser, hers, his, "1.00")
        statuses.append(browser.post(url, headers={"x-forwarded-for": f"10.0.0.{number}"}).status_code)
    assert statuses == [302] * 5 + [429] * 2
    with pytest.raises(TooOften):
        acts.transfer(actor=alice, source=hers, target=his, amount=Decimal(1), idempotency_key="by the service")


def test_a_description_is_not_rendered_as_html(
    alice: Any, charlie: Any, browser_of: Callable, hers: BankAccount, his: BankAccount
) -> None:
    """Least of all on the payee's pages and in the payee's mail."""
    from post_office.models import Email

    from foundation.outbox import expand_waiting

    attack = "<script>steal()</script><img src=x onerror=steal()>"
    order = acts.transfer(
        actor=alice, source=hers, target=his, amount=Decimal(1), description=attack, idempotency_key="a nasty one"
    )
    victim = browser_of(charlie)
    for url in (
        reverse("dashboard"),
        reverse("account", args=[his.public_id]),
        reverse("receipt", args=[order.public_id]),
    ):
        text = victim.get(url).content.decode()
        assert "<script>steal" not in text
        assert "<img src=x" not in text
    expand_waiting()
    mails = Email.objects.filter(message__contains="steal()")
    assert len(mails) == 2
    for mail in mails:
        assert "<script>steal" not in mail.html_message
        assert "&lt;script&gt;" in mail.html_message
