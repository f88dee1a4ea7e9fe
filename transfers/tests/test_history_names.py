"""The history's text search finds the names in its rows, and no others (R3.7, R1.7)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BankAccount
from tests import acts
from tests.tables import in_one_world
from transfers.models import Payee
from transfers.tests.test_history_filters import NOON, URL, planned, post, shown


def found(client: Any, text: str, **more: Any) -> list[tuple[str, Decimal]]:
    return [(row.counterpart_name, row.amount) for row in shown(client, text=text, **more)]


@pytest.fixture
def with_bob(
    alice: Any, bob: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> Any:
    """Alice has paid Bob 3.00, moved 2.00 to her savings, and got 1.00 from Bob's other account."""
    rows = ((alice, everyday, bobs, "3.00"), (alice, everyday, savings, "2.00"), (bob, bobs, everyday, "1.00"))
    for actor, source, target, amount in rows:
        acts.transfer(actor=actor, source=source, target=target, amount=Decimal(amount), idempotency_key=new_key())
    return bobs


@in_one_world("text", ["Bob", "bOB bra", "ob B", "Brandt"])
def test_a_name_that_stands_in_a_row_is_found(alice: Any, browser_of: Callable, with_bob: Any, text: str) -> None:
    rows = [("Bob Brandt", Decimal("1.00")), ("Bob Brandt", Decimal("-3.00"))]
    assert found(browser_of(alice), text) == rows
    account = BankAccount.objects.exclude(nickname="Holidays").get(owner=alice)
    assert found(browser_of(alice), text, account=account.public_id) == rows


def test_own_accounts_and_labels_of_payees_are_names_too(alice: Any, browser_of: Callable, with_bob: Any) -> None:
    client = browser_of(alice)
    assert [amount for _, amount in found(client, "holiday")] == [Decimal("-2.00")]
    Payee.objects.update(label="Großmutter Ζωή")
    for text in ("großMUTTER", "GROSSMUTTER", "ΖΩΉ", "Zω".replace("Z", "Ζ"), "Ζωη\u0301"):
        assert len(found(client, text)) == 2, text


def test_a_payer_who_is_not_a_payee_is_found_and_so_is_a_payee_that_was_removed(
    alice: Any, bob: Any, browser_of: Callable, with_bob: Any
) -> None:
    Payee.objects.all().delete()
    assert len(found(browser_of(alice), "Bob")) == 2
    assert len(found(browser_of(bob), "Alice")) == 2


@in_one_world("text", ["bob@", "Charlie", "Brandt Bob", "%", "_", "["])
def test_a_search_finds_out_nothing_that_the_rows_do_not_show(
    alice: Any, charlie: Any, browser_of: Callable, with_bob: Any, open_account: Callable, text: str
) -> None:
    """R1.7: not letter by letter either."""
    open_account(charlie)
    assert found(browser_of(alice), text) == []
    assert found(browser_of(charlie), "Bob") == []


def test_pages_with_a_text_cost_three_statements_more_whatever_it_names(
    alice: Any, browser_of: Callable, with_bob: Any, everyday: BankAccount
) -> None:
    client = browser_of(alice)

    def statements(**parameters: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(URL, parameters)
        return len(captured)

    statements(text="warm")
    plain, with_text = statements(), statements(text="Bob")
    assert with_text == plain + 3
    Payee.objects.all().delete()
    post([planned(alice, everyday, number, NOON, "Bob") for number in range(2, 60, 4)])
    assert (statements(), statements(text="Bob")) == (plain, with_text)


def test_the_file_has_what_the_page_has_for_a_name(alice: Any, browser_of: Callable, with_bob: Any) -> None:
    client = browser_of(alice)
    lines = b"".join(client.get("/history/movements.csv", {"text": "bob"}).streaming_content).decode().splitlines()
    assert len(lines) == 1 + len(found(client, "bob")) == 3


def test_totals_over_several_accounts_say_that_moves_between_them_are_in_both(
    alice: Any, bob: Any, browser_of: Callable, with_bob: Any, everyday: BankAccount
) -> None:
    note = "Money moved between your own accounts is in both."
    assert note in browser_of(alice).get(URL).content.decode()
    assert note not in browser_of(alice).get(URL, {"account": everyday.public_id}).content.decode()
    assert note not in browser_of(bob).get(URL).content.decode()


def test_a_text_that_is_too_long_says_how_long_it_is(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    errors = browser_of(alice).get(URL, {"text": "x" * 500}).context["form"].errors
    assert errors == {"text": ["At most 140 characters; this has 500."]}
