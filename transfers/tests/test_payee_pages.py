"""Payees on pages: the list, and the few offered where money is sent (R3.6)."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import BankAccount
from foundation.models import RateWindow
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import Payee
from transfers.payees import services as service

SEND = "/transfer/send/"
LIST = "/payees/"


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Client:
    return browser_of(alice)


@pytest.fixture
def payee(alice: Any, everyday: BankAccount, bobs: BankAccount, new_key: Callable) -> Payee:
    """Bob's account, which Alice has paid."""
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(1), idempotency_key=new_key())
    return Payee.objects.get()


def lookups(user: Any) -> int:
    return sum(len(row.stamps) for row in RateWindow.objects.filter(key=f"payee:{user.pk}"))


# --- The list -------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_comes_next(browser: Client) -> None:
    """R10.3."""
    text = browser.get(LIST).content.decode()
    assert "You have not paid anybody yet" in text
    assert f'href="{SEND}"' in text


def test_the_list_shows_names_and_masked_numbers_and_leads_to_the_form(
    browser: Client, payee: Payee, bob: Any, bobs: BankAccount
) -> None:
    text = browser.get(LIST).content.decode()
    assert "Bob Brandt" in text
    assert bobs.masked_number in text
    assert f'href="{SEND}?payee={payee.public_id}"' in text
    for secret in (str(bobs.number), bobs.number_grouped, bob.email):
        assert secret not in text


@in_one_world("status", ["frozen", "closed"])
def test_why_a_payee_cannot_receive_is_not_told(
    browser: Client, payee: Payee, bobs: BankAccount, freeze: Callable, status: str
) -> None:
    freeze(bobs, status)
    for url in (LIST, SEND):
        text = browser.get(url).content.decode()
        assert "cannot receive money" in text
        assert f"payee={payee.public_id}" not in text
        assert "frozen" not in text
        assert "losed" not in text
    page = browser.get(f"{SEND}?payee={payee.public_id}")
    assert "number" not in page.context["form"].initial


