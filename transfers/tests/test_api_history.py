"""Movements and statements through the API: the pages' filters, pages by key, each to its owner alone (R7.2, R3.7)."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.api_client import ApiClient, told
from tests.tables import in_one_world
from transfers.history import monthly
from transfers.orders import cash

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


@pytest.fixture
def pay_in(alice: Any, no_minute_limits: None, new_key: Callable) -> Callable[..., Any]:
    def one(account: BankAccount, amount: str, **more: Any) -> Any:
        arguments = {"actor": alice, "account": account, "amount": Decimal(amount), "idempotency_key": new_key()}
        return cash.deposit(**arguments | more)

    return one


@pytest.fixture
def lived(everyday: BankAccount, savings: BankAccount, known: BankAccount, pay_in: Callable, alice: Any) -> BankAccount:
    """Alice's account with an opening deposit of 100.00, deposits of 1.00 to 3.00 and a payment of 10.00 to Bob."""
    for number in (1, 2, 3):
        pay_in(everyday, f"{number}.00", description=f"Coins {number}")
    acts.transfer(
        actor=alice,
        source=everyday,
        target=known,
        amount=Decimal(10),
        description="Lunch",
        idempotency_key="lunch-with",
    )
    everyday.refresh_from_db()
    return everyday


def amounts(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["amount"] for row in answer.json()["items"]]


def pages_of(api: ApiClient, path: str, **filters: str) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(path, filters | ({"cursor": cursor} if cursor else {})).json()
        yield page["items"]
        cursor = page["next_cursor"]


# --- Movements ---------------------------------------------------------------------------------------------------


def test_a_movement_says_all_that_the_page_does(alices: ApiClient, lived: BankAccount, known: BankAccount) -> None:
    row = alices.get(f"accounts/{lived.number}/transactions").json()["items"][0]
    order = alices.get(f"orders/{row.pop('order_id')}").json()
    assert row.pop("posted_at") >= order["created_at"]
    assert row == {
        "account_id": str(lived.public_id),
        "account_number": lived.masked_number,
        "sequence": 5,
        "type": "transfer",
        "label": "Transfer to Bob Brandt",
        "description": "Lunch",
        "counterpart_name": "Bob Brandt",
        "counterpart_name_confirmed": True,
        "counterpart_label": "",
        "counterpart_number": known.masked_number,
        "amount": "-10.00",
        "balance_after": "96.00",
        "reference": order["reference"],
        "reversed_at": None,
        "reversed_by": "",
        "reverses": "",
    }


def test_all_accounts_or_one_newest_first(
    alices: ApiClient, lived: BankAccount, savings: BankAccount, pay_in: Callable
) -> None:
    pay_in(savings, "7")
    assert amounts(alices.get("transactions")) == ["7.00", "-10.00", "3.00", "2.00", "1.00", "100.00"]
    assert amounts(alices.get(f"accounts/{savings.number}/transactions")) == ["7.00"]


def test_nobody_elses_movements_are_among_them(
    alices: ApiClient, lived: BankAccount, known: BankAccount, api_of: Callable, bob: Any, charlie: Any
) -> None:
    # R1.7
    assert amounts(api_of(bob).get("transactions")) == ["10.00"]
    assert api_of(charlie).get("transactions").json() == {"items": [], "next_cursor": None}
    assert known.number not in alices.get("transactions").content.decode()


FILTERED: list[tuple[dict[str, str], list[str]]] = [
    ({"type": "transfer"}, ["-10.00"]),
    ({"type": "deposit", "max_amount": "2.00"}, ["2.00", "1.00"]),
    ({"min_amount": "3", "max_amount": "10"}, ["-10.00", "3.00"]),
    ({"min_amount": "0"}, ["-10.00", "3.00", "2.00", "1.00", "100.00"]),
    ({"text": "coins 2"}, ["2.00"]),
    ({"text": "bob"}, ["-10.00"]),
    ({"date_from": "2026-04-21"}, []),
    ({"date_to": "2026-04-19"}, []),
    ({"date_from": "2026-04-20", "date_to": "2026-04-20", "text": "lunch"}, ["-10.00"]),
    ({"type": "fee"}, []),
]


