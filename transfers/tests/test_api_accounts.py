"""Accounts through the API: opened, read, renamed, closed, each by its owner alone (R7.2, R2.1, R2.2, R2.3)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.account_numbers import check_digits
from accounts.models import AccountKind, BankAccount
from tests.api_client import ApiClient, told
from tests.tables import in_one_world
from transfers.models import Payee, TransferOrder

KEY = {"Idempotency_Key": "a-key-of-my-own"}


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


# --- Whose -------------------------------------------------------------------------------------------------------

# Each route that is about something, with a body that would work: {number}, {order}, {payee} are Alice's.
ABOUT_HERS: list[tuple[str, str, Any]] = [
    ("GET", "accounts/{number}", None),
    ("PATCH", "accounts/{number}", {"nickname": "Mine"}),
    ("POST", "accounts/{number}/close", None),
    ("POST", "accounts/{number}/deposit", {"amount": "1"}),
    ("POST", "accounts/{number}/withdraw", {"amount": "1"}),
    ("POST", "accounts/{number}/transfer", {"amount": "1", "to": "{his}"}),
    ("GET", "accounts/{number}/transactions", None),
    ("GET", "accounts/{number}/statements", None),
    ("GET", "accounts/{number}/statements/2026/11", None),
    ("GET", "accounts/{number}/statements/2026/11/pdf", None),
    ("GET", "orders/{order}", None),
    ("GET", "orders/{order}/pdf", None),
    ("GET", "payees/{payee}", None),
    ("PATCH", "payees/{payee}", {"label": "Mine"}),
    ("DELETE", "payees/{payee}", None),
]
ABOUT_WHO_ASKS: list[tuple[str, str, Any]] = [
    ("POST", "accounts", {"kind": "checking"}),
    ("GET", "accounts", None),
    ("GET", "transactions", None),
    ("GET", "payees", None),
    ("POST", "payees/lookup", {"number": "{his}"}),
]
ROUTES = [*ABOUT_HERS, *ABOUT_WHO_ASKS]
NAMES = [f"{method} {path}" for method, path, _ in ROUTES]


@pytest.fixture
def ask(everyday: BankAccount, bobs: BankAccount, known: Any) -> Callable[..., Any]:
    """`ask(api, method, path, body)`, with something of Alice's in path and body."""
    order, payee = TransferOrder.objects.get(target=everyday), Payee.objects.get()
    names = {"number": everyday.number, "order": order.public_id, "payee": payee.public_id, "his": bobs.number}

    def send(api: ApiClient, method: str, path: str, body: Any, **other: Any) -> Any:
        path = path.format(**names | other)
        body = body and {key: value.format(**names) for key, value in body.items()}
        if method == "GET":
            return api.get(path)
        return getattr(api, method.lower())(*([path] if method == "DELETE" else [path, body]), **KEY)

    return send


@in_one_world(("method", "path", "body"), ROUTES, ids=NAMES)
def test_nobody_gets_in_without_a_token(
    method: str, path: str, body: Any, ask: Callable, api_of: Callable, books: Callable
) -> None:
    before = books()
    assert told(ask(api_of(None), method, path, body)) == (401, "token_invalid")
    assert books() == before


@in_one_world(("method", "path", "body"), ROUTES, ids=NAMES)
def test_staff_have_no_accounts_and_see_none_here(
    method: str, path: str, body: Any, ask: Callable, api_of: Callable, sam: Any, ada: Any, books: Callable
) -> None:
    # R1.7
    before = books()
    for person in (sam, ada):
        assert told(ask(api_of(person), method, path, body)) == (403, "forbidden")
    assert books() == before


@in_one_world(("method", "path", "body"), ABOUT_HERS, ids=NAMES[: len(ABOUT_HERS)])
def test_what_is_alices_is_to_charlie_as_what_does_not_exist(
    method: str, path: str, body: Any, ask: Callable, api_of: Callable, charlie: Any, books: Callable
) -> None:
    # R1.7: not a word that differs.
    before, charlies = books(), api_of(charlie)
    nobodys = {"number": "1000000000" + check_digits("1000000000"), "order": charlie.public_id}
    answers = [ask(charlies, method, path, body, **other) for other in ({}, nobodys | {"payee": charlie.public_id})]
    assert [told(answer) for answer in answers] == [(404, "not_found")] * 2
    texts = [answer.json() | {"request_id": ""} for answer in answers]
    assert texts[0] == texts[1]
    assert books() == before


# --- Numbers in addresses ----------------------------------------------------------------------------------------


@in_one_world("separator", ["", "%20", "-", "%20-%20"])
def test_the_number_of_ones_own_account_may_have_spaces_and_hyphens(
    alices: ApiClient, everyday: BankAccount, separator: str
) -> None:
    # R2.2
    answer = alices.get("accounts/" + separator.join(everyday.number_grouped.split()))
    assert (answer.status_code, answer.json()["number"]) == (200, everyday.number)


