"""Monthly statements as PDF: they add up, only their owner gets them, and no name breaks them (R3.7, R6.1)."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from accounts.models import AccountKind, AccountStatus, BankAccount
from audit.models import AuditEntry
from foundation.money import format_money
from tests.tables import in_one_world
from transfers import history
from transfers.history import monthly
from transfers.ledger import posting as ledger
from transfers.models import Direction, Entry, TransactionKind
from transfers.periods import Month
from transfers.statements import exports
from transfers.statements.pdf import statement_pdf

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
OPENED = datetime(2026, 1, 15, 9, tzinfo=UTC)
MONTHS = [Month(2026, number) for number in (1, 2, 3, 4)]


@pytest.fixture
def account(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's account of three months and a half, with a movement every nine hours; in March there is none."""
    account = open_account(alice, nickname="Everyday", at=OPENED)
    desk = BankAccount.objects.get(ledger_code="cash-0").pk
    batch, at = [], OPENED
    for number in range(1, 230):
        at += timedelta(hours=9)
        if at.month == 3 or at > NOW:
            continue
        pair = (account.pk, desk) if number % 3 == 0 else (desk, account.pk)
        legs = ledger.transfer_legs(debit=pair[0], credit=pair[1], amount=Decimal(number % 7 + 1) + Decimal("0.05"))
        batch.append(ledger.Planned(TransactionKind.INTEREST, legs, alice, at, f"No. {number}"))
    with transaction.atomic():
        ledger.post_many(batch)
    account.refresh_from_db()
    return account


def url_of(account: BankAccount, month: Month) -> str:
    return f"/accounts/{account.public_id}/statements/{month.year}/{month.number}/"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def amount_after(label: str, text: str) -> Decimal:
    found = re.search(rf"^{label}\s*(€[\d,.]+)$", text, re.MULTILINE)
    assert found, label
    return Decimal(found[1].lstrip("€").replace(",", ""))


def in_and_out(account: BankAccount, month: Month) -> list[Decimal]:
    """Return what the ledger says, read in another way."""
    rows = Entry.objects.filter(account=account, posted_at__gte=month.starts_at, posted_at__lt=month.ends_at)
    sides = [Direction.CREDIT, Direction.DEBIT]
    return [rows.filter(direction=side).aggregate(sum=Sum("amount"))["sum"] or Decimal(0) for side in sides]


@time_machine.travel(NOW, tick=False)
def test_each_month_equals_the_ledger_and_goes_on_from_the_last(
    alice: Any, browser_of: Callable, account: BankAccount
) -> None:
    client, balance = browser_of(alice), Decimal(0)
    for month in MONTHS:
        answer = client.get(url_of(account, month))
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert f'"statement-2026-0{month.number}-{account.masked_number[-4:]}.pdf"' in answer["Content-Disposition"]
        assert "no-store" in answer["Cache-Control"]
        text = text_of(answer.content)
        closing = amount_after("Balance so far" if month == MONTHS[-1] else "Closing balance", text)
        assert amount_after("Opening balance", text) == balance
        assert [amount_after("In", text), amount_after("Out", text)] == in_and_out(account, month)
        assert closing == balance + amount_after("In", text) - amount_after("Out", text)
        entries = Entry.objects.filter(account=account, posted_at__gte=month.starts_at, posted_at__lt=month.ends_at)
        references = list(entries.order_by("sequence").values_list("transaction__reference", flat=True))
        assert re.findall(r"Reference ([0-9A-Z-]{14})", text) == references
        assert ("No money moved in this month." in text) == (not references)
        balance = closing
    assert balance == account.balance


@time_machine.travel(NOW, tick=False)
def test_it_names_its_owner_and_hides_the_number(alice: Any, browser_of: Callable, account: BankAccount) -> None:
    text = text_of(browser_of(alice).get(url_of(account, MONTHS[1])).content)
    for part in ("Alder Bank", "Alice Archer", "Everyday (Checking)", "February 2026", account.masked_number[-4:]):
        assert part in text
    assert str(account.number) not in text.replace(" ", "")
    assert "So far" not in text
    assert "So far: as of 20 Apr 2026" in text_of(browser_of(alice).get(url_of(account, MONTHS[3])).content)


