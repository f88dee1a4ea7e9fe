"""Deposit, withdraw, open and close on pages: who sees them, what they refuse, what they keep (R1.7, R3.2, R3.3)."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AccountKind, AccountStatus, BankAccount
from foundation.limiter import limiter
from tests import acts
from tests.tables import in_one_world
from transfers.accounts import opening
from transfers.models import TransferOrder

BAD_AMOUNTS = [
    "NaN",
    "1e3",
    "-5",
    "0",
    "0.00",
    "0.001",
    "１２",
    "1" + "0" * 20,
    "Infinity",
    "-Infinity",
    "+5",
    "1,5050",
    "0x10",
    "5 00",
    "",
]


@dataclass(frozen=True)
class Page:
    """A page with a form for an amount: its address, the amount's field, and good values for the other fields."""

    url: str
    field: str
    fields: dict[str, Any]


@pytest.fixture
def pages(everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> dict[str, Page]:
    ids = [everyday.public_id]
    sides = {"source": everyday.public_id, "description": "Typed text"}
    return {
        "deposit": Page(reverse("deposit", args=ids), "amount", {"description": "Typed text"}),
        "withdraw": Page(reverse("withdraw", args=ids), "amount", {"description": "Typed text"}),
        "own": Page(reverse("transfer_own"), "amount", sides | {"target": savings.public_id}),
        "send": Page(reverse("transfer_send"), "amount", sides | {"number": bobs.number_grouped, "name": "Bob Brandt"}),
        "open": Page(
            reverse("account_open"),
            "opening_deposit",
            {"key": uuid.uuid4(), "kind": "savings", "nickname": "Typed text"},
        ),
    }


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Client:
    """Alice is signed in."""
    return browser_of(alice)


PAGES = in_one_world("name", ["deposit", "withdraw", "own", "send", "open"])

# --- Amounts ------------------------------------------------------------------------------------------------


@in_one_world(
    ("name", "amount"),
    [
        (name, amount)
        for name in ("deposit", "withdraw", "own", "send", "open")
        for amount in BAD_AMOUNTS
        if name != "open" or amount not in {"", "0", "0.00"}  # an account may be opened without a deposit
    ],
)
def test_a_bad_amount_is_refused_at_its_field_and_what_was_typed_is_kept(
    browser: Client, pages: dict[str, Page], books: Callable, name: str, amount: str
) -> None:
    """R3.2."""
    page = pages[name]
    before, accounts = books(), BankAccount.objects.count()
    response = browser.post(page.url, page.fields | {page.field: amount})
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [page.field]
    text = response.content.decode()
    assert "data-error-summary" in text
    assert "Typed text" in text
    assert f'value="{amount[:40]}"' in text or not amount
    assert books() == before
    assert BankAccount.objects.count() == accounts


@PAGES
def test_a_good_amount_is_taken(browser: Client, pages: dict[str, Page], name: str) -> None:
    """R3.2: so that the refusals above are about the amount."""
    page = pages[name]
    response = browser.post(page.url, page.fields | {page.field: " 12.50 "})
    assert response.status_code == 302


@PAGES
def test_get_changes_nothing_and_puts_no_amount_from_the_url_into_the_books(
    browser: Client, pages: dict[str, Page], books: Callable, name: str
) -> None:
    """A peer's fault: a state change by GET."""
    page = pages[name]
    before, accounts = books(), BankAccount.objects.count()
    assert browser.get(page.url, page.fields | {page.field: "12.50"}).status_code == 200
    assert browser.head(page.url).status_code in {200, 405}
    for method in ("put", "patch", "delete"):
        assert getattr(browser, method)(page.url, page.fields | {page.field: "12.50"}).status_code == 405
    assert books() == before
    assert BankAccount.objects.count() == accounts


# --- Who sees what ------------------------------------------------------------------------------------------

# tests/access/test_walk.py tests, for every page, who may open it.

OF_AN_ACCOUNT = ["account", "account_close", "account_settings", "deposit", "withdraw", "statements"]
OF_AN_ORDER = ["receipt", "receipt_pdf"]
READ_ONLY = {"account", "statements", *OF_AN_ORDER}


@in_one_world("method", ["get", "post"])
@in_one_world("name", [*OF_AN_ACCOUNT, *OF_AN_ORDER])
def test_a_strangers_account_and_receipt_do_not_exist(
    charlie: Any, browser_of: Callable, everyday: BankAccount, books: Callable, name: str, method: str
) -> None:
    """R1.7: 404, the same page as for things that do not exist."""
    before = books()
    client = browser_of(charlie)
    known = TransferOrder.objects.get(target=everyday) if name in OF_AN_ORDER else everyday
    fields = {"key": str(uuid.uuid4()), "amount": "1.00"} if method == "post" else {}
    response = getattr(client, method)(reverse(name, args=[known.public_id]), fields)
    if method == "post" and name in READ_ONLY:
        assert response.status_code == 405
    else:
        assert response.status_code == 404
        unknown = getattr(client, method)(reverse(name, args=[uuid.uuid4()]), fields)
        assert unknown.status_code == 404
        for page in (response, unknown):
            assert everyday.masked_number not in page.content.decode()
        assert len(unknown.content) == len(response.content)
    assert books() == before
    everyday.refresh_from_db()
    assert everyday.status == AccountStatus.ACTIVE


def test_a_password_alone_opens_no_money_page(
    make_user: Callable, open_account: Callable, browser_of: Callable, books: Callable
) -> None:
    """R1.3: two-factor is mandatory."""
    user = make_user("Dora", two_factor=False)
    account = open_account(user, "5.00")
    before = books()
    for name in ("deposit", "withdraw", "account"):
        response = browser_of(user).post(
            reverse(name, args=[account.public_id]), {"key": uuid.uuid4(), "amount": "1.00"}
        )
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("sign_in"))
    assert books() == before


