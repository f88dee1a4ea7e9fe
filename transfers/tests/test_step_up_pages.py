"""The code that a payment needs, on the pages: asked for at the review, for what was reviewed (R3.6, R1.8)."""

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
from django.views.debug import SafeExceptionReporterFilter

from accounts.models import BankAccount, User
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import StepUpChallenge, TransferOrder

SEND = "/transfer/send/"


@pytest.fixture
def browser(alice: User, browser_of: Callable) -> Client:
    return browser_of(alice)


@pytest.fixture
def review(browser: Client, household: BankAccount, bobs: BankAccount) -> Callable[..., str]:
    """Fill in the form to send money and return the address of its review page."""

    def fill_in(amount: str = "12.00") -> str:
        answer = browser.post(
            SEND, {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": amount}
        )
        assert answer.status_code == 302, answer.context["form"].errors
        return answer["Location"]

    return fill_in


@pytest.fixture
def cash_page(household: BankAccount) -> str:
    return reverse("withdraw", args=[household.public_id])


@pytest.fixture
def take_out(browser: Client, cash_page: str) -> Callable[[str], Any]:
    """Fill in the form to withdraw and send it."""

    def fill_in(amount: str) -> Any:
        return browser.post(cash_page, {"amount": amount, "description": "For the market"})

    return fill_in


def confirm(browser: Client, url: str, code: str) -> Any:
    """Give a code on the page that asks for it, as a browser does: with the page's hidden field."""
    return browser.post(url, challenge_in(browser, url) | {"code": code})


def challenge_in(browser: Client, url: str) -> dict[str, str]:
    """Return the hidden field of the page."""
    return {"challenge": browser.get(url).context["form"].initial["challenge"]}


# --- Sending ------------------------------------------------------------------------------------------------------


def test_the_review_of_a_first_payment_asks_for_a_code_and_says_why(
    alice: User, browser: Client, review: Callable, code_of: Callable, balance_of: Callable, bobs: BankAccount
) -> None:
    url = review()
    text = browser.get(url).content.decode()
    assert "A first transfer to an account needs a code." in text
    assert "Never tell it to anybody." in text
    assert 'autocomplete="one-time-code"' in text
    answer = confirm(browser, url, code_of(alice))
    assert answer["Location"].startswith("/receipts/")
    assert balance_of(bobs) == 12


def test_a_known_payee_within_the_amount_is_confirmed_without_a_code(
    browser: Client, known: BankAccount, review: Callable
) -> None:
    url = review("999.00")
    assert "one-time-code" not in browser.get(url).content.decode()
    assert browser.post(url)["Location"].startswith("/receipts/")


@in_one_world("sent", [{}, {"code": ""}, {"code": "  "}])
def test_without_the_code_nothing_goes_out(
    browser: Client, review: Callable, books: Callable, sent: dict[str, str]
) -> None:
    url, before = review(), books()
    page = browser.post(url, sent)
    assert page.status_code == 200
    assert "Enter the code." in page.content.decode()
    assert books() == before


def test_a_wrong_code_is_said_at_its_field(
    alice: User, browser: Client, review: Callable, books: Callable, code_of: Callable
) -> None:
    url, before = review(), books()
    page = confirm(browser, url, acts.wrong_code_for(code_of(alice)))
    assert page.context["form"].errors["code"] == [
        "This code is not right, or was used already. Wait for the next one, and check that your phone’s clock is"
        " right."
    ]
    assert books() == before


def test_after_too_many_wrong_codes_the_page_says_how_long_to_wait(
    alice: User, browser: Client, review: Callable, code_of: Callable, books: Callable
) -> None:
    balances = books().balances
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(5):
            confirm(browser, review(), acts.wrong_code_for(code_of(alice)))
            clock.shift(timedelta(seconds=40))
        answer = confirm(browser, review(), code_of(alice))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert books().balances == balances


def test_two_minutes_later_the_page_asks_for_another_code(
    alice: User, browser: Client, review: Callable, code_of: Callable, books: Callable
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        url, before = review(), books()
        clock.shift(timedelta(seconds=121))
        page = browser.post(url, challenge_in(browser, url) | {"code": code_of(alice)}, follow=True)
        assert page.redirect_chain == [(url, 302)]
        assert "The time for this code is over" in page.content.decode()
        assert books() == before
        assert confirm(browser, url, code_of(alice))["Location"].startswith("/receipts/")


def test_what_other_payments_have_used_up_meanwhile_is_noticed_at_the_confirm(
    alice: User, browser: Client, known: BankAccount, household: BankAccount, review: Callable, code_of: Callable
) -> None:
    url = review("600.00")
    acts.transfer(
        actor=alice, source=household, target=known, amount=Decimal("400.01"), idempotency_key="in another window"
    )
    page = browser.post(url, follow=True)
    assert page.redirect_chain == [(url, 302)]
    assert "Once more than €1,000.00 goes out without a code" in page.content.decode()
    assert confirm(browser, url, code_of(alice))["Location"].startswith("/receipts/")


def test_a_changed_draft_needs_a_code_of_its_own(
    alice: User, browser: Client, review: Callable, code_of: Callable, books: Callable
) -> None:
    """Shows 2: the code given at one review is used up there, and does nothing for another."""
    first = review("10.00")
    second, code = review("20.00"), code_of(alice)
    assert confirm(browser, first, code)["Location"].startswith("/receipts/")
    before = books()
    assert "Once more" not in browser.get(second).content.decode()
    page = confirm(browser, second, code)
    assert page.context["form"].errors["code"]
    assert books() == before


def test_a_second_click_gets_the_same_receipt(
    alice: User, browser: Client, review: Callable, code_of: Callable
) -> None:
    url, code = review(), code_of(alice)
    fields = challenge_in(browser, url) | {"code": code}
    answers = [browser.post(url, fields)["Location"] for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert TransferOrder.objects.filter(kind="payment").count() == 1


@proves("V7.5.3")
def test_a_stolen_session_without_the_device_pays_no_stranger(
    alice: User, browser: Client, review: Callable, take_out: Callable, books: Callable
) -> None:
    """Shows 2, for any POST and any address that it knows."""
    url, balances = review("0.01"), books().balances
    for code in ("000000", "123456", "", "ABCD-EFGH-JKMN"):
        confirm(browser, url, code)
        browser.post(url, {"code": code, "challenge": str(StepUpChallenge.objects.latest("pk").public_id)})
        browser.post(take_out("1000.01")["Location"], {"code": code})
    assert books().balances == balances


def test_in_demo_mode_the_code_stands_beside_its_field(browser: Client, review: Callable, settings: Any) -> None:
    settings.DEMO = True
    page = browser.get(review())
    assert confirm(browser, page.wsgi_request.path, page.context["demo_code"])["Location"].startswith("/receipts/")


# --- Cash -----------------------------------------------------------------------------------------------------------


def test_a_large_withdrawal_is_confirmed_by_a_code_on_a_page_of_its_own(
    alice: User, browser: Client, take_out: Callable, code_of: Callable, household: BankAccount, balance_of: Callable
) -> None:
    answer = take_out("1000.01")
    page = browser.get(answer["Location"])
    text = page.content.decode()
    for shown in (
        "You are taking out simulated cash",
        "€1,000.01",
        "For the market",
        "Once more than €1,000.00 goes out",
    ):
        assert shown in text
    assert balance_of(household) == 20_000
    receipt = confirm(browser, answer["Location"], code_of(alice))["Location"]
    assert receipt.startswith("/receipts/")
    assert balance_of(household) == Decimal("18999.99")
    again = browser.get(answer["Location"], follow=True)
    assert again.redirect_chain == [(receipt, 302)]
    assert "made already" in again.content.decode()


def test_a_small_withdrawal_is_reviewed_too_and_needs_no_code(
    browser: Client, take_out: Callable, household: BankAccount, balance_of: Callable
) -> None:
    """R3.2: nothing leaves before it was reviewed."""
    url = take_out("1000.00")["Location"]
    assert "one-time-code" not in browser.get(url).content.decode()
    assert balance_of(household) == 20_000
    assert browser.post(url)["Location"].startswith("/receipts/")
    assert balance_of(household) == 19_000


def test_changing_a_withdrawal_keeps_what_was_typed_and_needs_its_own_code(
    browser: Client, take_out: Callable, code_of: Callable, alice: User
) -> None:
    url = take_out("1000.01")["Location"]
    edit_url = browser.get(url).context["edit_url"]
    form = browser.get(edit_url).context["form"]
    assert (form.initial["amount"], form.initial["description"]) == ("1000.01", "For the market")
    answer = browser.post(edit_url, {"amount": "5000.00", "description": ""})
    assert answer["Location"] != url
    assert browser.get(answer["Location"]).context["review"]["amount"] == 5000


@proves("V2.3.1")
def test_what_a_page_shows_is_what_its_code_pays_out(
    alice: User, browser: Client, cash_page: str, code_of: Callable, household: BankAccount, balance_of: Callable
) -> None:
    """The form is sent again, changed, from another window (Back): the page that still shows the first amount pays that
    amount, or nothing."""
    first = browser.post(cash_page, {"amount": "1200.00", "description": ""})["Location"]
    shown = browser.get(first).context["form"].initial["challenge"]
    second = browser.post(cash_page, {"amount": "9000.00", "description": ""})["Location"]
    assert second != first
    browser.post(first, {"challenge": shown, "code": code_of(alice)})
    assert balance_of(household) == 20_000 - 1200


@proves("V2.3.1")
@in_one_world("sent", [{}, {"challenge": ""}, {"challenge": "0"}, {"challenge": str(uuid.uuid4())}])
def test_a_code_without_the_challenge_of_its_page_does_nothing(
    alice: User, browser: Client, review: Callable, code_of: Callable, books: Callable, sent: dict[str, str]
) -> None:
    url, before = review(), books()
    assert browser.post(url, sent | {"code": code_of(alice)}).status_code in {200, 302}
    assert books() == before


@proves("V2.3.1")
def test_a_key_that_is_another_drafts_leaves_that_draft_alone(
    browser: Client, review: Callable, cash_page: str
) -> None:
    url = review()
    key = url.rstrip("/").rpartition("/")[2]
    browser.post(cash_page, {"key": key, "amount": "1200.00", "description": ""})
    assert browser.get(url).context["review"]["amount"] == 12


def test_a_withdrawal_page_of_another_account_or_browser_says_it_has_expired(
    alice: User, browser: Client, browser_of: Callable, take_out: Callable, everyday: BankAccount
) -> None:
    url = take_out("1000.01")["Location"]
    draft_id = url.rstrip("/").rpartition("/")[2]
    elsewhere = reverse("withdraw_confirm", args=[everyday.public_id, draft_id])
    for client, address in ((browser, elsewhere), (browser_of(alice), url)):
        page = client.get(address, follow=True)
        assert "has expired, and nothing was paid out" in page.content.decode()


def test_a_withdrawal_draft_is_no_transfer(browser: Client, take_out: Callable) -> None:
    draft_id = take_out("1000.01")["Location"].rstrip("/").rpartition("/")[2]
    page = browser.get(reverse("transfer_review", args=[draft_id]), follow=True)
    assert page.redirect_chain == [(SEND, 302)]
    assert browser.get(f"{SEND}?draft={draft_id}").context["form"].initial.get("number", "") == ""


def test_a_stranger_finds_no_withdrawal_to_confirm(charlie: User, browser_of: Callable, take_out: Callable) -> None:
    url = take_out("1000.01")["Location"]
    for method in ("get", "post"):
        assert getattr(browser_of(charlie), method)(url, {"code": "123456"}).status_code == 404


@proves("V16.2.5")
def test_a_fault_shows_no_code_in_its_report(
    alice: User, browser: Client, review: Callable, code_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R9.5: Django's error report holds no typed text.
    seen: list[Any] = []

    def fail(request: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(request)
        raise RuntimeError("boom")

    url, code = review(), code_of(alice)
    monkeypatch.setattr("transfers.views.confirming.draft_or_elsewhere", fail)
    browser.raise_request_exception = False
    assert browser.post(url, {"code": code, "challenge": "c"}).status_code == 500
    cleansed = SafeExceptionReporterFilter().get_post_parameters(seen[0])
    assert set(cleansed.values()) == {SafeExceptionReporterFilter.cleansed_substitute}


# --- After a reset by staff ---------------------------------------------------------------------------------


@pytest.fixture
def hardened(alice: User) -> None:
    alice.hardened_at = timezone.now()
    alice.save()


@pytest.mark.usefixtures("hardened")
def test_the_pages_say_what_waits_and_until_when(
    browser: Client, household: BankAccount, bobs: BankAccount, cash_page: str, take_out: Callable
) -> None:
    form = {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": "1.00"}
    (error,) = browser.post(SEND, form).context["form"].non_field_errors()
    assert "wait 24 hours: until" in error
    page = browser.get(cash_page)
    assert "wait 24 hours: until" in page.context["why_not"]
    assert "until" in page.content.decode()


@pytest.mark.usefixtures("hardened")
def test_a_deposit_does_not_wait(browser: Client, household: BankAccount) -> None:
    assert browser.get(reverse("deposit", args=[household.public_id])).context["why_not"] == ""
