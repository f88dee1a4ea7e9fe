"""Sending money on pages: form, review, confirm, receipt, each a page of its own (R3.6)."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.account_numbers import check_digits
from accounts.models import AccountStatus, BankAccount, UserSession
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import TransferOrder
from transfers.orders import drafts, sending

SEND = "/transfer/send/"
OWN = "/transfer/own/"


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Client:
    return browser_of(alice)


@pytest.fixture
def review(browser: Client, everyday: BankAccount, bobs: BankAccount) -> Callable[..., str]:
    """Fill in the form to send money and return the URL of its review page."""

    def fill_in(amount: str = "12.00", number: str = "", **fields: Any) -> str:
        data = {"source": everyday.public_id, "number": number or bobs.number_grouped, "amount": amount}
        data["name"] = "Bob Brandt"
        response = browser.post(SEND, data | fields)
        assert response.status_code == 302, response.context["form"].errors
        return response["Location"]

    return fill_in


# --- The flow -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("known")
def test_form_review_confirm_receipt(
    browser: Client, review: Callable, everyday: BankAccount, bobs: BankAccount, balance_of: Callable, books: Callable
) -> None:
    before = books()
    url = review("12.00", description="Lunch")
    page = browser.get(url)
    text = page.content.decode()
    assert page.status_code == 200
    assert "12.00" in text
    assert "Lunch" in text
    assert everyday.masked_number in text
    assert bobs.masked_number in text
    assert page.context["review"]["balance_after"] == Decimal("88.00")
    assert page.context["review"]["remaining_after"] == Decimal("24988.00")
    assert books() == before  # nothing has been sent yet

    response = browser.post(url)
    order = TransferOrder.objects.get(kind="payment")
    assert (response.status_code, response["Location"]) == (302, reverse("receipt", args=[order.public_id]))
    assert [balance_of(everyday), balance_of(bobs)] == [Decimal("88.00"), Decimal("12.00")]
    assert order.transaction.reference in browser.get(response["Location"]).content.decode()  # type: ignore[union-attr]


def test_the_review_names_the_payee_in_full_once_the_name_was_right(
    browser: Client, review: Callable, bob: Any
) -> None:
    """R3.6: "Z•• O••••••" told nobody anything."""
    text = browser.get(review()).content.decode()
    assert "Bob Brandt" in text
    assert "The name matches." in text
    assert "•• B" not in text
    assert bob.email not in text


def test_a_transfer_between_own_accounts_takes_the_same_steps(
    browser: Client, everyday: BankAccount, savings: BankAccount, balance_of: Callable
) -> None:
    fields = {"source": everyday.public_id, "target": savings.public_id, "amount": "30"}
    url = browser.post(OWN, fields)["Location"]
    page = browser.get(url)
    assert "Holidays" in page.content.decode()
    assert page.context["review"]["remaining_after"] is None  # not limited (R3.9)
    assert balance_of(savings) == 0
    assert browser.post(url)["Location"].startswith("/receipts/")
    assert [balance_of(everyday), balance_of(savings)] == [Decimal(70), Decimal(30)]


def test_an_own_account_given_by_its_number_is_a_transfer_between_own_accounts(
    browser: Client, review: Callable, savings: BankAccount
) -> None:
    """R3.2: the owner of the target decides, not the form."""
    url = review(number=savings.number)
    assert browser.get(url).context["review"]["mode"] == "own"
    browser.post(url)
    assert TransferOrder.objects.get(target=savings).kind == "own"


@in_one_world("separator", ["", " ", "-", "  -  "])
def test_a_number_may_be_typed_with_spaces_and_hyphens(
    browser: Client, review: Callable, bobs: BankAccount, separator: str
) -> None:
    """R2.2."""
    number = separator.join(bobs.number_grouped.split())
    assert browser.get(review(number=number)).status_code == 200


def test_going_back_from_the_review_keeps_what_was_typed(
    browser: Client, review: Callable, everyday: BankAccount, savings: BankAccount, bobs: BankAccount
) -> None:
    url = review("12.00", description="Lunch")
    page = browser.get(browser.get(url).context["edit_url"])
    initial = page.context["form"].initial
    assert (initial["number"], initial["amount"], initial["description"]) == (bobs.number_grouped, "12.00", "Lunch")
    assert f'value="{bobs.number_grouped}"' in page.content.decode()

    fields = {"source": everyday.public_id, "target": savings.public_id, "amount": "30"}
    page = browser.get(browser.get(browser.post(OWN, fields)["Location"]).context["edit_url"])
    assert page.request["PATH_INFO"] == OWN
    assert page.context["form"].initial["target"] == savings.public_id


@in_one_world(
    "query", ["draft=nonsense", "draft=00000000-0000-4000-8000-000000000000", "from=nonsense", "from=", "draft="]
)
def test_nonsense_in_the_url_gives_an_empty_form(browser: Client, everyday: BankAccount, query: str) -> None:
    assert browser.get(f"{SEND}?{query}").status_code == 200


def test_the_form_starts_with_the_account_one_comes_from(
    browser: Client, everyday: BankAccount, savings: BankAccount
) -> None:
    text = browser.get(f"{SEND}?from={savings.public_id}").content.decode()
    assert f'value="{savings.public_id}" selected' in text


# --- Replays and forgeries ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("known")
def test_a_replayed_confirm_gives_the_same_receipt_and_moves_nothing(
    browser: Client, review: Callable, books: Callable
) -> None:
    """R3.5."""
    url = review()
    first = browser.post(url)["Location"]
    before = books()
    assert [browser.post(url)["Location"] for _ in range(3)] == [first] * 3
    assert browser.get(url)["Location"] == first
    assert books() == before


@pytest.mark.usefixtures("known")
def test_a_replayed_confirm_gives_the_receipt_even_when_its_draft_is_forgotten(
    browser: Client, review: Callable, alice: Any, browser_of: Callable, books: Callable
) -> None:
    """R3.5: "nothing was sent" would be wrong, and make people send again."""
    url = review()
    first = browser.post(url)["Location"]
    before = books()
    for again in (browser_of(alice).post(url), browser_of(alice).get(url)):
        assert again["Location"] == first
    assert books() == before


@in_one_world("method", ["get", "post"])
def test_a_stale_review_is_refused(browser: Client, review: Callable, books: Callable, method: str) -> None:
    url, before = review(), books()
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        UserSession.objects.update(last_seen_at=timezone.now())  # not idle: only the review is old
        response = getattr(browser, method)(url, follow=True)
    assert response.redirect_chain == [(SEND, 302)]
    assert "has expired, and nothing was sent" in response.content.decode()
    assert books() == before


@pytest.mark.usefixtures("known")
def test_a_review_is_good_for_a_quarter_of_an_hour(browser: Client, review: Callable) -> None:
    url = review()
    with time_machine.travel(timezone.now() + timedelta(minutes=14), tick=False):
        UserSession.objects.update(last_seen_at=timezone.now())
        assert browser.post(url)["Location"].startswith("/receipts/")


@pytest.mark.usefixtures("known")
def test_a_replay_of_a_stale_review_still_gives_its_receipt(browser: Client, review: Callable, books: Callable) -> None:
    url = review()
    first = browser.post(url)["Location"]
    before = books()
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        UserSession.objects.update(last_seen_at=timezone.now())
        assert browser.post(url)["Location"] == first
    assert books() == before


@proves("V2.3.1")
@in_one_world("method", ["get", "post"])
def test_a_forged_or_another_customers_draft_is_refused(
    charlie: Any, browser_of: Callable, browser: Client, review: Callable, books: Callable, method: str
) -> None:
    """R3.3: also after its owner has confirmed it."""
    others = review()
    stranger = browser_of(charlie)
    for _ in range(2):
        before = books()
        for url in (others, reverse("transfer_review", args=[uuid.uuid4()])):
            response = getattr(stranger, method)(url)
            assert (response.status_code, response["Location"]) == (302, SEND)
        assert books() == before
        browser.post(others)


@proves("V2.3.1")
@pytest.mark.usefixtures("known")
def test_what_is_confirmed_is_what_was_reviewed_whatever_the_request_says(
    browser: Client,
    review: Callable,
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    balance_of: Callable,
) -> None:
    """R3.3: nothing depends on hidden fields."""
    fields = {"amount": "99.00", "source": savings.public_id, "target": savings.public_id, "key": uuid.uuid4()}
    browser.post(review("12.00"), fields)
    assert [balance_of(everyday), balance_of(savings), balance_of(bobs)] == [Decimal(88), Decimal(0), Decimal(12)]


def test_only_the_last_ten_drafts_are_kept(browser: Client, review: Callable) -> None:
    urls = [review() for _ in range(drafts.MAX_DRAFTS + 1)]
    assert browser.get(urls[0])["Location"] == SEND
    assert [browser.get(url).status_code for url in urls[1:]] == [200] * drafts.MAX_DRAFTS


@proves("V14.2.4")
def test_no_account_number_lies_in_the_session(browser: Client, review: Callable, bobs: BankAccount) -> None:
    """R8.1."""
    review()
    assert str(bobs.number) not in str(dict(browser.session)).replace(" ", "")


# --- Refusals -----------------------------------------------------------------------------------------------


def test_a_source_that_is_not_ones_own_cannot_be_chosen(
    browser: Client, everyday: BankAccount, bobs: BankAccount, savings: BankAccount, books: Callable
) -> None:
    """R3.3; a peer's fault: another customer debiting your account."""
    before = books()
    response = browser.post(SEND, {"source": bobs.public_id, "number": everyday.number, "amount": "1"})
    assert list(response.context["form"].errors) == ["source"]
    response = browser.post(OWN, {"source": everyday.public_id, "target": bobs.public_id, "amount": "1"})
    assert list(response.context["form"].errors) == ["target"]
    assert books() == before


