"""A reversed movement says so wherever it is shown, and its reversal says what it reverses (R3.15)."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import BankAccount
from tests import acts
from tests.asvs import proves
from tests.staff_acts import REASON
from transfers import history
from transfers.models import Entry, Transaction, TransferOrder
from transfers.orders import holds, reversals
from transfers.statements import receipt as receipts

pytestmark = pytest.mark.django_db

NOVEMBER = datetime(2026, 11, 12, 10, 0, tzinfo=UTC)


@pytest.fixture
def order(alice: Any, everyday: BankAccount, bobs: BankAccount) -> TransferOrder:
    """Alice has paid Bob 30.00 of her 100.00 by mistake."""
    return acts.transfer(
        actor=alice, source=everyday, target=bobs, amount=Decimal(30), description="Rent", idempotency_key="a mistake",
        at=NOVEMBER,
    )  # fmt: skip


@pytest.fixture
def reversal(ada: Any, order: TransferOrder) -> Transaction:
    assert order.transaction is not None
    return reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason=REASON, at=NOVEMBER)


def words_of(page: str) -> str:
    """Return what the page says, without the tags in it."""
    return re.sub(r"<[^>]+>", "", page)


def page_of(entry: Entry) -> str:
    return reverse("entry", args=[entry.account.public_id, entry.sequence])


def entry_on(account: BankAccount, transaction: Any) -> Entry:
    return Entry.objects.select_related("account").get(account=account, transaction=transaction)


# --- Customers ----------------------------------------------------------------------------------------------


@proves("V2.3.2")
@pytest.mark.parametrize("side", ["payer", "payee"])
def test_the_receipt_says_reversed_to_both_sides_and_leads_to_the_reversal(
    side: str, order: TransferOrder, reversal: Transaction, browser_of: Callable, everyday: Any, bobs: Any
) -> None:
    """It said "Completed"."""
    account = everyday if side == "payer" else bobs
    page = browser_of(account.owner).get(reverse("receipt", args=[order.public_id])).text
    assert f"Reversed on 12 Nov 2026, reference {reversal.reference}" in words_of(page)
    assert ">Reversed</span>" in page
    assert "Completed" not in page
    assert page_of(entry_on(account, reversal)) in page


def test_a_receipt_of_what_was_not_reversed_says_nothing_of_it(
    order: TransferOrder, browser_of: Callable, alice: Any
) -> None:
    page = browser_of(alice).get(reverse("receipt", args=[order.public_id])).text
    assert ">Completed</span>" in page
    assert "Reversed" not in page


def test_the_paper_says_so_too(
    order: TransferOrder, reversal: Transaction, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    line_of = receipts.DocumentPage.line_of

    def note(page: Any, text: str, **how: Any) -> None:
        printed.append(text)
        line_of(page, text, **how)

    monkeypatch.setattr(receipts.DocumentPage, "line_of", note)
    receipts.receipt_pdf(history.receipt_for(alice, order.public_id), made_at=NOVEMBER)
    assert "Transfer, reversed" in printed
    assert "Reversed" in printed
    assert f"Reversed on 12 Nov 2026, reference {reversal.reference}" in printed
    assert "Completed" not in printed


def test_each_of_the_two_movements_names_the_other_and_leads_there(
    order: TransferOrder, reversal: Transaction, everyday: BankAccount, browser_of: Callable, alice: Any
) -> None:
    mistake, undone = entry_on(everyday, order.transaction), entry_on(everyday, reversal)
    client = browser_of(alice)
    page = client.get(page_of(mistake)).text
    assert f"Reversed on 12 Nov 2026, reference {reversal.reference}" in words_of(page)
    assert page_of(undone) in page
    page = client.get(page_of(undone)).text
    assert f"Reverses {mistake.transaction.reference}" in words_of(page)
    assert page_of(mistake) in page


def test_rows_of_history_account_and_dashboard_say_so(
    order: TransferOrder, reversal: Transaction, everyday: BankAccount, browser_of: Callable, alice: Any
) -> None:
    client = browser_of(alice)
    assert order.transaction is not None
    for url in (reverse("history"), reverse("account", args=[everyday.public_id])):
        page = client.get(url).text
        assert f"Reversed on 12 Nov 2026, reference {reversal.reference}" in words_of(page)
        assert f"Reverses {order.transaction.reference}" in words_of(page)
    assert "<span>Reversed</span>" in client.get(reverse("dashboard")).text


def test_the_table_to_download_names_both(
    order: TransferOrder, reversal: Transaction, browser_of: Callable, alice: Any
) -> None:
    answer = browser_of(alice).get(reverse("history_export"))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = {row["Reference"]: row for row in csv.DictReader(StringIO(text))}
    assert order.transaction is not None
    mistake = order.transaction.reference
    assert (rows[mistake]["Reversed by"], rows[mistake]["Reverses"]) == (reversal.reference, "")
    assert (rows[reversal.reference]["Reversed by"], rows[reversal.reference]["Reverses"]) == ("", mistake)


def test_programs_read_both(
    order: TransferOrder, reversal: Transaction, everyday: BankAccount, alice: Any, api_of: Callable
) -> None:
    client = api_of(alice)
    shown = client.get(f"orders/{order.public_id}").json()
    assert (shown["reversed_by"], shown["reversed_at"]) == (reversal.reference, "2026-11-12T10:00:00.000000Z")
    newest, mistake = client.get(f"accounts/{everyday.number}/transactions").json()["items"][:2]
    assert order.transaction is not None
    assert (newest["reverses"], newest["reversed_by"]) == (order.transaction.reference, "")
    assert (mistake["reverses"], mistake["reversed_by"]) == ("", reversal.reference)
    assert mistake["reversed_at"] == "2026-11-12T10:00:00.000000Z"


def test_a_repeated_request_is_answered_with_its_outcome(
    everyday: BankAccount, bobs: BankAccount, alice: Any, ada: Any, api_of: Callable
) -> None:
    acts.know(alice, bobs)
    client, sent = api_of(alice), {"to": bobs.number, "amount": "3.00"}
    path, key = f"accounts/{everyday.number}/transfer", {"Idempotency_Key": "a-key-of-a-program"}
    first = client.post(path, sent, **key)
    assert first.json()["reversed_by"] == ""
    order = TransferOrder.objects.get(public_id=first.json()["id"])
    assert order.transaction is not None
    reversal = reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason=REASON)
    again = client.post(path, sent, **key)
    assert (again.status_code, again.json()["reversed_by"]) == (201, reversal.reference)


@pytest.mark.parametrize("page", ["history", "account", "receipt"])
def test_it_costs_no_statement_for_each_row(
    page: str, order: TransferOrder, everyday: BankAccount, alice: Any, ada: Any, browser_of: Callable,
    no_minute_limits: None, bobs: BankAccount,
) -> None:  # fmt: skip
    url = {
        "history": reverse("history"),
        "account": reverse("account", args=[everyday.public_id]),
        "receipt": reverse("receipt", args=[order.public_id]),
    }[page]
    client = browser_of(alice)
    client.get(url)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        return len(captured.captured_queries)

    before = statements()
    for number in range(4):
        again = acts.transfer(
            actor=alice, source=everyday, target=bobs, amount=Decimal(1), idempotency_key=f"mistake {number}"
        )
        reversals.reverse_transaction(actor=ada, transaction=again.transaction, reason=REASON)
    assert statements() == before


# --- Staff --------------------------------------------------------------------------------------------------


def test_auditors_go_from_one_to_the_other(
    order: TransferOrder, reversal: Transaction, audrey: Any, browser_of: Callable
) -> None:
    """It said "Reverses: -", and did not name the reversal."""
    client = browser_of(audrey)
    mistake_url = reverse("admin:transfers_transaction_change", args=[order.transaction_id])
    reversal_url = reverse("admin:transfers_transaction_change", args=[reversal.pk])
    page = client.get(mistake_url).text
    assert "Reversed by" in page
    assert f'<a href="{reversal_url}">{reversal.reference}</a>' in page
    assert "Reverses" not in page
    page = client.get(reversal_url).text
    assert mistake_url in page
    assert "Reversed by" not in page
    page = client.get(reverse("admin:transfers_transferorder_change", args=[order.pk])).text
    assert f'<a href="{reversal_url}">{reversal.reference}</a>' in page


def test_a_movement_without_a_reversal_speaks_of_none(order: TransferOrder, audrey: Any, browser_of: Callable) -> None:
    page = browser_of(audrey).get(reverse("admin:transfers_transaction_change", args=[order.transaction_id])).text
    assert "Revers" not in page


@pytest.mark.parametrize("model", ["transaction", "transferorder"])
def test_lists_of_staff_name_what_reversed_each(
    model: str, order: TransferOrder, reversal: Transaction, audrey: Any, browser_of: Callable
) -> None:
    page = browser_of(audrey).get(reverse(f"admin:transfers_{model}_changelist")).text
    assert f'<td class="field-reversed_by">{reversal.reference}</td>' in page


def test_support_reads_it_of_a_held_payment_without_a_link_to_the_ledger(
    held: TransferOrder, sam: Any, ada: Any, browser_of: Callable, settings: Any
) -> None:
    holds.release_order(actor=sam, order=held, reason=REASON)
    held.refresh_from_db()
    settings.SUSPICIOUS_AMOUNT = 2 * held.amount  # one administrator alone reverses less (R5.8)
    assert held.transaction is not None
    reversal = reversals.reverse_transaction(actor=ada, transaction=held.transaction, reason=REASON)
    client = browser_of(sam)
    assert reversal.reference in client.get(reverse("admin:transfers_transferorder_changelist")).text
    page = client.get(reverse("admin:transfers_transferorder_change", args=[held.pk])).text
    assert reverse("admin:transfers_transaction_change", args=[reversal.pk]) not in page


def test_programs_of_staff_read_both(
    order: TransferOrder, reversal: Transaction, audrey: Any, api_of: Callable
) -> None:
    assert order.transaction is not None
    items = api_of(audrey).get("staff/transactions").json()["items"]
    newest, mistake = (
        next(row for row in items if row["reference"] == one.reference) for one in (reversal, order.transaction)
    )
    assert (newest["reverses"], newest["reversed_by"]) == (mistake["reference"], None)
    assert (mistake["reverses"], mistake["reversed_by"]) == (None, reversal.reference)


@time_machine.travel(NOVEMBER, tick=False)
def test_what_moved_today_counts_neither(order: TransferOrder, reversal: Transaction, everyday: BankAccount) -> None:
    """A mistake of 950,000 and its reversal counted 1,900,000 on the front page."""
    from transfers.history import monitoring

    opening = Transaction.objects.filter(kind="deposit").get()
    assert order.transaction is not None
    now = monitoring.volume_of_today(NOVEMBER)
    assert (str(now.count), now.amount) == ("1", opening.amount)
