"""What a customer sees of a payment that is pending, that they cancel, or that has expired (R3.14)."""

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import BankAccount
from tests import acts
from tests.acts import mails
from tests.staff_acts import REASON
from tests.tables import in_one_world
from transfers import history
from transfers.models import OrderState, TransferOrder
from transfers.orders.expiry import expire_holds
from transfers.orders.holds import cancel_order, reject_order, release_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


def receipt_url(order: TransferOrder) -> str:
    return reverse("receipt", args=[order.public_id])


def cancel_url(order: TransferOrder) -> str:
    return reverse("order_cancel", args=[order.public_id])


def text_of(client: Any, url: str) -> str:
    return client.get(url, follow=True).content.decode()


# --- Pending ------------------------------------------------------------------------------------------------------


def test_the_overview_tells_what_is_pending_apart_from_what_is_available(
    alice: Any, browser_of: Callable, household: BankAccount, everyday: BankAccount, pay: Callable
) -> None:
    """A held €10,500 was part of the total, with no row and no way to cancel."""
    order = pay("10500.00", description="A boat")
    page = text_of(browser_of(alice), reverse("dashboard"))
    hero = page[: page.index('id="waiting"')]
    for shown in ("€20,100.00", "Available", "€9,600.00", "Pending", "€10,500.00"):
        assert shown in hero
    row = page[page.index('id="waiting"') : page.index("<h2 class")]
    for shown in (
        "Pending", "Bob Brandt", "from Household", "€10,500.00", "can’t be spent until we have decided",
        f'href="{receipt_url(order)}"', f'href="{cancel_url(order)}"',
    ):  # fmt: skip
        assert shown in row


def test_an_overview_with_nothing_held_says_nothing_of_it_and_asks_nothing_more(
    alice: Any, browser_of: Callable, household: BankAccount
) -> None:
    client = browser_of(alice)
    client.get(reverse("dashboard"))
    with CaptureQueriesContext(connection) as captured:
        page = text_of(client, reverse("dashboard"))
    assert "Pending" not in page
    assert not [query for query in captured if 'FROM "transfers_transferorder"' in query["sql"]]


def test_the_account_page_offers_to_cancel_what_is_pending(
    alice: Any, browser_of: Callable, household: BankAccount, held: TransferOrder
) -> None:
    client = browser_of(alice)
    url = reverse("account", args=[household.public_id])
    assert f'href="{cancel_url(held)}"' in text_of(client, url)
    cancel_order(actor=alice, order=held)
    assert "Pending" not in text_of(client, url)


def test_one_cancelled_and_another_of_the_same_amount_are_news_to_an_open_dashboard(
    alice: Any, household: BankAccount, held: TransferOrder, pay: Callable
) -> None:
    """R10.4: or its row would lead to cancelling what is cancelled already."""
    at = timezone.now()
    before = history.overview_version(alice, at=at)
    cancel_order(actor=alice, order=held)
    pay("12345.67", description="A boat")
    assert history.overview_version(alice, at=at) != before


def test_the_receipt_says_until_when_we_decide_and_what_then(
    alice: Any, browser_of: Callable, held: TransferOrder
) -> None:
    TransferOrder.objects.filter(pk=held.pk).update(created_at="2026-11-13T12:00Z")
    client = browser_of(alice)
    until = "If we have not decided by 27 Nov 2026, it is not carried out, and the money is yours to spend again."
    document = client.get(reverse("receipt_pdf", args=[held.public_id])).content
    printed = " ".join(PdfReader(io.BytesIO(document)).pages[0].extract_text().split())
    mail = mails(alice.email)[-1].message
    assert "If we have not decided by" in mail
    for text in (text_of(client, receipt_url(held)), printed):
        assert until in text


# --- Cancelling ---------------------------------------------------------------------------------------------------


def test_from_the_receipt_by_a_question_to_the_money_back(
    alice: Any, browser_of: Callable, household: BankAccount, held: TransferOrder
) -> None:
    client = browser_of(alice)
    assert f'href="{cancel_url(held)}">Cancel transfer</a>' in text_of(client, receipt_url(held))
    question = text_of(client, cancel_url(held))
    for shown in ("Cancel this transfer?", "€12,345.67", "Household", "Bob Brandt", "A boat", "no money has gone out"):
        assert shown in question
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.HELD, "a look changes nothing"
    answer = client.post(cancel_url(held))
    assert answer["Location"] == receipt_url(held)
    page = text_of(client, receipt_url(held))
    for shown in (
        "Cancelled. €12,345.67 is yours to spend again.", "<h1>Transfer, not carried out</h1>", "Cancelled</span>",
        "You cancelled this before we had decided", "Send again",
    ):  # fmt: skip
        assert shown in page
    assert cancel_url(held) not in page
    household.refresh_from_db()
    assert household.available == Decimal("20000.00")