@in_one_world("wrong", ["0", "x", "123456789012", "%00", "١٢٣٤", "•••• 1234", "null", "1" * 5000])
def test_a_text_that_is_not_a_number_is_as_unknown_as_another_customers(
    alices: ApiClient, everyday: BankAccount, wrong: str
) -> None:
    assert told(alices.get(f"accounts/{wrong}")) == (404, "not_found")
    assert told(alices.get(f"accounts/{everyday.public_id}")) == (404, "not_found")
    assert told(alices.get(f"accounts/{everyday.pk}")) == (404, "not_found")


def test_a_digest_that_was_swapped_in_the_database_leads_nowhere(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount, caplog: Any
) -> None:
    # R8.1: otherwise money would leave another account than the named one.
    digest = savings.number_digest
    BankAccount.objects.filter(pk=savings.pk).update(number_digest=None)
    BankAccount.objects.filter(pk=everyday.pk).update(number_digest=digest)
    assert told(alices.get(f"accounts/{savings.number}")) == (404, "not_found")
    assert "tampered" in caplog.text


# --- Opening -----------------------------------------------------------------------------------------------------


def test_an_account_is_opened_with_a_deposit_once(alices: ApiClient, alice: Any) -> None:
    # R2.1, R3.5
    body = {"kind": "savings", "nickname": " Holidays ", "opening_deposit": "12.50"}
    first, again = (alices.post("accounts", body, **KEY) for _ in range(2))
    account = BankAccount.objects.get(owner=alice)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    told_of = first.json()
    assert told_of.pop("opened_at").endswith("Z")
    assert told_of == {
        "id": str(account.public_id),
        "number": account.number,
        "masked_number": account.masked_number,
        "name": "Holidays",
        "nickname": "Holidays",
        "kind": "savings",
        "status": "active",
        "balance": "12.50",
        "held": "0.00",
        "available": "12.50",
        "closed_at": None,
    }
    assert first["RateLimit-Policy"] == '"open";q=20;w=3600'


def test_the_key_of_an_opening_opens_nothing_else(alices: ApiClient, alice: Any) -> None:
    # R3.5
    alices.post("accounts", {"kind": "savings"}, **KEY)
    assert told(alices.post("accounts", {"kind": "checking"}, **KEY)) == (422, "idempotency_conflict")
    assert BankAccount.objects.filter(owner=alice).count() == 1


def test_a_key_is_for_one_opening_with_all_that_it_said(alices: ApiClient, books: Callable) -> None:
    # R3.5: another name was dropped silently.
    body = {"kind": "savings", "nickname": "Trips"}
    opened = alices.post("accounts", body, **KEY).json()
    before = books()
    for other in ({"nickname": "House"}, {"nickname": ""}, {"opening_deposit": "1"}):
        assert told(alices.post("accounts", body | other, **KEY)) == (422, "idempotency_conflict")
    alices.patch(f"accounts/{opened['number']}", {"nickname": "Renamed since"})
    again = alices.post("accounts", body, **KEY)
    assert (again.status_code, again.json()["id"]) == (201, opened["id"])
    assert books() == before


def test_a_key_that_opened_an_account_moves_no_money(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount, books: Callable
) -> None:
    # R3.5: a deposit took it, and the same opening again was then refused.
    opened = alices.post("accounts", {"kind": "savings"}, **KEY).json()
    before = books()
    for verb, more in (("deposit", {}), ("withdraw", {}), ("transfer", {"to": savings.number})):
        for number in (opened["number"], everyday.number):
            answer = alices.post(f"accounts/{number}/{verb}", {"amount": "1"} | more, **KEY)
            assert told(answer) == (422, "idempotency_conflict"), verb
    again = alices.post("accounts", {"kind": "savings"}, **KEY)
    assert (again.status_code, again.json()["id"]) == (201, opened["id"])
    assert books() == before


@in_one_world(
    ("body", "field", "code"),
    [
        ({}, "kind", "missing"),
        ({"kind": "cash"}, "kind", "literal_error"),
        ({"kind": None}, "kind", "literal_error"),
        ({"kind": "savings", "nickname": "x" * 41}, "nickname", "invalid"),
        ({"kind": "savings", "nickname": 1}, "nickname", "string_type"),
        ({"kind": "savings", "opening_deposit": 1}, "opening_deposit", "string_type"),
        ({"kind": "savings", "opening_deposit": "-1"}, "opening_deposit", "invalid_amount"),
        ({"kind": "savings", "owner": 1}, "owner", "extra_forbidden"),
        ({"kind": "savings", "balance": "1000000"}, "balance", "extra_forbidden"),
    ],
)
def test_an_opening_that_is_not_valid_opens_nothing(
    alices: ApiClient, alice: Any, body: Any, field: str, code: str
) -> None:
    answer = alices.post("accounts", body, **KEY)
    assert told(answer) == (422, "invalid")
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert not BankAccount.objects.filter(owner=alice).exists()


