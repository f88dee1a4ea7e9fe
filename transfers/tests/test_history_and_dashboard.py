"""The dashboard and the pages of an account's history (R2.4, R3.7)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount
from foundation.paging import Cursor
from tests import acts
from tests.tables import in_one_world
from transfers import history
from transfers.ledger import posting as ledger
from transfers.models import Entry, TransactionKind
from transfers.orders import cash, sending
from transfers.payees import services as payees

PAGE = history.PAGE_ROWS


@pytest.fixture
def busy(alice: Any, everyday: BankAccount) -> BankAccount:
    """Alice's account with 60 entries."""
    desk = BankAccount.objects.get(ledger_code="cash-0")
    for number in range(2, 61):
        ledger.post(
            kind=TransactionKind.DEPOSIT,
            legs=ledger.transfer_legs(debit=desk.pk, credit=everyday.pk, amount=Decimal(number)),
            initiated_by=alice,
            at=timezone.now(),
            description=f"No. {number}",
        )
    everyday.refresh_from_db()
    return everyday


def url_of(account: BankAccount) -> str:
    return reverse("account", args=[account.public_id])


def cursor(sequence: int) -> str:
    return Cursor.of(Entry(sequence=sequence), ("sequence",))


# --- History ------------------------------------------------------------------------------------------------


def test_the_pages_run_through_the_whole_history_without_gap_or_repeat(busy: BankAccount) -> None:
    older, newer = [], []
    page = history.history_page(busy)
    assert page.previous_cursor is None
    while True:
        older.append([row.sequence for row in page.items])
        if page.next_cursor is None:
            break
        page = history.history_page(busy, after=page.next_cursor)
    assert [number for numbers in older for number in numbers] == list(range(60, 0, -1))
    assert [len(numbers) for numbers in older] == [PAGE, PAGE, 10]
    while True:
        newer.append([row.sequence for row in page.items])
        if page.previous_cursor is None:
            break
        page = history.history_page(busy, before=page.previous_cursor)
    assert [number for numbers in reversed(newer) for number in numbers] == list(range(60, 0, -1))


def test_the_links_of_the_page_lead_to_the_end_and_back(alice: Any, browser_of: Callable, busy: BankAccount) -> None:
    client = browser_of(alice)
    response, seen = client.get(url_of(busy)), []
    while True:
        seen += [row.sequence for row in response.context["entries"]]
        if not response.context["older_url"]:
            break
        response = client.get(response.context["older_url"])
    assert seen == list(range(60, 0, -1))
    assert len(response.context["entries"]) == 10
    response = client.get(response.context["newer_url"])
    assert [row.sequence for row in response.context["entries"]] == list(range(35, 10, -1))


def test_new_entries_do_not_shift_the_older_pages(alice: Any, busy: BankAccount, new_key: Callable) -> None:
    """Page numbers would: an entry shown twice, another never."""
    first = history.history_page(busy)
    cash.deposit(actor=alice, account=busy, amount=Decimal(1), idempotency_key=new_key())
    busy.refresh_from_db()
    second = history.history_page(busy, after=first.next_cursor)
    assert first.items[-1].sequence - 1 == second.items[0].sequence


def test_the_deepest_page_costs_what_the_first_does(alice: Any, browser_of: Callable, busy: BankAccount) -> None:
    client, counts, texts = browser_of(alice), [], []
    client.get(url_of(busy))
    for query in ("", f"?older_than={cursor(30)}", f"?older_than={cursor(11)}", f"?newer_than={cursor(10)}"):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url_of(busy) + query).status_code == 200
        counts.append(len(captured))
        texts += [query["sql"] for query in captured.captured_queries]
    assert len(set(counts)) == 1
    assert counts[0] <= 14
    assert not [text for text in texts if "OFFSET" in text or "COUNT(" in text.upper()]