def test_a_second_click_is_answered_like_the_first(alice: Any, browser_of: Callable, held: TransferOrder) -> None:
    client = browser_of(alice)
    for _ in range(2):
        page = client.post(cancel_url(held), follow=True).content.decode()
        assert "Cancelled. €12,345.67 is yours to spend again." in page


@in_one_world(
    ("decide", "told"),
    [
        (lambda sam, order: release_order(actor=sam, order=order, reason=REASON), "We have released this transfer"),
        (lambda sam, order: reject_order(actor=sam, order=order, reason=REASON), "We have rejected this transfer"),
        (lambda sam, order: expire_holds(at=order.expires_at), "This transfer has expired"),
    ],
)
def test_a_question_that_stood_open_too_long_says_what_has_happened(
    decide: Callable, told: str, alice: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    client = browser_of(alice)
    client.get(cancel_url(held))
    decide(sam, held)
    answer = client.post(cancel_url(held), follow=True)
    assert answer.redirect_chain == [(receipt_url(held), 302)]
    assert told in answer.content.decode()
    assert client.get(cancel_url(held))["Location"] == receipt_url(held)


@in_one_world(("name", "status"), [("bob", 404), ("charlie", 404), ("sam", 403), ("ada", 403)])
def test_nobody_else_is_asked(
    name: str, status: int, browser_of: Callable, held: TransferOrder, request: pytest.FixtureRequest
) -> None:
    """R1.7"""
    client = browser_of(request.getfixturevalue(name))
    assert client.get(cancel_url(held)).status_code == status
    assert client.post(cancel_url(held)).status_code == status
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.HELD


# --- Afterwards ---------------------------------------------------------------------------------------------------


def test_an_expired_one_says_so_and_can_be_sent_again(alice: Any, browser_of: Callable, held: TransferOrder) -> None:
    expire_holds(at=held.expires_at)
    page = text_of(browser_of(alice), receipt_url(held))
    for shown in ("Transfer, not carried out", "Expired</span>", "We did not decide on this in time", "Send again"):
        assert shown in page


@in_one_world(
    "end",
    [lambda alice, held: cancel_order(actor=alice, order=held), lambda alice, held: expire_holds(at=held.expires_at)],
)
def test_the_payee_sees_nothing_of_it(
    end: Callable, alice: Any, bob: Any, browser_of: Callable, bobs: BankAccount, held: TransferOrder
) -> None:
    """R3.14: a payee who never saw it is not told that it is gone."""
    end(alice, held)
    client = browser_of(bob)
    assert client.get(receipt_url(held)).status_code == 404
    for url in (reverse("account", args=[bobs.public_id]), reverse("dashboard"), reverse("history")):
        assert "12,345.67" not in text_of(client, url)


@in_one_world(
    ("end", "word"),
    [
        (lambda alice, held: cancel_order(actor=alice, order=held), "Cancelled"),
        (lambda alice, held: expire_holds(at=held.expires_at), "Expired"),
    ],
)
def test_staff_see_how_it_ended_and_by_whom(
    end: Callable, word: str, alice: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    """R5.4: it stays on Support's list, with its filter, and offers no decision any more."""
    client = browser_of(sam)
    url = reverse("admin:transfers_transferorder_change", args=[held.pk])
    assert "Expires:" in text_of(client, url)
    end(alice, held)
    lists = text_of(client, reverse("admin:transfers_transferorder_changelist") + f"?state__exact={word.lower()}")
    assert "12,345.67" in lists
    page = text_of(client, url)
    assert word in page
    assert "Expires:" not in page
    assert (alice.email if word == "Cancelled" else "bank@system.invalid") in page
    assert "/release/" not in page
    assert "/reject/" not in page


def test_cash_at_the_counter_reads_as_cash(alice: Any, browser_of: Callable, held: TransferOrder) -> None:
    till = BankAccount.objects.get(ledger_code="cash-0")
    TransferOrder.objects.filter(pk=held.pk).update(kind="withdrawal", target=till, hold_reason="second_clerk")
    client = browser_of(alice)
    page = text_of(client, cancel_url(held))
    assert "Cancel this withdrawal?" in page
    assert "Cancel withdrawal</button>" in page
    client.post(cancel_url(held))
    assert acts.mails(alice.email)[-1].subject == "You cancelled your withdrawal of €12,345.67"
