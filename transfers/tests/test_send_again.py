"""Sending the same again from a receipt: the form filled in, only for the person who ordered it (R3.6)."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import BankAccount
from tests import acts
from tests.tables import in_one_world
from transfers.models import OrderKind, TransferOrder
from transfers.orders import cash, sending

SEND = "/transfer/send/"
OWN = "/transfer/own/"


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Client:
    return browser_of(alice)


@pytest.fixture
def orders(
    alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> dict[str, TransferOrder]:
    """One of each kind, of Alice's."""
    amount = Decimal("12.50")
    shared: dict[str, Any] = {"actor": alice, "amount": amount, "description": "Lunch & “tea”"}
    return {
        "payment": acts.transfer(source=everyday, target=bobs, idempotency_key=new_key(), **shared),
        "own": acts.transfer(source=everyday, target=savings, idempotency_key=new_key(), **shared),
        "deposit": cash.deposit(account=everyday, idempotency_key=new_key(), **shared),
        "withdrawal": cash.withdraw(account=everyday, idempotency_key=new_key(), **shared),
    }


def receipt(client: Client, order: TransferOrder) -> Any:
    return client.get(reverse("receipt", args=[order.public_id]))


@in_one_world(("kind", "form"), [("payment", SEND), ("own", OWN)])
def test_the_receipt_leads_to_the_form_filled_in(
    browser: Client,
    orders: dict[str, TransferOrder],
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    kind: str,
    form: str,
) -> None:
    url = f"{form}?again={orders[kind].public_id}"
    assert f'href="{url}"' in receipt(browser, orders[kind]).content.decode()
    page = browser.get(url)
    initial = page.context["form"].initial
    assert (initial["source"], initial["amount"], initial["description"]) == (
        everyday.public_id,
        "12.50",
        "Lunch & “tea”",
    )
    text = page.content.decode()
    assert f'value="{everyday.public_id}" selected' in text
    assert (f'value="{bobs.number_grouped}"' if kind == "payment" else f'value="{savings.public_id}" selected') in text


def test_it_is_a_new_order_with_all_its_steps(
    browser: Client, orders: dict[str, TransferOrder], books: Callable
) -> None:
    """R3.5: looking at the form moves nothing, and confirming it does not repeat the first."""
    before = books()
    initial = browser.get(f"{SEND}?again={orders['payment'].public_id}").context["form"].initial
    review = browser.post(SEND, {name: initial[name] for name in ("source", "number", "amount", "description")})
    assert books() == before
    browser.post(review["Location"])
    assert TransferOrder.objects.filter(kind="payment").count() == 2


@in_one_world("kind", ["deposit", "withdrawal"])
def test_cash_is_not_repeated(browser: Client, orders: dict[str, TransferOrder], kind: str) -> None:
    assert "again=" not in receipt(browser, orders[kind]).content.decode()
    for url in (SEND, OWN):
        assert "amount" not in browser.get(f"{url}?again={orders[kind].public_id}").context["form"].initial


def test_the_receiver_cannot_repeat_it(bob: Any, browser_of: Callable, orders: dict[str, TransferOrder]) -> None:
    client = browser_of(bob)
    page = receipt(client, orders["payment"])
    assert page.status_code == 200
    assert "again=" not in page.content.decode()
    assert "amount" not in client.get(f"{SEND}?again={orders['payment'].public_id}").context["form"].initial


def test_for_a_stranger_it_is_as_if_not_given(
    charlie: Any, browser_of: Callable, open_account: Callable, orders: dict[str, TransferOrder], bobs: BankAccount
) -> None:
    """R1.7."""
    open_account(charlie)
    open_account(charlie)
    client = browser_of(charlie)
    for url, order in ((SEND, orders["payment"]), (OWN, orders["own"])):
        hers, nothing = (client.get(f"{url}?again={id_}") for id_ in (order.public_id, uuid.uuid4()))
        assert hers.context["form"].initial == nothing.context["form"].initial
        assert "Lunch" not in hers.content.decode()
        assert bobs.number_grouped not in hers.content.decode()


def test_an_order_of_the_other_kind_or_nonsense_is_as_if_not_given(
    browser: Client, orders: dict[str, TransferOrder]
) -> None:
    for url, given in (
        (SEND, orders["own"].public_id),
        (OWN, orders["payment"].public_id),
        (SEND, "nonsense"),
        (OWN, ""),
    ):
        page = browser.get(f"{url}?again={given}")
        assert page.status_code == 200
        assert "amount" not in page.context["form"].initial


@in_one_world("side", ["source", "target"])
def test_an_account_that_is_not_active_any_more_is_left_to_choose(
    browser: Client,
    alice: Any,
    orders: dict[str, TransferOrder],
    everyday: BankAccount,
    savings: BankAccount,
    open_account: Callable,
    freeze: Callable,
    side: str,
) -> None:
    """R2.3."""
    other = open_account(alice)
    freeze(everyday if side == "source" else savings)
    initial = browser.get(f"{OWN}?again={orders['own'].public_id}").context["form"].initial
    assert str(initial[side]) == str(other.public_id)
    assert str(initial["source"]) != str(initial["target"])
    assert initial["amount"] == "12.50"
    initial = browser.get(f"{SEND}?again={orders['payment'].public_id}").context["form"].initial
    assert (initial["source"] == "") == (side == "source")


def test_a_payee_who_cannot_receive_any_more_is_refused_as_always(
    browser: Client, orders: dict[str, TransferOrder], bobs: BankAccount, freeze: Callable
) -> None:
    """R3.3: the form says nothing, the look-up refuses."""
    freeze(bobs)
    initial = browser.get(f"{SEND}?again={orders['payment'].public_id}").context["form"].initial
    answer = browser.post(SEND, {name: initial[name] for name in ("source", "number", "amount", "description")})
    assert answer.context["form"].errors == {"number": [sending.PayeeCannotReceive.text]}


def test_a_payee_chosen_then_replaces_the_number_only(
    browser: Client, alice: Any, orders: dict[str, TransferOrder], bobs: BankAccount
) -> None:
    page = browser.get(f"{SEND}?again={orders['payment'].public_id}")
    (choice,) = page.context["choices"]
    initial = browser.get(choice["url"]).context["form"].initial
    assert (initial["number"], initial["amount"]) == (bobs.number_grouped, "12.50")


def test_the_word_for_it_is_the_same_in_history_and_on_the_receipt(
    browser: Client, orders: dict[str, TransferOrder]
) -> None:
    assert OrderKind.PAYMENT.label == "Transfer"
    assert receipt(browser, orders["payment"]).context["receipt"].kind_label == "Transfer"
    labels = {row.label for row in browser.get("/history/").context["entries"]}
    assert {"Transfer to Bob Brandt", "Transfer to Holidays"} <= labels