# --- Deposit and withdraw -----------------------------------------------------------------------------------


@in_one_world(("name", "after"), [("deposit", "112.50"), ("withdraw", "87.50")])
def test_cash_goes_in_and_out_after_a_review_and_once_however_often_that_is_confirmed(
    browser: Client,
    pages: dict[str, Page],
    everyday: BankAccount,
    books: Callable,
    balance_of: Callable,
    name: str,
    after: str,
) -> None:
    """R3.2, R3.5, R3.6: nothing moves before the review is confirmed; then redirect to the receipt, and a double click
    is the same request."""
    page, before = pages[name], books()
    review = browser.post(page.url, page.fields | {"amount": "12.50"})["Location"]
    shown = browser.get(review).content.decode()
    for words in ("simulated cash", "€12.50", "Typed text", f"€{after}", everyday.masked_number):
        assert words in shown
    assert books() == before
    targets = {browser.post(review)["Location"] for _ in range(2)}
    assert balance_of(everyday) == Decimal(after)
    (receipt,) = targets
    text = browser.get(receipt).content.decode()
    assert "12.50" in text
    assert TransferOrder.objects.order_by("pk").last().transaction.reference in text  # type: ignore[union-attr]


def test_every_page_that_is_shown_afresh_has_a_key_of_its_own(browser: Client, pages: dict[str, Page]) -> None:
    """R3.5: or two deposits of the same amount would be one."""
    texts = [browser.get(pages["open"].url).content.decode() for _ in range(2)]
    keys = [re.findall(r'name="key" value="([0-9a-f-]{36})"', text) for text in texts]
    assert len(keys[0]) == len(keys[1]) == 1
    assert keys[0] != keys[1]
    for name in ("deposit", "withdraw"):
        page = pages[name]
        reviews = {browser.post(page.url, page.fields | {"amount": "1.00"})["Location"] for _ in range(2)}
        assert len(reviews) == 2


@in_one_world("key", ["", "1", "../../x", "not-a-uuid"])
def test_a_form_without_a_good_key_is_refused(
    browser: Client, pages: dict[str, Page], books: Callable, key: str
) -> None:
    """R3.5."""
    before = books()
    page = pages["open"]
    response = browser.post(page.url, page.fields | {"opening_deposit": "1.00", "key": key})
    assert response.status_code == 200
    assert "key" in response.context["form"].errors
    assert books() == before


@in_one_world(
    ("case", "words"),
    [
        ("funds", "not enough money"),
        ("limit", "daily limit"),
        ("frozen", "is frozen"),
        ("counter", "at the counter"),
    ],
)
def test_a_refused_withdrawal_says_why_and_keeps_what_was_typed(
    browser: Client,
    pages: dict[str, Page],
    everyday: BankAccount,
    freeze: Callable,
    settings: Any,
    books: Callable,
    case: str,
    words: str,
) -> None:
    """R3.3."""
    page = pages["withdraw"]
    amount = {"funds": "100.01"}.get(case, "42.17")
    if case == "limit":
        settings.DAILY_TRANSFER_LIMIT = Decimal(40)
    if case == "frozen":
        freeze(everyday)
    if case == "counter":
        settings.SELF_SERVICE_CASH = False
    before = books()
    response = browser.post(page.url, page.fields | {"amount": amount})
    assert response.status_code == 200
    text = response.content.decode()
    assert words in text
    assert f'value="{amount}"' in text
    assert "Typed text" in text
    assert books() == before