def test_the_filters_are_those_of_the_page(
    alice: Any, api_of: Callable, request: pytest.FixtureRequest, subtests: pytest.Subtests
) -> None:
    # R3.7
    with time_machine.travel(NOW, tick=True):
        account = request.getfixturevalue("lived")
        api = api_of(alice)
        for filters, found in FILTERED:
            with subtests.test(**filters):
                assert amounts(api.get("transactions", filters)) == found
                assert amounts(api.get(f"accounts/{account.number}/transactions", filters)) == found


@in_one_world(
    ("filters", "field"),
    [
        ({"type": "gift"}, "type"),
        ({"type": ""}, "type"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_from": "2026-02-30"}, "date_from"),
        ({"date_from": "20.4.2026"}, "date_from"),
        ({"date_from": ""}, "date_from"),
        ({"date_to": "1999-12-31"}, "date_to"),
        ({"date_to": "9999-12-31"}, "date_to"),
        ({"date_to": "٢٠٢٦-٠٤-٢٠"}, "date_to"),
        ({"date_from": "2026-04-21", "date_to": "2026-04-20"}, "date_to"),
        ({"min_amount": "NaN"}, "min_amount"),
        ({"min_amount": "1,000.00"}, "min_amount"),
        ({"max_amount": "0.001"}, "max_amount"),
        ({"min_amount": "2", "max_amount": "1"}, "max_amount"),
        ({"text": "x" * 141}, "text"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "1" * 41}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "99999999999999999"}, "cursor"),
        ({"account": "1"}, "account"),
        ({"older_than": "5"}, "older_than"),
    ],
)
def test_a_filter_that_is_not_understood_shows_nothing(
    alices: ApiClient, lived: BankAccount, filters: dict[str, str], field: str
) -> None:
    for path in ("transactions", f"accounts/{lived.number}/transactions"):
        answer = alices.get(path, filters)
        assert told(answer) == (422, "invalid")
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_pages_go_on_where_the_one_before_ended(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount, pay_in: Callable
) -> None:
    # R7.2: each movement once, though another arrives meanwhile.
    for number in range(60):
        pay_in((everyday, savings)[number % 2], f"{number + 1}.00")
    sizes, seen = [], []
    for page in pages_of(alices, "transactions", type="deposit"):
        sizes.append(len(page))
        seen += [(row["account_id"], row["sequence"]) for row in page]
        pay_in(everyday, "0.01")
    assert sizes == [25, 25, 11]
    assert len(set(seen)) == 61
    of_one = [row["sequence"] for page in pages_of(alices, f"accounts/{savings.number}/transactions") for row in page]
    assert of_one == list(range(30, 0, -1))


def test_the_cursor_of_another_list_is_refused(alices: ApiClient, everyday: BankAccount, pay_in: Callable) -> None:
    """It would begin somewhere, and missing rows would not show."""
    for _ in range(30):
        pay_in(everyday, "1")
    here = f"accounts/{everyday.number}/transactions"
    of_all, of_one = (alices.get(path).json()["next_cursor"] for path in ("transactions", here))
    assert told(alices.get(here, {"cursor": of_all})) == (422, "invalid")
    assert told(alices.get("transactions", {"cursor": of_one})) == (422, "invalid")


def test_a_page_of_twenty_five_costs_no_more_statements_than_one_of_one(
    alices: ApiClient, everyday: BankAccount, pay_in: Callable
) -> None:
    """The token's session with user and role, entries, counterparts with orders; the account, where one is named."""
    paths = {"transactions": 3, f"accounts/{everyday.number}/transactions": 4}
    for _ in range(2):
        for path, count in paths.items():
            with CaptureQueriesContext(connection) as captured:
                answer = alices.get(path)
            assert len(captured) == count, [query["sql"] for query in captured]
        for _ in range(26):
            pay_in(everyday, "1")
    assert len(answer.json()["items"]) == 25


# --- Statements --------------------------------------------------------------------------------------------------