def test_a_row_says_what_happened_with_whom_and_what_it_did_to_the_balance(
    alice: Any, bob: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    """R3.7."""
    move = {"actor": alice, "source": everyday, "description": "Lunch"}
    order = acts.transfer(target=bobs, amount=Decimal("12.00"), idempotency_key=new_key(), **move)
    acts.transfer(target=savings, amount=Decimal("5.00"), idempotency_key=new_key(), **move)
    cash.withdraw(actor=alice, account=everyday, amount=Decimal(1), idempotency_key=new_key())
    everyday.refresh_from_db()
    rows = [
        (row.label, row.counterpart, row.amount, row.balance_after, row.direction_word)
        for row in history.history_page(everyday).items
    ]
    assert rows == [
        ("Withdrawal", "", Decimal("-1.00"), Decimal("82.00"), "out"),
        ("Transfer to Holidays", savings.masked_number, Decimal("-5.00"), Decimal("83.00"), "out"),
        ("Transfer to Bob Brandt", bobs.masked_number, Decimal("-12.00"), Decimal("88.00"), "out"),
        ("Deposit", "", Decimal("100.00"), Decimal("100.00"), "in"),
    ]
    bobs.refresh_from_db()
    (row,) = history.history_page(bobs).items
    assert (row.label, row.amount, row.description) == ("Transfer from Alice Archer", Decimal("12.00"), "Lunch")
    assert order.transaction is not None
    assert row.reference == order.transaction.reference
    assert row.order_id == order.public_id


def test_interest_has_no_order_and_so_no_receipt(alice: Any, busy: BankAccount) -> None:
    row = history.history_page(busy).items[0]
    assert (row.label, row.order_id, row.description) == ("Deposit", None, "No. 60")


@in_one_world(
    "query",
    [
        *("older_than=x", "older_than=-1", "older_than=٣", "newer_than=" + "9" * 30, "x=1"),
        *("older_than=30", "older_than=" + "f" * 16, f"newer_than={UUID(int=30)}"),
    ],
)
def test_nonsense_in_the_url_shows_the_first_page(
    alice: Any, browser_of: Callable, busy: BankAccount, query: str
) -> None:
    response = browser_of(alice).get(f"{url_of(busy)}?{query}")
    assert response.context["entries"][0].sequence == 60


@in_one_world("query", [f"older_than={cursor(1)}", f"newer_than={cursor(60)}"])
def test_beyond_either_end_there_is_nothing(alice: Any, browser_of: Callable, busy: BankAccount, query: str) -> None:
    response = browser_of(alice).get(f"{url_of(busy)}?{query}")
    assert response.status_code == 200
    assert response.context["entries"] == []


def test_an_account_offers_only_what_can_be_done_with_it(
    alice: Any, browser_of: Callable, everyday: BankAccount, freeze: Callable, settings: Any
) -> None:
    """R2.3, R3.2."""
    client = browser_of(alice)
    labels = [action["label"] for action in client.get(url_of(everyday)).context["actions"]]
    assert labels == ["Send money", "Deposit", "Withdraw"]
    settings.SELF_SERVICE_CASH = False
    page = client.get(url_of(everyday))
    assert [action["label"] for action in page.context["actions"]] == ["Send money"]
    freeze(everyday)
    assert client.get(url_of(everyday)).context["actions"] == []


# --- Dashboard ----------------------------------------------------------------------------------------------


def test_the_dashboard_shows_every_open_account_its_last_five_entries_and_the_total(
    alice: Any, browser_of: Callable, busy: BankAccount, savings: BankAccount, open_account: Callable, freeze: Callable
) -> None:
    """R2.4."""
    closed, frozen = open_account(alice), open_account(alice, "7.00")
    freeze(closed, AccountStatus.CLOSED)
    freeze(frozen)
    response = browser_of(alice).get(reverse("dashboard"))
    shown = {item["account"].pk: [row.sequence for row in item["entries"]] for item in response.context["accounts"]}
    assert shown == {busy.pk: [60, 59, 58, 57, 56], savings.pk: [], frozen.pk: [1]}
    assert response.context["total"] == busy.balance + Decimal(7)
    assert response.context["daily"].remaining == Decimal(25000)


def test_the_dashboard_asks_the_database_a_fixed_number_of_times(
    alice: Any, browser_of: Callable, open_account: Callable, everyday: BankAccount
) -> None:
    """R5.4's rule for everyone: no query for each account or entry."""
    client, counts = browser_of(alice), []
    client.get(reverse("dashboard"))
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse("dashboard")).status_code == 200
        texts = [query["sql"] for query in captured.captured_queries]
        counts.append(sum(not text.startswith(("SAVEPOINT", "RELEASE")) for text in texts))
        for _ in range(4):
            open_account(alice, "5.00")
    assert len(set(counts)) == 1
    assert counts[0] <= 12


def test_a_new_customer_is_told_what_comes_next(charlie: Any, browser_of: Callable, everyday: BankAccount) -> None:
    """R10.3; and sees nothing of anybody else."""
    response = browser_of(charlie).get(reverse("dashboard"))
    assert response.context["accounts"] == []
    assert reverse("account_open") in response.content.decode()


# --- Selectors ----------------------------------------------------------------------------------------------


def test_selectors_return_the_users_own_rows_only(
    alice: Any,
    bob: Any,
    charlie: Any,
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    new_key: Callable,
) -> None:
    """R1.7."""
    order = acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(10), idempotency_key=new_key())
    assert history.accounts_of(alice) == [everyday, savings]
    assert history.accounts_of(bob) == [bobs]
    assert history.accounts_of(charlie) == []
    assert history.account_of(alice, everyday.public_id) == everyday
    for stranger in (bob, charlie):
        with pytest.raises(BankAccount.DoesNotExist):
            history.account_of(stranger, everyday.public_id)
    for side in (alice, bob):
        assert history.receipt_for(side, order.public_id).amount == Decimal(10)
    with pytest.raises(type(order).DoesNotExist):
        history.receipt_for(charlie, order.public_id)
    assert history.daily_use(alice).used == Decimal(10)
    assert history.daily_use(bob).used == history.daily_use(charlie).used == 0


def test_closed_accounts_come_last_and_inactive_ones_not_where_money_is_to_move(
    alice: Any, everyday: BankAccount, savings: BankAccount, open_account: Callable, freeze: Callable
) -> None:
    third = open_account(alice)
    freeze(everyday, AccountStatus.CLOSED)
    freeze(third)
    assert history.accounts_of(alice) == [savings, third, everyday]
    assert history.accounts_of(alice, active_only=True) == [savings]


def test_ones_own_frozen_account_is_found_by_number_anothers_is_not(
    alice: Any, bob: Any, everyday: BankAccount, freeze: Callable
) -> None:
    freeze(everyday)
    assert payees.find_payee(actor=alice, number=everyday.number_grouped).account == everyday
    with pytest.raises(sending.PayeeCannotReceive):
        payees.find_payee(actor=bob, number=everyday.number_grouped)


def test_what_remains_of_the_day_is_never_less_than_nothing() -> None:
    assert history.DailyUse(limit=Decimal(10), used=Decimal(15)).remaining == 0
