"""The history page: filters in the address, chips, totals, pages by key, and one movement (R3.7)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BankAccount
from foundation.paging import Cursor
from transfers.models import Entry
from transfers.tests.test_history_filters import NOON, URL, planned, post


def test_first_and_deepest_page_run_the_same_statements_with_twenty_thousand_entries(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    """R3.7, issue 3: no OFFSET, no count of all."""
    desk = BankAccount.objects.get(ledger_code="cash-0").pk
    post(
        [
            planned(alice, account, number, NOON + timedelta(seconds=number), desk=desk)
            for number in range(2, 10_002)
            for account in (everyday, savings)
        ]
    )
    client, counts = browser_of(alice), []
    first, last = Entry.objects.filter(account=everyday).order_by("sequence")[25:27]
    deep = {
        "": Cursor.of(last, ("posted_at", "id")),
        str(everyday.public_id): Cursor.of(first, ("sequence",)),
    }
    client.get(URL)
    for account, key in deep.items():
        for more in ({}, {"older_than": key}, {"newer_than": key}):
            query = {"account": account} | more if account else more
            with CaptureQueriesContext(connection) as captured:
                response = client.get(URL, query)
            assert len(response.context["entries"]) == 25
            assert not [text for text in captured.captured_queries if "OFFSET" in text["sql"]]
            counts.append(len(captured))
    assert len(set(counts)) == 1
    assert counts[0] <= 14