@in_one_world(
    ("name", "case", "words"),
    [
        ("deposit", "frozen", "not active"),
        ("deposit", "counter", "at the counter"),
        ("deposit", "most", "You can pay in €30.00 a day yourself"),
        ("withdraw", "frozen", "not active"),
        ("withdraw", "funds", "not enough money"),
    ],
)
def test_what_has_changed_since_the_review_goes_back_to_the_form_and_moves_nothing(
    browser: Client, pages: dict[str, Page], everyday: BankAccount, freeze: Callable, hold: Callable, settings: Any,
    books: Callable, name: str, case: str, words: str,
) -> None:  # fmt: skip
    """R3.3: the review decides nothing."""
    page = pages[name]
    review = browser.post(page.url, page.fields | {"amount": "42.17"})["Location"]
    if case == "frozen":
        freeze(everyday)
    if case == "counter":
        settings.SELF_SERVICE_CASH = False
    if case == "most":
        settings.CASH_IN_DAILY_LIMIT = Decimal(30)
    if case == "funds":
        hold(everyday, "60.00")
    before = books()
    answer = browser.post(review, follow=True)
    ((form_url, _),) = answer.redirect_chain
    assert form_url.startswith(f"{page.url}?draft=")
    text = answer.content.decode()
    assert words in text
    assert "Nothing was paid" in text
    assert answer.context["form"].initial["amount"] == "42.17"
    assert books() == before


@in_one_world("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}"])
def test_what_a_customer_writes_is_shown_as_text(
    browser: Client, pages: dict[str, Page], text: str, everyday: BankAccount
) -> None:
    """R8.3: on the form again, on the review, on the receipt, in the history, on the dashboard."""
    page = pages["deposit"]
    again = browser.post(page.url, page.fields | {"amount": "x", "description": text, "nickname": text})
    review = browser.post(page.url, page.fields | {"amount": "1.00", "description": text})["Location"]
    BankAccount.objects.filter(pk=everyday.pk).update(nickname=text[:40])
    reviewed, receipt = browser.get(review), browser.post(review)["Location"]
    urls = (receipt, everyday_url(everyday), reverse("dashboard"))
    shown = [again, *(browser.get(url) for url in urls), reviewed]
    for response in shown:
        html = response.content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert ">14<" not in html
    assert "&lt;" in shown[1].content.decode() or "{{ 7|add:7 }}" in shown[1].content.decode()


def everyday_url(account: BankAccount) -> str:
    return reverse("account", args=[account.public_id])


@in_one_world("text", ["a" * 141, "tab\x00null", "reversed \u202e text"])
def test_a_description_that_cannot_be_shown_is_refused_at_its_field(
    browser: Client, pages: dict[str, Page], books: Callable, text: str
) -> None:
    before = books()
    for name in ("deposit", "withdraw", "own", "send"):
        page = pages[name]
        response = browser.post(page.url, page.fields | {"amount": "1.00", "description": text})
        assert list(response.context["form"].errors) == ["description"]
    assert books() == before


# --- Open and close -----------------------------------------------------------------------------------------


def test_an_account_is_opened_once_and_shown(alice: Any, browser_of: Callable) -> None:
    """R2.1, R3.5."""
    client = browser_of(alice)
    fields = {"key": uuid.uuid4(), "kind": "savings", "nickname": "Bike", "opening_deposit": "20"}
    targets = {client.post(reverse("account_open"), fields)["Location"] for _ in range(2)}
    account = BankAccount.objects.get(owner=alice)
    assert targets == {everyday_url(account)}
    assert (account.kind, account.nickname, account.balance) == (AccountKind.SAVINGS, "Bike", Decimal(20))
    text = client.get(everyday_url(account)).content.decode()
    assert account.number_grouped in text  # in full on its own page (R2.2)
    assert account.number_grouped not in client.get(reverse("dashboard")).content.decode()


@in_one_world("kind", ["cash", "fees", "gold", ""])
def test_only_a_customers_kinds_of_account_can_be_chosen(alice: Any, browser_of: Callable, kind: str) -> None:
    response = browser_of(alice).post(reverse("account_open"), {"key": uuid.uuid4(), "kind": kind})
    assert list(response.context["form"].errors) == ["kind"]
    assert not BankAccount.objects.filter(owner=alice).exists()


def test_too_many_accounts_are_refused_in_words(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any
) -> None:
    settings.MAX_OPEN_ACCOUNTS = 1
    response = browser_of(alice).post(reverse("account_open"), {"key": uuid.uuid4(), "kind": "savings"})
    assert opening.TooManyAccounts.text in response.content.decode()
    assert BankAccount.objects.filter(owner=alice).count() == 1


