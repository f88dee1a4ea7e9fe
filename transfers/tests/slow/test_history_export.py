"""The CSV export: what is shown, row for row, and nothing that a spreadsheet would run (R3.7, R6.1)."""

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import BankAccount
from transfers.tests.test_history_export import KINDS, START, URL, all_pages, live_lively, table


@pytest.fixture
def lively(alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> list[BankAccount]:
    return live_lively(alice, everyday, savings, bobs)


def random_query(draw: random.Random, accounts: list[BankAccount]) -> dict[str, str]:
    first = START.date() + timedelta(days=draw.randrange(30))
    choices = {
        "account": str(draw.choice(accounts).public_id),
        "date_from": first.isoformat(),
        "date_to": (first + timedelta(days=draw.randrange(40))).isoformat(),
        "type": draw.choice(KINDS).value,
        "min_amount": str(draw.randrange(4)),
        "max_amount": str(draw.randrange(4, 9)),
        "text": draw.choice(["rent", "RENT", "=", "é", "家", '"', "zoë", "no such thing"]),
    }
    return {name: choices[name] for name in draw.sample(sorted(choices), draw.randrange(3))}


def test_the_file_equals_the_pages_row_for_row_for_ten_random_filters(
    alice: Any, browser_of: Callable, lively: list[BankAccount]
) -> None:
    client, draw, seen = browser_of(alice), random.Random(20), 0
    for _ in range(10):
        query = random_query(draw, lively)
        shown = all_pages(client, query)
        rows = table(client.get(URL, query))
        # Each line ends with amount, currency, balance after, and the references of the two movements of a reversal.
        assert [(row[-6], Decimal(row[-5]), Decimal(row[-3]), row[1], row[4], row[5]) for row in rows] == [
            (row.reference, row.amount, row.balance_after, row.account_label, row.counterpart_name, row.counterpart)
            for row in shown
        ], query
        assert [row[6].removeprefix("'") for row in rows] == [row.description for row in shown]
        totals = client.get("/history/", query).context["totals"]
        assert sum(Decimal(row[-5]) for row in rows) == totals.money_in - totals.money_out
        seen += len(rows)
    assert seen > 160