def test_a_customer_with_enough_accounts_opens_no_more(alices: ApiClient, settings: Any) -> None:
    settings.MAX_OPEN_ACCOUNTS = 1
    assert alices.post("accounts", {"kind": "checking"}, **KEY).status_code == 201
    other = {"Idempotency_Key": "another-key"}
    assert told(alices.post("accounts", {"kind": "checking"}, **other)) == (409, "too_many_accounts")
    assert told(alices.post("accounts", {"kind": "checking"})) == (400, "idempotency_key_missing")


def test_without_self_service_nobody_opens_with_cash(alices: ApiClient, settings: Any) -> None:
    # R3.2
    settings.SELF_SERVICE_CASH = False
    body = {"kind": "checking", "opening_deposit": "1"}
    assert told(alices.post("accounts", body, **KEY)) == (403, "cash_only_at_the_counter")


# --- Reading -----------------------------------------------------------------------------------------------------


def test_the_list_has_ones_own_accounts_with_their_numbers(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount, bobs: BankAccount
) -> None:
    # R2.4: a program needs the numbers to ask for more.
    items = alices.get("accounts").json()["items"]
    assert [item["number"] for item in items] == [everyday.number, savings.number]
    assert [item["balance"] for item in items] == ["100.00", "0.00"]


def test_twenty_accounts_cost_no_more_statements_than_one(
    alices: ApiClient, alice: Any, everyday: BankAccount, open_account: Callable
) -> None:
    """R5.4's rule here: the token's session with user and role, and the accounts."""
    for number in range(2):
        with CaptureQueriesContext(connection) as captured:
            answer = alices.get("accounts")
        assert len(captured) == 2, [query["sql"] for query in captured]
        assert len(answer.json()["items"]) == (1, 10)[number]
        for _ in range(9):
            open_account(alice)


def test_an_account_says_what_is_held_and_why(alices: ApiClient, held: Any, household: BankAccount) -> None:
    # R3.10
    account = alices.get(f"accounts/{household.number}").json()
    assert (account["balance"], account["held"], account["available"]) == ("20000.00", "12345.67", "7654.33")
    [waiting] = account["waiting"]
    assert (waiting["id"], waiting["amount"]) == (str(held.public_id), "12345.67")
    assert waiting["label"] == "Bob Brandt"


def test_one_row_that_does_not_open_takes_no_list_down(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount
) -> None:
    # R8.1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_bankaccount SET number = 'k1:bm9uc2Vuc2U=' WHERE id = %s", [savings.pk])
    items = alices.get("accounts").json()["items"]
    assert [item["number"] for item in items] == [everyday.number, None]


# --- Another name, and the end -----------------------------------------------------------------------------------


def test_an_account_gets_another_name(alices: ApiClient, everyday: BankAccount) -> None:
    # R2.4
    for nickname, name in (("Household", "Household"), ("", "Checking")):
        answer = alices.patch(f"accounts/{everyday.number}", {"nickname": nickname})
        assert (answer.status_code, answer.json()["name"]) == (200, name)
        everyday.refresh_from_db()
        assert everyday.nickname == nickname


@in_one_world("body", [{}, {"nickname": "x" * 41}, {"nickname": None}, {"nickname": "a", "status": "closed"}])
def test_a_name_that_is_not_valid_changes_nothing(alices: ApiClient, everyday: BankAccount, body: Any) -> None:
    assert told(alices.patch(f"accounts/{everyday.number}", body)) == (422, "invalid")
    everyday.refresh_from_db()
    assert everyday.nickname == "Everyday"


def test_an_empty_account_is_closed_for_good(alices: ApiClient, savings: BankAccount) -> None:
    # R2.3
    answer = alices.post(f"accounts/{savings.number}/close")
    assert (answer.status_code, answer.content) == (204, b"")
    assert alices.get(f"accounts/{savings.number}").json()["status"] == "closed"
    assert told(alices.post(f"accounts/{savings.number}/close")) == (409, "account_not_active")


def test_what_stands_in_the_way_of_closing_is_told(
    alices: ApiClient, everyday: BankAccount, savings: BankAccount, freeze: Callable, hold: Callable
) -> None:
    # R2.3
    assert told(alices.post(f"accounts/{everyday.number}/close")) == (409, "account_not_empty")
    hold(everyday, "1")
    assert told(alices.post(f"accounts/{everyday.number}/close")) == (409, "money_held")
    freeze(savings)
    assert told(alices.post(f"accounts/{savings.number}/close")) == (409, "account_not_active")
    assert {row.status for row in BankAccount.objects.filter(kind=AccountKind.CHECKING)} == {"active"}
    assert Decimal(alices.get(f"accounts/{everyday.number}").json()["balance"]) == 100
