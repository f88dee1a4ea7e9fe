"""How many statements the most visited pages run, with twenty thousand entries (R2.4, R3.7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import BankAccount
from foundation.paging import Cursor
from transfers import history as selectors
from transfers.history import PAGE_ROWS
from transfers.history.filters import HistoryFilters
from transfers.ledger import posting as ledger
from transfers.ledger.posting import Planned
from transfers.models import Entry, TransactionKind

ENTRIES, BATCH = 20_000, 2_000

# session, session row, user with role and permissions, OTP device, accounts with balances over time and limit, entries,
# counterparts with orders. The note of a user's presence is written rarely: the clients here have just signed in, so it
# is not among them.
DASHBOARD = 7


@pytest.fixture
def long_lived(alice: Any, everyday: BankAccount, savings: BankAccount) -> BankAccount:
    """Alice's account with 20,000 entries, one every seven minutes until now."""
    desk = BankAccount.objects.get(ledger_code="cash-0")
    now = timezone.now()
    legs = ledger.transfer_legs(debit=desk.pk, credit=everyday.pk, amount=Decimal("1.00"))
    for start in range(1, ENTRIES, BATCH):
        with transaction.atomic():
            ledger.post_many(
                [
                    Planned(TransactionKind.DEPOSIT, legs, alice, now - timedelta(minutes=7 * (ENTRIES - number)))
                    for number in range(start, min(start + BATCH, ENTRIES))
                ]
            )
    everyday.refresh_from_db()
    assert everyday.last_sequence == ENTRIES
    return everyday


def statements_of(client: Any, url: str) -> list[str]:
    """Return what a GET runs; inside the test's own transaction, transactions become savepoints."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    texts = [query["sql"] for query in captured.captured_queries]
    return [text for text in texts if not text.startswith(("SAVEPOINT", "RELEASE"))]


def test_twenty_thousand_entries_cost_no_more_statements_than_a_few(
    alice: Any, browser_of: Callable, long_lived: BankAccount
) -> None:
    """R2.4, R3.7: the deepest page of the history does not either."""
    client, history = browser_of(alice), reverse("history")
    statements = statements_of(client, reverse("dashboard"))
    assert len(statements) == DASHBOARD, "\n".join(statements)
    assert not [text for text in statements if text.startswith("UPDATE")]  # looking writes nothing
    assert client.get(reverse("dashboard")).context["balance_picture"]["last"].balance == long_lived.balance

    # The key of the 26th movement from the beginning, in one account and in all.
    before_all = Cursor.of(Entry(posted_at=datetime(1970, 1, 1, tzinfo=UTC), id=0), ("posted_at", "id"))
    oldest = selectors.filtered_page(alice, HistoryFilters(), before=before_all)
    assert [row.sequence for row in oldest.items] == list(range(PAGE_ROWS + 1, 1, -1))
    keys = {
        HistoryFilters(account=long_lived): Cursor.of(Entry(sequence=PAGE_ROWS + 1), ("sequence",)),
        HistoryFilters(): oldest.previous_cursor or "",
    }
    counts = set()
    for filters, key in keys.items():
        deepest = filters.url(history, older_than=key)
        assert client.get(deepest).context["older_url"] is None
        for url in (filters.url(history), deepest):
            statements = statements_of(client, url)
            counts.add(len(statements))
            assert not [text for text in statements if "OFFSET" in text]
    assert len(counts) == 1
