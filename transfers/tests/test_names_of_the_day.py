"""Names on orders, receipts, histories, documents and mails are those of the day (R2.6)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from accounts.models import BankAccount, User
from tests import acts
from transfers import history
from transfers.models import Payee, TransferOrder
from transfers.orders import reversals
from transfers.tests.test_receipt_pdf import words_of_pdf

AS_BEFORE = {"alice": "Alice Archer", "bob": "Bob Brandt"}


@pytest.fixture
def paid(alice: Any, everyday: BankAccount, bobs: BankAccount, new_key: Callable) -> TransferOrder:
    """Alice has paid Bob 12.00; since then both have other names."""
    order = acts.transfer(
        actor=alice, source=everyday, target=bobs, amount=Decimal(12), description="Lunch", idempotency_key=new_key()
    )
    User.objects.filter(first_name="Bob").update(first_name="Alder", last_name="Bank")
    User.objects.filter(first_name="Alice").update(first_name="Alison", last_name="Ash")
    return TransferOrder.objects.get(pk=order.pk)


def read(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()


def test_an_order_keeps_the_names_of_both_sides(paid: TransferOrder) -> None:
    assert (paid.payer_name, paid.payee_name) == ("Alice Archer", "Bob Brandt")


def test_every_page_of_the_payer_and_the_payee_shows_the_names_of_the_day(
    paid: TransferOrder, alice: Any, bob: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount
) -> None:
    """A later change rewrites nothing: the person called "Alder Bank" now was paid as Bob Brandt."""
    for user, account, other, never in (
        (alice, everyday, "Bob Brandt", "to Alder Bank"),
        (bob, bobs, "Alice Archer", "Alison"),
    ):
        browser: Client = browser_of(user)
        entry = [account.public_id, BankAccount.objects.get(pk=account.pk).last_sequence]
        pages = {
            "dashboard": reverse("dashboard"),
            "account": reverse("account", args=[account.public_id]),
            "history": reverse("history"),
            "entry": reverse("entry", args=entry),
            "receipt": reverse("receipt", args=[paid.public_id]),
            "csv": reverse("history_export"),
        }
        for name, url in pages.items():
            text = read(browser.get(url))
            assert other in text, name
            assert never not in text, name


def test_the_documents_and_the_api_show_them_too(
    paid: TransferOrder, alice: Any, bob: Any, browser_of: Callable, api_of: Callable, everyday: BankAccount
) -> None:
    receipt = browser_of(alice).get(reverse("receipt_pdf", args=[paid.public_id]))
    assert "Bob Brandt" in " ".join(words_of_pdf(receipt.content))
    month = datetime.now(UTC)
    path = f"accounts/{everyday.number}/statements/{month.year}/{month.month}"
    assert api_of(alice).get(path).json()["items"][-1]["label"] == "Transfer to Bob Brandt"
    for user, other in ((alice, "Bob Brandt"), (bob, "Alice Archer")):
        api = api_of(user)
        assert api.get("transactions").json()["items"][0]["counterpart_name"] == other
        order = api.get(f"orders/{paid.public_id}").json()
        assert other in (order["source_name"], order["target_name"])
        assert order["initiated_by"] == "Alice Archer"


def test_the_mails_show_them_however_late_they_are_written(paid: TransferOrder, alice: Any, bob: Any) -> None:
    sent = {mail.to[0]: mail for mail in acts.mails() if "12.00" in mail.subject}
    assert "to Bob Brandt" in sent[alice.email].message
    assert "Alice Archer" in sent[bob.email].message


def test_what_is_reversed_keeps_the_names_of_what_it_takes_back(
    paid: TransferOrder, alice: Any, bob: Any, ada: Any
) -> None:
    """A reversal has no order of its own."""
    assert paid.transaction is not None
    reversals.reverse_transaction(actor=ada, transaction=paid.transaction, reason="Paid twice.")
    for user, other in ((alice, "Bob Brandt"), (bob, "Alice Archer")):
        (rows,) = history.recent_entries(user).values()
        assert [row.counterpart_name for row in rows[:2]] == [other, other]
        assert rows[0].label.startswith("Reversal ")


def test_the_search_finds_the_name_of_the_day(paid: TransferOrder, bob: Any, browser_of: Callable) -> None:
    """R3.7: the present name is in no row."""
    found = browser_of(bob).get(reverse("history"), {"text": "archer"}).context["entries"]
    assert [row.counterpart_name for row in found] == ["Alice Archer"]
    assert not browser_of(bob).get(reverse("history"), {"text": "alison"}).context.get("entries")


def test_a_business_is_never_abbreviated(
    make_user: Callable, alice: Any, open_account: Callable, everyday: BankAccount, new_key: Callable
) -> None:
    cafe = open_account(make_user("Café", last_name="Lumière", email="cafe@example.com"))
    acts.transfer(actor=alice, source=everyday, target=cafe, amount=Decimal(1), idempotency_key=new_key())
    (rows,) = history.recent_entries(alice).values()
    assert rows[0].label == "Transfer to Café Lumière"


def test_the_migration_names_old_orders_by_the_present_names(
    alice: Any, bob: Any, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """And tells first payments from later ones by the payments before them."""
    for _ in range(2):
        acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(1), idempotency_key=new_key())
    expected = list(TransferOrder.objects.order_by("pk").values("payer_name", "payee_name", "is_first_payment"))
    TransferOrder.objects.update(payer_name="", payee_name="", is_first_payment=False)
    import_module("transfers.migrations.0009_names_on_orders").name_old_orders(apps, None)
    found = list(TransferOrder.objects.order_by("pk").values("payer_name", "payee_name", "is_first_payment"))
    assert found == expected
    assert [row["is_first_payment"] for row in found] == [False, True, False], "the deposit, and two payments"
    assert found[0] == {"payer_name": "", "payee_name": "Alice Archer", "is_first_payment": False}


# --- What I call them myself ---------------------------------------------------------------------------------


def test_my_own_name_for_a_payee_stands_in_my_history_and_receipts(
    paid: TransferOrder, alice: Any, bob: Any, browser_of: Callable, api_of: Callable, everyday: BankAccount
) -> None:
    """Beside the account's own, which a label alone could hide."""
    Payee.objects.filter(customer=alice).update(label="Landlord")
    browser = browser_of(alice)
    for url in (reverse("dashboard"), reverse("history"), reverse("receipt", args=[paid.public_id])):
        assert "Landlord (Bob Brandt)" in read(browser.get(url))
    assert "Landlord (Bob Brandt)" in read(browser.get(reverse("history_export")))
    receipt = browser.get(reverse("receipt_pdf", args=[paid.public_id]))
    assert "Landlord (Bob Brandt)" in " ".join(words_of_pdf(receipt.content))
    order = api_of(alice).get(f"orders/{paid.public_id}").json()
    assert (order["target_name"], order["counterpart_label"]) == ("Bob Brandt", "Landlord")
    row = api_of(alice).get("transactions").json()["items"][0]
    assert (row["counterpart_name"], row["counterpart_label"]) == ("Bob Brandt", "Landlord")
    # It is Alice's: Bob reads nothing of it.
    for url in (reverse("dashboard"), reverse("history"), reverse("receipt", args=[paid.public_id])):
        assert "Landlord" not in read(browser_of(bob).get(url))


def test_what_they_pay_me_has_my_name_for_them_too(
    alice: Any, bob: Any, bobs: BankAccount, everyday: BankAccount, new_key: Callable
) -> None:
    Payee.objects.create(
        customer=alice,
        account=bobs,
        label="My brother",
        first_paid_at=datetime.now(UTC),
        last_paid_at=datetime.now(UTC),
    )
    order = acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(9), idempotency_key=new_key())
    back = acts.transfer(actor=bob, source=bobs, target=everyday, amount=Decimal(2), idempotency_key=new_key())
    assert history.receipt_for(alice, back.public_id).source_label == "My brother (Bob Brandt)"
    assert history.receipt_for(alice, order.public_id).target_label == "My brother (Bob Brandt)"
    assert history.receipt_for(bob, back.public_id).source_label == "Checking"


def test_a_waiting_payment_has_it_as_well(held: TransferOrder, alice: Any, known: BankAccount) -> None:
    Payee.objects.filter(customer=alice).update(label="Boatyard")
    (waiting,) = history.waiting_orders(BankAccount.objects.get(pk=held.source_id))
    assert waiting.label == "Boatyard (Bob Brandt)"