@in_one_world(
    ("first", "last", "shown"),
    [
        ("Zoë", "O’Brien-Łukasz", "Zoë O’Brien-Łukasz"),
        ("Жанна", "Ωμέγα", "Жанна Ωμέγα"),
        ("家", "Smith", "? Smith"),
        ("محمد", "x", "???? x"),
        ("👩‍👩‍👧", "<b>{}", "<b>{}"),
        ("W" * 100, "W" * 100, "WWW"),
    ],
)
def test_no_name_breaks_it(make_user: Callable, open_account: Callable, first: str, last: str, shown: str) -> None:
    user = make_user(first, last_name=last, email="x@example.com")
    account = open_account(user, "5.00", nickname=f"**{first[:20]}__")
    month = Month.of(account.opened_at)
    text = text_of(statement_pdf(history.statement_for(user, account, month, at=account.opened_at)))
    assert shown in text
    assert ("stand as ?" in text) == ("?" in shown or "👩" in first)
    assert format_money(Decimal(5)) in text


@time_machine.travel(NOW, tick=False)
@in_one_world("month", ["2025/12", "2026/5", "2026/0", "2026/13", "0/1", "9999/12", f"{'9' * 30}/1", "2026/-1", "x/1"])
def test_months_without_a_statement_are_not_found(
    alice: Any, browser_of: Callable, account: BankAccount, month: str
) -> None:
    assert browser_of(alice).get(f"/accounts/{account.public_id}/statements/{month}/").status_code == 404
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


@time_machine.travel(NOW, tick=False)
def test_all_months_are_listed_latest_first(alice: Any, browser_of: Callable, account: BankAccount) -> None:
    client = browser_of(alice)
    page = client.get(f"/accounts/{account.public_id}/statements/")
    assert [row["url"] for row in page.context["months"]] == [url_of(account, month) for month in MONTHS[::-1]]
    assert [row["is_so_far"] for row in page.context["months"]] == [True, False, False, False]
    assert (
        f'href="/accounts/{account.public_id}/statements/"'
        in client.get(f"/accounts/{account.public_id}/").content.decode()
    )


def test_the_statements_of_a_closed_account_end_with_it(account: BankAccount) -> None:
    account.status, account.closed_at = AccountStatus.CLOSED, datetime(2026, 2, 27, tzinfo=UTC)
    assert history.statement_months(account, at=NOW) == [Month(2026, 2), Month(2026, 1)]


def test_an_account_that_goes_back_over_a_year(account: BankAccount) -> None:
    account.opened_at = datetime(2024, 11, 30, tzinfo=UTC)
    months = history.statement_months(account, at=NOW)
    assert (len(months), months[0], months[-1]) == (18, Month(2026, 4), Month(2024, 11))


def test_months_begin_when_they_do_at_the_bank(settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    assert Month(2026, 3).starts_at == datetime(2026, 2, 28, 11, tzinfo=UTC)
    assert Month(2026, 12).ends_at == datetime(2026, 12, 31, 11, tzinfo=UTC)
    assert Month.of(datetime(2026, 2, 28, 11, tzinfo=UTC)) == Month(2026, 3)


@time_machine.travel(NOW, tick=False)
def test_one_entry_in_the_audit_log_tells_of_it(alice: Any, browser_of: Callable, account: BankAccount) -> None:
    """R6.1."""
    browser_of(alice).get(url_of(account, MONTHS[0]))
    (entry,) = AuditEntry.objects.filter(action="EXPORT_DOWNLOADED")
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(account.public_id))
    assert entry.details == {"format": "pdf", "month": "2026-01"}


@time_machine.travel(NOW, tick=False)
def test_it_is_for_its_owner_alone(charlie: Any, sam: Any, browser_of: Callable, account: BankAccount) -> None:
    """R1.7."""
    for url in (url_of(account, MONTHS[0]), f"/accounts/{account.public_id}/statements/"):
        assert browser_of(charlie).get(url).status_code == 404
        assert browser_of(sam).get(url).status_code == 403
    with pytest.raises(BankAccount.DoesNotExist):
        exports.download_statement(actor=charlie, account=account, month=MONTHS[0], at=NOW)
    with pytest.raises(PermissionDenied):
        exports.download_statement(actor=sam, account=account, month=MONTHS[0], at=NOW)
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


@time_machine.travel(NOW, tick=False)
def test_a_month_too_long_to_print_leads_to_its_history(
    alice: Any, browser_of: Callable, account: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monthly, "STATEMENT_ROWS", 10)
    answer = browser_of(alice).get(url_of(account, MONTHS[1]), follow=True)
    assert answer.redirect_chain == [
        (f"/history/?account={account.public_id}&date_from=2026-02-01&date_to=2026-02-28", 302)
    ]
    assert "Download them as CSV" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


def test_a_longer_month_costs_no_more_statements(alice: Any, account: BankAccount, open_account: Callable) -> None:
    short, counts = open_account(alice, "1.00", kind=AccountKind.SAVINGS, at=OPENED), []
    for one in (account, short):
        with CaptureQueriesContext(connection) as captured:
            assert history.statement_for(alice, one, MONTHS[0], at=NOW).rows
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 6