def test_renaming_on_its_page(browser: Client, payee: Payee) -> None:
    url = reverse("payee", args=[payee.public_id])
    assert 'maxlength="60"' in browser.get(url).content.decode()
    answer = browser.post(url, {"label": "  Bob   the landlord "}, follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    text = answer.content.decode()
    assert "Bob Brandt is on your list as Bob the landlord." in text
    assert browser.get(url).context["form"].initial == {"label": "Bob the landlord"}
    assert "Bob Brandt is on your list as Bob Brandt" in browser.post(url, {"label": ""}, follow=True).content.decode()


@in_one_world("label", ["x" * 61, "🏠" * 31, "a\u202eb", "\x00"])
def test_a_name_that_cannot_be_kept_is_refused_at_its_field(browser: Client, payee: Payee, label: str) -> None:
    answer = browser.post(reverse("payee", args=[payee.public_id]), {"label": label})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["label"]
    assert Payee.objects.get().label == ""


@proves("V1.2.1")
def test_html_in_a_name_is_text_everywhere(browser: Client, payee: Payee, everyday: BankAccount) -> None:
    """R8.3."""
    answer = browser.post(reverse("payee", args=[payee.public_id]), {"label": "<b>bold</b>"}, follow=True)
    pages = [answer, browser.get(SEND), browser.get(reverse("payee_remove", args=[payee.public_id]))]
    form = {"source": everyday.public_id, "number": payee.account.number, "amount": "1"}
    pages.append(browser.get(browser.post(SEND, form)["Location"]))
    for page in pages:
        text = page.content.decode()
        assert "<b>bold" not in text
        assert "&lt;b&gt;bold" in text


def test_removing_asks_first(browser: Client, payee: Payee) -> None:
    url = reverse("payee_remove", args=[payee.public_id])
    assert "Remove this payee?" in browser.get(url).content.decode()
    assert Payee.objects.exists()
    answer = browser.post(url, follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert "Bob Brandt is no longer on your list of payees." in answer.content.decode()
    assert not Payee.objects.exists()
    assert browser.post(url).status_code == 404


@in_one_world(("name", "verb"), [("payee", "rename_payee"), ("payee_remove", "remove_payee")])
def test_one_removed_in_another_window_meanwhile_is_not_found(
    browser: Client, payee: Payee, monkeypatch: pytest.MonkeyPatch, name: str, verb: str
) -> None:
    def gone(**_: Any) -> None:
        raise service.PayeeNotFound

    monkeypatch.setattr(service, verb, gone)
    assert browser.post(reverse(name, args=[payee.public_id]), {"label": "x"}).status_code == 404


@in_one_world("name", ["payee", "payee_remove"])
def test_alices_payees_do_not_exist_for_charlie(charlie: Any, browser_of: Callable, payee: Payee, name: str) -> None:
    """R1.7."""
    client, url = browser_of(charlie), reverse(name, args=[payee.public_id])
    assert [client.get(url).status_code, client.post(url, {"label": "Mine"}).status_code] == [404, 404]
    assert "Bob" not in client.get(LIST).content.decode()
    assert Payee.objects.get().label == ""


@in_one_world("role", ["sam", "audrey", "ada"])
def test_staff_are_refused(request: pytest.FixtureRequest, browser_of: Callable, payee: Payee, role: str) -> None:
    client = browser_of(request.getfixturevalue(role))
    for url in (LIST, reverse("payee", args=[payee.public_id]), reverse("payee_remove", args=[payee.public_id])):
        assert client.get(url).status_code == 403
    assert client.post(reverse("payee_remove", args=[payee.public_id])).status_code == 403
    assert Payee.objects.exists()


# --- Where money is sent ----------------------------------------------------------------------------------------


def test_a_payee_is_one_tap_away_and_costs_no_look_up(
    alice: Any, browser: Client, payee: Payee, bobs: BankAccount, settings: Any
) -> None:
    """R3.3: numbers cannot be tried out in this way; a payee was paid by their number."""
    settings.PAYEE_LOOKUPS_PER_HOUR = 0
    (choice,) = browser.get(SEND).context["choices"]
    assert not choice["chosen"]
    page = browser.get(choice["url"])
    assert page.context["form"].initial["number"] == bobs.number_grouped
    assert [choice["chosen"] for choice in page.context["choices"]] == [True]
    assert f'value="{bobs.number_grouped}"' in page.content.decode()
    assert lookups(alice) == 0


def test_only_the_latest_five_are_offered(alice: Any, bob: Any, browser: Client, open_account: Callable) -> None:
    source = open_account(alice, "10.00")
    for number in range(6):
        Payee.objects.create(
            customer=alice, account=open_account(bob), label=f"No. {number}",
            first_paid_at=source.opened_at, last_paid_at=source.opened_at,
        )  # fmt: skip
    page = browser.get(SEND)
    assert [choice["payee"].label for choice in page.context["choices"]] == [
        f"No. {number}" for number in (5, 4, 3, 2, 1)
    ]
    assert f'href="{LIST}"' in page.content.decode()


def test_without_payees_nothing_is_offered(browser: Client, everyday: BankAccount) -> None:
    text = browser.get(SEND).content.decode()
    assert "All payees" not in text
    assert "payees.js" not in text


def test_choosing_a_payee_keeps_what_the_form_started_with(
    browser: Client, payee: Payee, everyday: BankAccount, savings: BankAccount, bob: Any, open_account: Callable
) -> None:
    other = open_account(bob)
    form = {
        "source": everyday.public_id,
        "number": other.number,
        "name": "Bob Brandt",
        "amount": "7.50",
        "description": "Lunch",
    }
    edit_url = browser.get(browser.post(SEND, form)["Location"]).context["edit_url"]
    (choice,) = browser.get(edit_url).context["choices"]
    initial = browser.get(choice["url"]).context["form"].initial
    assert (initial["number"], initial["amount"], initial["description"]) == (
        payee.account.number_grouped,
        "7.50",
        "Lunch",
    )
    (choice,) = browser.get(f"{SEND}?from={savings.public_id}").context["choices"]
    assert browser.get(choice["url"]).context["form"].initial["source"] == str(savings.public_id)


@in_one_world("given", ["nonsense", "", "00000000-0000-4000-8000-000000000000", "1' OR '1'='1"])
def test_nonsense_for_a_payee_is_as_if_not_given(browser: Client, payee: Payee, given: str) -> None:
    page = browser.get(SEND, {"payee": given})
    assert page.status_code == 200
    assert "number" not in page.context["form"].initial


def test_alices_payee_fills_in_nothing_for_charlie(
    charlie: Any, browser_of: Callable, open_account: Callable, payee: Payee, bobs: BankAccount
) -> None:
    """R1.7, R2.2: or a payee's id would give away a number."""
    open_account(charlie)
    page = browser_of(charlie).get(SEND, {"payee": payee.public_id})
    assert page.context["choices"] == []
    assert bobs.number_grouped not in page.content.decode()
    same = browser_of(charlie).get(SEND, {"payee": uuid.uuid4()})
    assert same.context["form"].initial == page.context["form"].initial


def test_the_review_names_whom_one_has_paid_and_beside_it_what_one_calls_them(
    alice: Any, browser: Client, payee: Payee, everyday: BankAccount, savings: BankAccount
) -> None:
    """R3.6: a label alone could hide who is paid."""
    form = {"source": everyday.public_id, "number": payee.account.number, "amount": "1"}
    text = browser.get(browser.post(SEND, form)["Location"]).content.decode()
    assert "you call them" not in text
    assert "Bob Brandt" in text
    assert "You have not paid this account before" not in text
    service.rename_payee(actor=alice, public_id=payee.public_id, label="Landlord")
    text = browser.get(browser.post(SEND, form)["Location"]).content.decode()
    assert "Bob Brandt" in text
    assert "you call them <bdi>Landlord</bdi>" in text
    own = form | {"number": savings.number}
    assert browser.get(browser.post(SEND, own)["Location"]).context["review"]["payee"].label == ""


def test_two_payees_of_one_name_are_told_apart_by_their_numbers_for_who_hears_them(
    alice: Any, browser: Client, payee: Payee, open_account: Callable, bob: Any
) -> None:
    """R10.2."""
    assert "account ending in" not in browser.get(reverse("payees")).content.decode()
    other = Payee.objects.create(
        customer=alice, account=open_account(bob), first_paid_at=payee.first_paid_at, last_paid_at=payee.last_paid_at
    )
    page = browser.get(reverse("payees")).content.decode()
    for row in (payee, other):
        spoken = f'<span class="visually-hidden"> Bob Brandt, account ending in {row.account.masked_number[-4:]}</span>'
        assert page.count(spoken) == 2
