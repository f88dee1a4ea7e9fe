"""The receipt as a document: the content of the page, for its readers (R3.6, R6.1)."""

import html
import io
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.tables import in_one_world
from transfers import history
from transfers.models import MAX_DESCRIPTION_CHARS, OrderState, TransferOrder
from transfers.orders import cash
from transfers.statements import exports
from transfers.statements.receipt import receipt_pdf

AT = datetime(2026, 4, 20, 12, tzinfo=UTC)


@pytest.fixture
def orders(
    alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> dict[str, TransferOrder]:
    """One of each kind, of Alice's."""
    shared: dict[str, Any] = {"actor": alice, "amount": Decimal("12.50")}
    return {
        "payment": acts.transfer(
            source=everyday, target=bobs, description="Lunch & “tea” <b>", idempotency_key=new_key(), **shared
        ),
        "own": acts.transfer(source=everyday, target=savings, idempotency_key=new_key(), **shared),
        "deposit": cash.deposit(account=everyday, description="Coins", idempotency_key=new_key(), **shared),
        "withdrawal": cash.withdraw(account=everyday, idempotency_key=new_key(), **shared),
    }


@pytest.fixture
def held(alice: Any, everyday: BankAccount, bobs: BankAccount) -> TransferOrder:
    return TransferOrder.objects.create(
        kind="payment", initiator=alice, source=everyday, target=bobs, amount=Decimal(5), key_digest="held",
        inputs_digest="held", state=OrderState.HELD,
    )  # fmt: skip


def url_of(order: TransferOrder) -> str:
    return reverse("receipt_pdf", args=[order.public_id])


def words_of_pdf(document: bytes) -> list[str]:
    """Return all its words except those of the footer."""
    pages = PdfReader(io.BytesIO(document)).pages
    assert len(pages) == 1
    text = pages[0].extract_text()
    body, foot, _ = text.partition("Alder Bank · Receipt")
    assert foot
    return body.split()


def words_of_page(client: Client, order: TransferOrder) -> list[str]:
    """Return the words of the receipt, without its buttons."""
    text = client.get(reverse("receipt", args=[order.public_id])).content.decode()
    article = text.partition("<article")[2].partition('<div class="hstack form-actions">')[0].partition(">")[2]
    article = article.replace("<dt>", " <dt>").replace("<dd", " <dd").replace("<br>", " ")
    return html.unescape(re.sub(r"<[^>]*>", "", article)).split()


@in_one_world("kind", ["payment", "own", "deposit", "withdrawal"])
def test_it_says_what_the_page_says_in_the_same_order(
    alice: Any, browser_of: Callable, orders: dict[str, TransferOrder], kind: str
) -> None:
    client = browser_of(alice)
    answer = client.get(url_of(orders[kind]))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    words = words_of_page(client, orders[kind])
    assert words_of_pdf(answer.content) == words
    reference = orders[kind].transaction.reference  # type: ignore[union-attr]
    assert reference in words
    assert answer["Content-Disposition"] == f'attachment; filename="receipt-{reference}.pdf"'
    assert "no-store" in answer["Cache-Control"]


def test_the_page_offers_it_to_both_sides_and_each_sees_their_own(
    alice: Any, bob: Any, browser_of: Callable, orders: dict[str, TransferOrder], bobs: BankAccount
) -> None:
    order = orders["payment"]
    for user, theirs in ((alice, "Everyday"), (bob, "Checking")):
        client = browser_of(user)
        page = client.get(reverse("receipt", args=[order.public_id])).content.decode()
        assert f'href="{url_of(order)}" download' in page
        text = words_of_pdf(client.get(url_of(order)).content)
        assert text == words_of_page(client, order)
        assert theirs in text
        assert str(bobs.number) not in "".join(text)


def test_an_order_that_waits_has_no_reference_and_is_nothing_to_the_other_side(
    alice: Any, bob: Any, browser_of: Callable, held: TransferOrder
) -> None:
    """R3.10."""
    client = browser_of(alice)
    answer = client.get(url_of(held))
    assert 'filename="receipt-not-yet-sent.pdf"' in answer["Content-Disposition"]
    assert words_of_pdf(answer.content) == words_of_page(client, held)
    assert browser_of(bob).get(url_of(held)).status_code == 404


@in_one_world(
    ("text", "shown", "is_noted"),
    [("W" * MAX_DESCRIPTION_CHARS, "WWW", False), ("家賃", "??", True), ("**b** __u__ %s {}", "**b**", False)],
)
def test_no_description_breaks_it(
    alice: Any, everyday: BankAccount, new_key: Callable, text: str, shown: str, is_noted: bool
) -> None:
    order = cash.deposit(actor=alice, account=everyday, amount=Decimal(1), description=text, idempotency_key=new_key())
    words = " ".join(words_of_pdf(receipt_pdf(history.receipt_for(alice, order.public_id), made_at=AT)))
    assert shown in words
    assert ("stand as ?" in words) == is_noted


def test_one_entry_in_the_audit_log_tells_of_it(
    alice: Any, browser_of: Callable, orders: dict[str, TransferOrder]
) -> None:
    """R6.1."""
    order = orders["payment"]
    client = browser_of(alice)
    client.get(url_of(order))
    (entry,) = AuditEntry.objects.filter(action="EXPORT_DOWNLOADED")
    assert (entry.actor_id, entry.subject_type, entry.subject_id) == (alice.pk, "transferorder", str(order.public_id))
    assert entry.details == {"format": "pdf", "reference": order.transaction.reference}  # type: ignore[union-attr]
    assert client.head(url_of(order)).status_code == 405


def test_it_does_not_exist_for_strangers_and_staff_are_refused(
    charlie: Any, sam: Any, browser_of: Callable, orders: dict[str, TransferOrder]
) -> None:
    """R1.7."""
    order = orders["payment"]
    assert browser_of(charlie).get(url_of(order)).status_code == 404
    assert browser_of(charlie).get(reverse("receipt_pdf", args=[uuid.uuid4()])).status_code == 404
    assert browser_of(sam).get(url_of(order)).status_code == 403
    with pytest.raises(TransferOrder.DoesNotExist):
        exports.download_receipt(actor=charlie, public_id=order.public_id, at=timezone.now())
    with pytest.raises(PermissionDenied):
        exports.download_receipt(actor=sam, public_id=order.public_id, at=timezone.now())
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()