def unknown_number() -> str:
    return "9999999999" + check_digits("9999999999")


@proves("V2.4.1")
@in_one_world("status", ["unknown", AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_unknown_frozen_and_closed_payees_read_the_same(
    browser: Client, everyday: BankAccount, bobs: BankAccount, freeze: Callable, status: str
) -> None:
    """A peer's fault: telling whether an account exists."""
    if status != "unknown":
        freeze(bobs, AccountStatus(status))
    number = unknown_number() if status == "unknown" else bobs.number
    response = browser.post(SEND, {"source": everyday.public_id, "number": number, "amount": "1", "name": "Bob Brandt"})
    assert response.context["form"].errors == {"number": [sending.PayeeCannotReceive.text]}


@in_one_world("number", ["123456789012", "12", "١٢٣٤", "1234 5678 901x", "", "9" * 30])
def test_a_mistyped_number_is_refused_before_any_look_up(
    browser: Client, everyday: BankAccount, settings: Any, number: str
) -> None:
    """R2.2: it uses no place of the look-ups either."""
    settings.PAYEE_LOOKUPS_PER_HOUR = 0
    response = browser.post(SEND, {"source": everyday.public_id, "number": number, "amount": "1", "name": "Bob Brandt"})
    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["number"]


@proves("V2.4.1")
def test_payees_cannot_be_tried_out_without_end(
    browser: Client, everyday: BankAccount, bobs: BankAccount, settings: Any
) -> None:
    """R3.6: or the review page would name the owner of every number; known and unknown ones count alike."""
    settings.PAYEE_LOOKUPS_PER_HOUR = 3
    for number, status in ((unknown_number(), 200), (bobs.number, 302), (unknown_number(), 200), (bobs.number, 429)):
        response = browser.post(
            SEND, {"source": everyday.public_id, "number": number, "amount": "1", "name": "Bob Brandt"}
        )
        assert response.status_code == status
    assert int(response["Retry-After"]) > 3000


def test_the_same_account_is_refused_on_both_forms(
    browser: Client, everyday: BankAccount, savings: BankAccount
) -> None:
    """R3.3."""
    response = browser.post(SEND, {"source": everyday.public_id, "number": everyday.number_grouped, "amount": "1"})
    assert response.context["form"].errors == {"number": [sending.SameAccount.text]}
    response = browser.post(OWN, {"source": everyday.public_id, "target": everyday.public_id, "amount": "1"})
    assert list(response.context["form"].errors) == ["target"]


def test_too_much_is_said_at_the_amount_before_the_review(
    browser: Client, alice: Any, everyday: BankAccount, bobs: BankAccount, open_account: Callable
) -> None:
    """R3.9, R10.2: an early message; the service decides."""
    rich = open_account(alice, "90000.00")
    fields = {"source": everyday.public_id, "number": bobs.number, "amount": "100.01", "name": "Bob Brandt"}
    response = browser.post(SEND, fields)
    assert list(response.context["form"].errors) == ["amount"]
    response = browser.post(SEND, fields | {"source": rich.public_id, "amount": "25000.01"})
    assert response.context["form"].errors == {"amount": ["This is more than remains of your daily limit."]}
    assert browser.post(SEND, fields | {"source": rich.public_id, "amount": "25000"}).status_code == 302
    # Between own accounts nothing is limited.
    fields = {"source": rich.public_id, "number": everyday.number, "amount": "60000"}
    assert browser.post(SEND, fields).status_code == 302


@pytest.mark.usefixtures("known")
@in_one_world(
    ("case", "words"),
    [("spent", "not enough money"), ("payee frozen", "cannot send money"), ("source frozen", "not active")],
)
def test_what_changed_since_the_review_is_refused_at_the_confirm(
    browser: Client,
    review: Callable,
    alice: Any,
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    freeze: Callable,
    books: Callable,
    case: str,
    words: str,
) -> None:
    """R3.3: nothing depends on the order of steps."""
    url = review("12.00")
    if case == "spent":
        acts.transfer(actor=alice, source=everyday, target=savings, amount=Decimal(99), idempotency_key="spent-it")
    else:
        freeze(bobs if case == "payee frozen" else everyday)
    before = books()
    response = browser.post(url, follow=True)
    assert response.redirect_chain == [(f"{SEND}?draft={url.split('/')[-2]}", 302)]
    text = response.content.decode()
    assert words in text
    assert "Nothing was sent." in text
    assert books() == before


@pytest.mark.usefixtures("known")
def test_the_sixth_transfer_of_a_minute_is_429(
    browser: Client, review: Callable, books: Callable, everyday: BankAccount
) -> None:
    """R3.9."""
    for _ in range(5):
        assert browser.post(review("1.00")).status_code == 302
    url, before = review("1.00"), books()
    response = browser.post(url)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert books() == before
    for _ in range(20):  # looking is not sending: a peer's fault was to count page loads
        assert browser.get(SEND).status_code == 200


# --- Who has enough accounts --------------------------------------------------------------------------------


def test_without_accounts_the_pages_say_what_comes_next(
    charlie: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    """R10.3."""
    client = browser_of(charlie)
    for url in (SEND, OWN):
        response = client.get(url)
        assert response.status_code == 200
        assert not response.context["has_enough_accounts"]
    assert reverse("account_open") in client.get(OWN).content.decode()


def test_frozen_and_closed_accounts_are_not_offered(
    browser: Client, everyday: BankAccount, savings: BankAccount, freeze: Callable
) -> None:
    """R2.3."""
    freeze(savings)
    for url in (SEND, OWN):
        assert str(savings.public_id) not in browser.get(url).content.decode()
    assert not browser.get(OWN).context["has_enough_accounts"]


def test_html_in_a_description_is_text_on_the_review(browser: Client, review: Callable) -> None:
    """R8.3."""
    text = browser.get(review(description="<b>bold</b>")).content.decode()
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text
