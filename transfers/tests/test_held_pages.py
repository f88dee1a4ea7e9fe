"""What a customer sees of an order that waits or was rejected (R3.6, R3.10)."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import BankAccount
from tests import acts
from tests.staff_acts import REASON
from tests.tables import in_one_world
from transfers import history
from transfers.models import OrderState, TransferOrder
from transfers.orders.explanations import explanation_of, why_held
from transfers.orders.holds import reject_order, release_order

pytestmark = pytest.mark.django_db


def receipt_url(order: TransferOrder) -> str:
    return reverse("receipt", args=[order.public_id])


def account_page(client: Any, account: BankAccount) -> str:
    return client.get(reverse("account", args=[account.public_id])).content.decode()


def pdf_text(client: Any, order: TransferOrder) -> str:
    document = client.get(reverse("receipt_pdf", args=[order.public_id])).content
    return " ".join(PdfReader(io.BytesIO(document)).pages[0].extract_text().split())


def test_confirming_leads_to_a_receipt_that_says_why_it_waits(
    alice: Any, browser_of: Callable, household: BankAccount, bobs: BankAccount
) -> None:
    client = browser_of(alice)
    form = {
        "source": household.public_id,
        "number": bobs.number,
        "name": "Bob Brandt",
        "amount": "10000.01",
        "description": "A boat",
    }
    review = client.post(reverse("transfer_send"), form)
    acts.vouch(alice)
    challenge = client.get(review["Location"]).context["form"].initial["challenge"]
    answer = client.post(review["Location"], {"challenge": challenge, "code": "000000"})
    order = TransferOrder.objects.get(kind="payment")
    assert answer["Location"] == receipt_url(order)
    page = client.get(answer["Location"]).content.decode()
    for shown in ("Being checked", "We check transfers above €10,000.00 before sending them.", "set aside"):
        assert shown in page
        assert shown in pdf_text(client, order)
    assert "suspicious" not in page.lower()
    assert "Send again" not in page  # or a customer who waits would pay twice


def test_a_rejected_one_says_what_the_clerk_wrote(
    alice: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    reject_order(actor=sam, order=held, reason="The invoice <b>is</b> a fraud.")
    client = browser_of(alice)
    page = client.get(receipt_url(held)).content.decode()
    assert "Rejected" in page
    assert "The reason: The invoice &lt;b&gt;is&lt;/b&gt; a fraud." in page
    assert "The reason: The invoice <b>is</b> a fraud." in pdf_text(client, held)
    assert "yours to spend again" in page


def test_a_released_one_reads_like_any_other(
    alice: Any, bob: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    release_order(actor=sam, order=held, reason="Called back, all is well.")
    for user in (alice, bob):
        page = browser_of(user).get(receipt_url(held)).content.decode()
        assert "Completed after a check" in page
        assert "Called back" not in page
        assert "notice-" not in page


@in_one_world("decided", [False, True])
def test_the_receiver_and_strangers_see_nothing_of_it(
    decided: bool,
    bob: Any,
    charlie: Any,
    sam: Any,
    browser_of: Callable,
    bobs: BankAccount,
    held: TransferOrder,
) -> None:
    if decided:
        reject_order(actor=sam, order=held, reason=REASON)
    for user in (bob, charlie):
        assert browser_of(user).get(receipt_url(held)).status_code == 404
    page = account_page(browser_of(bob), bobs)
    assert "12,345.67" not in page
    assert "Being checked" not in page
    assert browser_of(sam).get(receipt_url(held)).status_code == 403


def test_the_account_page_lists_what_waits_until_it_is_decided(
    alice: Any, sam: Any, browser_of: Callable, household: BankAccount, held: TransferOrder
) -> None:
    client = browser_of(alice)
    page = account_page(client, household)
    waiting, _, movements = page.partition('id="history"')
    for shown in ("Being checked", "€12,345.67", "Bob Brandt", f'href="{receipt_url(held)}"', "€7,654.33"):
        assert shown in waiting
    assert "12,345.67" not in movements
    reject_order(actor=sam, order=held, reason=REASON)
    assert "Being checked" not in account_page(client, household)


def test_an_account_with_nothing_held_asks_nothing(everyday: BankAccount, household: BankAccount, held: Any) -> None:
    household.refresh_from_db()
    with CaptureQueriesContext(connection) as captured:
        assert history.waiting_orders(everyday) == []
    assert not captured.captured_queries
    (line,) = history.waiting_orders(household)
    assert (line.label, line.amount, line.since, line.public_id) == (
        "Bob Brandt", held.amount, held.created_at, held.public_id,
    )  # fmt: skip


def test_cash_that_waits_has_no_receiver_to_name(alice: Any, household: BankAccount, held: TransferOrder) -> None:
    till = BankAccount.objects.get(ledger_code="cash-0")
    TransferOrder.objects.filter(pk=held.pk).update(kind="withdrawal", target=till, hold_reason="second_clerk")
    household.refresh_from_db()
    (line,) = history.waiting_orders(household)
    assert line.label == "Cash at the counter"
    receipt = history.receipt_for(alice, held.public_id)
    assert receipt.explanation.startswith("At the counter, cash above €1,000.00 in a day takes two members of staff.")


def test_the_sentences(held: TransferOrder, settings: Any) -> None:
    settings.SUSPICIOUS_AMOUNT = 12_000
    assert why_held(held) == "We check transfers above €12,000.00 before sending them."
    held.hold_reason = "a rule of tomorrow"
    assert why_held(held) == ""
    assert explanation_of(held).startswith("The money is set aside")
    held.state = OrderState.POSTED
    assert explanation_of(held) == ""


def test_the_review_says_before_one_confirms_that_a_payment_is_looked_at_first(
    alice: Any, browser_of: Callable, household: BankAccount, bobs: BankAccount
) -> None:
    client = browser_of(alice)

    def review(amount: str) -> str:
        form = {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": amount}
        return client.get(client.post(reverse("transfer_send"), form)["Location"]).content.decode()

    text = review("10000.01")
    for shown in (
        "This payment needs a check first.",
        "We check transfers above €10,000.00 before sending them.",
        "set aside in your account",
    ):
        assert shown in text
    assert "needs a check first" not in review("10000.00")


def test_the_receipt_of_what_is_not_sent_says_so_and_offers_to_ask(
    alice: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    client = browser_of(alice)
    page = client.get(receipt_url(held)).content.decode()
    assert "<h1>Transfer, not carried out yet</h1>" in page
    assert f'href="{reverse("ticket_open")}">Ask us about this' in page
    assert "Transfer, not carried out yet" in pdf_text(client, held)
    reject_order(actor=sam, order=held, reason=REASON)
    assert "<h1>Transfer, not carried out</h1>" in client.get(receipt_url(held)).content.decode()


def test_a_released_one_is_a_transfer_like_any_other(
    alice: Any, sam: Any, browser_of: Callable, held: TransferOrder
) -> None:
    release_order(actor=sam, order=held, reason=REASON)
    page = browser_of(alice).get(receipt_url(held)).content.decode()
    assert "<h1>Transfer</h1>" in page
    assert f"{reverse('ticket_open')}?payment=" in page


@in_one_world(
    ("came_from", "is_done"),
    [
        ("http://testserver/transfer/review/00000000-0000-4000-8000-000000000000/", True),
        ("http://testserver/history/?text=boat", False),
        ("http://testserver/nowhere/", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_done_is_for_the_page_after_ordering_and_back_for_a_later_look(
    alice: Any, browser_of: Callable, held: TransferOrder, came_from: str, is_done: bool
) -> None:
    page = browser_of(alice).get(receipt_url(held), headers={"referer": came_from}).content.decode()
    assert (">Done</a>" in page, "data-back" in page) == (is_done, not is_done)
