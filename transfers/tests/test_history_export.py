"""The CSV export: the same rows as on the page, and nothing that a spreadsheet would run (R3.7, R6.1)."""

import csv
import io
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.csv_table import harmless
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.history import EntryRow
from transfers.history import search as filtered
from transfers.history.filters import HistoryFilters
from transfers.ledger import posting as ledger
from transfers.models import TransactionKind
from transfers.statements import exports
from transfers.statements.csv_table import COLUMNS

URL = "/history/movements.csv"
START = datetime(2026, 1, 1, 8, tzinfo=UTC)
TEXTS = ["Rent", "Café – Zoë", "=1+1", 'Bread, "fresh"', "-5", "家賃", "@SUM(A1)", "", "rent again", "+49 30"]
KINDS = [TransactionKind.DEPOSIT, TransactionKind.INTEREST, TransactionKind.WITHDRAWAL, TransactionKind.TRANSFER]


def table(answer: Any) -> list[list[str]]:
    """Return the rows of the file under its head."""
    text = answer.getvalue().decode()
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))
    assert rows[0] == COLUMNS
    return rows[1:]


def all_pages(client: Any, query: dict[str, str]) -> list[EntryRow]:
    answer = client.get("/history/", query)
    rows, url = list(answer.context["entries"]), answer.context["older_url"]
    while url:
        context = client.get(url).context
        rows += context["entries"]
        url = context["older_url"]
    return rows


def live_lively(alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> list[BankAccount]:
    """Return a hundred and sixty movements of every kind over six weeks, with awkward texts, on two accounts of
    Alice's."""
    draw = random.Random(7)
    desk = BankAccount.objects.get(ledger_code="cash-0").pk
    batch = []
    for number in range(160):
        account, other = draw.sample([everyday.pk, savings.pk], 2)
        kind, amount = draw.choice(KINDS), Decimal(draw.randrange(1, 900)) / 100
        pair = {
            TransactionKind.TRANSFER: (everyday.pk, bobs.pk) if number % 2 else (account, other),
            TransactionKind.WITHDRAWAL: (everyday.pk, desk),
        }.get(kind, (desk, account))
        if pair[0] == savings.pk:
            pair = pair[::-1]
        legs = ledger.transfer_legs(debit=pair[0], credit=pair[1], amount=amount)
        at = START + timedelta(hours=6 * number)
        batch.append(ledger.Planned(kind, legs, alice, at, draw.choice(TEXTS)))
    with transaction.atomic():
        paid_in = ledger.transfer_legs(debit=desk, credit=everyday.pk, amount=Decimal(5000))
        ledger.post_many([ledger.Planned(TransactionKind.DEPOSIT, paid_in, alice, START), *batch])
    return [everyday, savings]


@pytest.fixture
def lively(alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> list[BankAccount]:
    return live_lively(alice, everyday, savings, bobs)


@proves("V1.1.2", "V1.2.10")
def test_no_cell_begins_as_a_formula_and_amounts_are_plain_numbers(
    alice: Any, browser_of: Callable, lively: list[BankAccount]
) -> None:
    BankAccount.objects.filter(pk=lively[0].pk).update(nickname="@home")
    rows = table(browser_of(alice).get(URL))
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in [*row[:8], row[9], row[10]])
        assert row[8] == f"{Decimal(row[8]):.2f}"
    assert {"'=1+1", "'-5", "'@SUM(A1)", "'+49 30", "Rent"} <= {row[6] for row in rows}
    assert "'@home" in {row[1] for row in rows}
    assert any(row[8].startswith("-") for row in rows)


@proves("V1.2.10")
@in_one_world("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_every_text_that_starts_a_formula_is_quoted(start: str) -> None:
    assert harmless(f"{start}cmd") == f"'{start}cmd"
    assert harmless(f"a{start}") == f"a{start}"


def test_the_file_is_a_download_that_is_not_kept_and_names_its_days(
    alice: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    client = browser_of(alice)
    answer = client.get(URL, {"date_from": "2026-01-02", "date_to": "2026-03-04"})
    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Disposition"] == 'attachment; filename="movements-from-2026-01-02-until-2026-03-04.csv"'
    assert f"movements-until-{timezone.localdate()}.csv" in client.get(URL)["Content-Disposition"]


def test_nobodys_number_stands_in_full_in_the_file(
    alice: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """R6.2's rule for files that leave the bank."""
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(1), idempotency_key=new_key())
    text = browser_of(alice).get(URL).getvalue().decode()
    assert bobs.masked_number in text
    for account in (everyday, bobs):
        assert account.number not in text
        assert account.number_grouped not in text


def test_one_entry_in_the_audit_log_tells_of_it(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    """R6.1, R6.2."""
    client = browser_of(alice)
    client.get(URL, {"account": everyday.public_id, "type": "deposit", "text": everyday.number}).getvalue()
    (entry,) = AuditEntry.objects.filter(action="EXPORT_DOWNLOADED")
    filters = {"account": str(everyday.public_id), "type": "deposit", "text": "…"}
    assert entry.details == {"format": "csv", "filters": filters, "rows_at_most": 100_000}
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(everyday.public_id))
    client.head(URL)
    assert AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").count() == 1


def test_it_is_read_in_chunks_while_it_is_sent(
    alice: Any, lively: list[BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constant memory: nothing is read before it is needed, and the same for each chunk."""
    monkeypatch.setattr(filtered, "CHUNK_ROWS", 50)
    rows = filtered.filtered_rows(alice, HistoryFilters(), most=175)
    counts = []
    for size in (50, 50, 50, 25):
        with CaptureQueriesContext(connection) as captured:
            assert len([next(rows) for _ in range(size)]) == size
        counts.append(len(captured))
    assert counts == [2, 2, 2, 2]
    assert list(rows) == []


def test_the_cap_keeps_the_latest(
    alice: Any, browser_of: Callable, lively: list[BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "EXPORT_ROWS", 40)
    client = browser_of(alice)
    rows = table(client.get(URL))
    assert [row[7] for row in rows] == [row.reference for row in all_pages(client, {})[:40]]


def test_filters_that_are_not_understood_lead_to_the_page_that_says_so(
    alice: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    answer = browser_of(alice).get(URL, {"date_from": "2026-02-30", "type": "fee"})
    assert (answer.status_code, answer["Location"]) == (302, "/history/?date_from=2026-02-30&type=fee")
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


def test_the_file_is_for_its_owner_alone(charlie: Any, sam: Any, browser_of: Callable, everyday: BankAccount) -> None:
    """R1.7."""
    client = browser_of(charlie)
    assert table(client.get(URL)) == []
    assert client.get(URL, {"account": everyday.public_id}).status_code == 302
    assert browser_of(sam).get(URL).status_code == 403
    with pytest.raises(PermissionDenied):
        exports.export_history(actor=sam, filters=HistoryFilters())