@pytest.fixture
def months(alice: Any, open_account: Callable, pay_in: Callable) -> Iterator[BankAccount]:
    """Alice's account: 10.00 in January, nothing in February, 5.00 in and 3.00 out in April, which is now."""
    account = open_account(alice, nickname="Everyday", at=datetime(2026, 1, 15, 9, tzinfo=UTC))
    pay_in(account, "10", at=datetime(2026, 1, 16, 9, tzinfo=UTC))
    pay_in(account, "5", at=datetime(2026, 4, 2, 9, tzinfo=UTC))
    with time_machine.travel(NOW, tick=True):
        cash.withdraw(actor=alice, account=account, amount=Decimal(3), idempotency_key="three out")
        yield account


def test_the_months_of_an_account_latest_first(months: BankAccount, api_of: Callable, alice: Any) -> None:
    # R3.7
    items = api_of(alice).get(f"accounts/{months.number}/statements").json()["items"]
    assert items == [{"year": 2026, "month": number} for number in (4, 3, 2, 1)]


def test_a_statement_adds_up(months: BankAccount, api_of: Callable, alice: Any) -> None:
    # R3.7
    api = api_of(alice)
    april = api.get(f"accounts/{months.number}/statements/2026/4").json()
    rows = april.pop("items")
    assert april.pop("made_at").startswith("2026-04-20T12:00")
    assert april == {
        "account_id": str(months.public_id),
        "account_number": months.masked_number,
        "holder": "Alice Archer",
        "year": 2026,
        "month": 4,
        "is_so_far": True,
        "opening": "10.00",
        "money_in": "5.00",
        "money_out": "3.00",
        "closing": "12.00",
    }
    assert [(row["amount"], row["balance_after"]) for row in rows] == [("5.00", "15.00"), ("-3.00", "12.00")]
    february = api.get(f"accounts/{months.number}/statements/2026/2").json()
    assert (february["items"], february["opening"], february["is_so_far"]) == ([], "10.00", False)


def test_the_same_statement_as_a_pdf(months: BankAccount, api_of: Callable, alice: Any) -> None:
    answer = api_of(alice).get(f"accounts/{months.number}/statements/2026/04/pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="statement-2026-04-{months.masked_number[-4:]}.pdf"'
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    assert "12.00" in text


def test_reading_one_is_in_the_audit_log(months: BankAccount, api_of: Callable, alice: Any) -> None:
    # R6.1
    api = api_of(alice)
    for end in ("", "/pdf"):
        api.get(f"accounts/{months.number}/statements/2026/4{end}")
    entries = AuditEntry.objects.filter(action="EXPORT_DOWNLOADED", actor_id=alice.pk).order_by("pk")
    assert [entry.details["format"] for entry in entries] == ["json", "pdf"]
    assert {entry.details["month"] for entry in entries} == {"2026-04"}


@in_one_world("month", ["2025/12", "2026/5", "2099/12"])
@in_one_world("end", ["", "/pdf"])
def test_a_month_that_was_not_is_404(months: BankAccount, api_of: Callable, alice: Any, month: str, end: str) -> None:
    assert told(api_of(alice).get(f"accounts/{months.number}/statements/{month}{end}")) == (404, "not_found")


@in_one_world("month", ["2026/0", "2026/13", "0/1", "10000/1", "x/1", "2026/-1", "2026/1.5", "9" * 5000 + "/1"])
def test_anything_except_a_month_is_refused(months: BankAccount, api_of: Callable, alice: Any, month: str) -> None:
    assert told(api_of(alice).get(f"accounts/{months.number}/statements/{month}")) == (422, "invalid")


def test_a_month_with_more_than_a_statement_holds_says_so(
    months: BankAccount, api_of: Callable, alice: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(monthly, "STATEMENT_ROWS", 1)
    for end in ("", "/pdf"):
        answer = api_of(alice).get(f"accounts/{months.number}/statements/2026/4{end}")
        assert told(answer) == (409, "statement_too_long")
        assert "CSV" not in answer.json()["detail"]