def test_too_many_tries_at_opening_and_closing_are_429(
    alice: Any, browser_of: Callable, everyday: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_TRIES", limiter.Limit(times=2, window_seconds=3600))
    client = browser_of(alice)
    opened = [client.post(reverse("account_open"), {"key": uuid.uuid4(), "kind": "savings"}) for _ in range(2)]
    closed = [client.post(reverse("account_close", args=[everyday.public_id])) for _ in range(3)]
    assert [answer.status_code for answer in (*opened, *closed)] == [302, 429, 200, 200, 429]


def test_without_self_service_cash_there_is_no_deposit_on_the_pages(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any
) -> None:
    """R3.2."""
    settings.SELF_SERVICE_CASH = False
    client = browser_of(alice)
    assert "opening_deposit" not in client.get(reverse("account_open")).content.decode()
    fields = {"key": uuid.uuid4(), "kind": "savings", "opening_deposit": "5.00"}
    assert client.post(reverse("account_open"), fields).status_code == 302
    assert BankAccount.objects.get(owner=alice, kind="savings").balance == 0
    for url in (everyday_url(everyday), reverse("dashboard")):
        assert reverse("deposit", args=[everyday.public_id]) not in client.get(url).content.decode()


def test_an_empty_account_is_closed_from_its_page(
    alice: Any, browser_of: Callable, savings: BankAccount, everyday: BankAccount
) -> None:
    """R2.3."""
    client, url = browser_of(alice), reverse("account_close", args=[savings.public_id])
    assert client.get(url).context["can_close"]
    savings.refresh_from_db()
    assert savings.status == AccountStatus.ACTIVE
    assert client.post(url)["Location"] == reverse("dashboard")
    savings.refresh_from_db()
    assert savings.status == AccountStatus.CLOSED
    shown = client.get(reverse("dashboard")).context["accounts"]
    assert [item["account"] for item in shown] == [everyday]
    assert client.get(everyday_url(savings)).status_code == 200  # its history stays


@in_one_world(
    ("case", "words"),
    [("money", "balance is zero"), ("frozen", "frozen"), ("closed", "closed already")],
)
def test_an_account_that_cannot_be_closed_says_why(
    alice: Any, browser_of: Callable, everyday: BankAccount, freeze: Callable, case: str, words: str
) -> None:
    """R2.3: on GET, and when it is posted all the same."""
    if case != "money":
        freeze(everyday, AccountStatus.FROZEN if case == "frozen" else AccountStatus.CLOSED)
    client, url = browser_of(alice), reverse("account_close", args=[everyday.public_id])
    status = BankAccount.objects.get(pk=everyday.pk).status
    page = client.get(url)
    assert words in page.content.decode()
    assert "<form" not in page.content.decode().partition("<main")[2].partition("</main")[0]
    assert client.post(url).status_code == 200
    assert BankAccount.objects.get(pk=everyday.pk).status == status


# --- Receipts -----------------------------------------------------------------------------------------------


def test_a_receipt_is_for_either_side_and_shows_no_full_number(
    alice: Any, bob: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """R3.6."""
    order = acts.transfer(
        actor=alice, source=everyday, target=bobs, amount=Decimal("7.10"), description="Book", idempotency_key=new_key()
    )
    assert order.transaction is not None
    for user, other in ((alice, "Bob Brandt"), (bob, "Alice Archer")):
        text = browser_of(user).get(reverse("receipt", args=[order.public_id])).content.decode()
        for shown in ("7.10", "Book", order.transaction.reference, everyday.masked_number, bobs.masked_number, other):
            assert shown in text
        for number in (everyday.number, bobs.number):
            assert number not in text.replace(" ", "")


def test_the_other_side_sees_no_receipt_of_money_that_has_not_moved(
    alice: Any, bob: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """R3.10: the payee does not see a held order."""
    order = acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal("7.10"), idempotency_key=new_key())
    TransferOrder.objects.filter(pk=order.pk).update(state="held", transaction=None)
    url = reverse("receipt", args=[order.public_id])
    assert browser_of(bob).get(url).status_code == 404
    assert "Being checked" in browser_of(alice).get(url).content.decode()


def test_a_full_minute_is_a_page_with_retry_after(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any, books: Callable
) -> None:
    """R3.9: 429 and a clear message."""
    settings.DEPOSITS_PER_MINUTE = 1
    client, before = browser_of(alice), books()
    url = client.post(reverse("deposit", args=[everyday.public_id]), {"amount": "1.00"})["Location"]
    response = client.post(url)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert "Try again in" in response.content.decode()
    assert books() == before
    assert client.get(url).status_code == 200  # looking is not counted
