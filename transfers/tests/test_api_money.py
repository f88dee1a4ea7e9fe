"""Money through the API: deposits, withdrawals, transfers and their receipts (R7.2, R7.3, R7.4, R3.2 to R3.10)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from accounts.account_numbers import check_digits
from accounts.models import BankAccount
from tests.acts import mails
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import OrderState, TransferOrder
from transfers.orders import holds, placing
from transfers.orders.expiry import expire_holds


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


@pytest.fixture
def do(alices: ApiClient, new_key: Callable) -> Callable[..., Any]:
    """`do("deposit", everyday, amount="1")`: Alice's program asks for it, under a new key unless one is given."""

    def post(verb: str, account: BankAccount, *, key: str = "", **body: Any) -> Any:
        return alices.post(f"accounts/{account.number}/{verb}", body, Idempotency_Key=key or new_key())

    return post


# --- What happens ------------------------------------------------------------------------------------------------


def test_cash_goes_in_and_out(do: Callable, everyday: BankAccount, balance_of: Callable) -> None:
    # R3.2
    answer = do("deposit", everyday, amount="50.5", description="  Found  in a sofa ")
    order = TransferOrder.objects.latest("pk")
    assert answer.status_code == 201
    assert order.transaction is not None
    receipt = answer.json()
    assert receipt.pop("created_at").endswith("Z")
    assert receipt == {
        "id": str(order.public_id),
        "kind": "deposit",
        "state": "posted",
        "explanation": "",
        "amount": "50.50",
        "source_name": "Cash",
        "source_number": "",
        "target_name": "Everyday",
        "target_name_confirmed": True,
        "target_number": everyday.masked_number,
        "name_check": "not_needed",
        "counterpart_label": "",
        "description": "Found in a sofa",
        "reference": order.transaction.reference,
        "initiated_by": "Alice Archer",
        "reversed_at": None,
        "reversed_by": "",
    }
    assert do("withdraw", everyday, amount="0.50").json()["kind"] == "withdrawal"
    assert balance_of(everyday) == 150


@in_one_world("spelling", ["{}", "{0[0]} {0[1]} {0[2]}", "{0[0]}-{0[1]}-{0[2]}"])
def test_money_goes_to_another_account_of_ones_own(
    do: Callable, everyday: BankAccount, savings: BankAccount, balance_of: Callable, spelling: str
) -> None:
    # R3.2, R2.2: however the number is spelt.
    number = savings.number if spelling == "{}" else spelling.format(savings.number_grouped.split())
    answer = do("transfer", everyday, to=number, amount="30", description="Holidays")
    assert (answer.status_code, answer.json()["kind"]) == (201, "own")
    assert [balance_of(everyday), balance_of(savings)] == [70, 30]


def test_money_goes_to_a_known_payee(
    do: Callable, everyday: BankAccount, known: BankAccount, balance_of: Callable, api_of: Callable, bob: Any
) -> None:
    answer = do("transfer", everyday, to=known.number, amount="30")
    assert (answer.status_code, answer.json()["target_name"]) == (201, "Bob Brandt")
    assert [balance_of(everyday), balance_of(known)] == [70, 30]
    # Either side has a receipt; Bob reads who Alice is as in his history.
    his = api_of(bob).get(f"orders/{answer.json()['id']}").json()
    assert (his["source_name"], his["initiated_by"], his["amount"]) == ("Alice Archer", "Alice Archer", "30.00")


def test_the_receipt_can_be_read_again_and_as_a_pdf(
    do: Callable, alices: ApiClient, everyday: BankAccount, savings: BankAccount
) -> None:
    # R3.6
    ordered = do("transfer", everyday, to=savings.number, amount="1").json()
    assert alices.get(f"orders/{ordered['id']}").json() == ordered
    document = alices.get(f"orders/{ordered['id']}/pdf")
    assert (document["Content-Type"], document.content[:5]) == ("application/pdf", b"%PDF-")
    assert "no-store" in document["Cache-Control"]


# --- Once --------------------------------------------------------------------------------------------------------


def test_the_same_request_again_gets_the_same_answer_and_moves_nothing(
    do: Callable, everyday: BankAccount, known: BankAccount, books: Callable, freeze: Callable, settings: Any
) -> None:
    # R3.5: whatever has happened to the payee and to all limits since.
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("deposit", {"amount": "1"}),
        ("withdraw", {"amount": "2"}),
        ("transfer", {"amount": "3", "to": known.number}),
    ]
    first = [do(verb, everyday, key=f"the-key-of-{verb}", **body) for verb, body in bodies]
    assert [answer.status_code for answer in first] == [201] * 3
    before = books()
    freeze(known)
    settings.SELF_SERVICE_CASH = False
    settings.TRANSFERS_PER_MINUTE = settings.PAYEE_LOOKUPS_PER_HOUR = settings.DEPOSITS_PER_MINUTE = 1
    again = [do(verb, everyday, key=f"the-key-of-{verb}", **body) for verb, body in bodies]
    assert [(answer.status_code, answer.json()) for answer in again] == [(201, answer.json()) for answer in first]
    assert books() == before


def test_a_key_is_good_for_one_request(
    do: Callable, everyday: BankAccount, savings: BankAccount, known: BankAccount, books: Callable
) -> None:
    # R3.5
    key = "one-key-for-all"
    assert do("transfer", everyday, key=key, to=savings.number, amount="1").status_code == 201
    before = books()
    others: list[tuple[str, dict[str, Any]]] = [
        ("transfer", {"to": savings.number, "amount": "2"}),
        ("transfer", {"to": known.number, "amount": "1"}),
        ("transfer", {"to": savings.number, "amount": "1", "description": "More"}),
        ("deposit", {"amount": "1"}),
        ("withdraw", {"amount": "1"}),
    ]
    for verb, body in others:
        answer = do(verb, everyday, key=key, **body)
        assert told(answer) == (422, "idempotency_conflict")
        assert "Idempotency-Key" in answer.json()["detail"]
    assert books() == before


def test_a_refusal_uses_no_key_up(do: Callable, everyday: BankAccount, balance_of: Callable) -> None:
    # R3.5, as docs/api.md says: the key belongs to what was done, and nothing was.
    key = "a-key-refused-once"
    assert told(do("withdraw", everyday, key=key, amount="1000")) == (409, "insufficient_funds")
    assert do("withdraw", everyday, key=key, amount="1").status_code == 201
    assert told(do("withdraw", everyday, key=key, amount="1000")) == (422, "idempotency_conflict")
    assert balance_of(everyday) == Decimal("99.00")


@in_one_world("verb", ["deposit", "withdraw", "transfer"])
def test_every_route_that_moves_money_takes_a_key(
    verb: str, alices: ApiClient, everyday: BankAccount, books: Callable
) -> None:
    # R7.3
    before = books()
    body = {"amount": "1"} | ({"to": everyday.number} if verb == "transfer" else {})
    assert told(alices.post(f"accounts/{everyday.number}/{verb}", body)) == (400, "idempotency_key_missing")
    assert books() == before


def test_the_keys_of_two_customers_have_nothing_to_do_with_each_other(
    do: Callable, everyday: BankAccount, bobs: BankAccount, api_of: Callable, bob: Any, balance_of: Callable
) -> None:
    assert do("deposit", everyday, key="our-key-of-both", amount="1").status_code == 201
    his = api_of(bob).post(f"accounts/{bobs.number}/deposit", {"amount": "2"}, Idempotency_Key="our-key-of-both")
    assert his.status_code == 201
    assert [balance_of(everyday), balance_of(bobs)] == [101, 2]


def test_who_waited_too_long_for_the_first_is_told_to_ask_again(
    do: Callable, everyday: BankAccount, monkeypatch: Any
) -> None:
    # R3.5: 409 only after waiting in vain.
    def deadlocked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr(placing, "_earlier", deadlocked)
    answer = do("deposit", everyday, amount="1")
    assert told(answer) == (409, "still_running")
    assert answer["Retry-After"] == "1"


@proves("V16.5.2")
@in_one_world("words", ["database is locked", "canceling statement due to lock timeout", "Lock request time out"])
def test_who_waited_too_long_for_whoever_holds_the_database_is_told_when_to_ask_again(
    words: str, do: Callable, everyday: BankAccount, monkeypatch: Any
) -> None:
    """F5: it may be another program, and no request of the same customer."""

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError(words)

    monkeypatch.setattr(placing, "_earlier", locked)
    answer = do("deposit", everyday, amount="1")
    assert told(answer) == (503, "database_away")
    assert answer["Retry-After"] == "5"


# --- What is refused ---------------------------------------------------------------------------------------------

AMOUNTS: dict[str, tuple[bytes, int]] = {
    "NaN": (b"NaN", 400),
    "Infinity": (b"-Infinity", 400),
    "beyond all bounds": (b"1e999", 400),
    "an int": (b"1", 422),
    "a float": (b"1.0", 422),
    "true": (b"true", 422),
    "null": (b"null", 422),
    "a list": (b'["1"]', 422),
    "NaN as text": (b'"NaN"', 422),
    "Infinity as text": (b'"Infinity"', 422),
    "an exponent": (b'"1e2"', 422),
    "a plus": (b'"+1"', 422),
    "a debt": (b'"-1"', 422),
    "nothing": (b'"0.00"', 422),
    "empty": (b'""', 422),
    "too precise": (b'"0.001"', 422),
    "too large": (b'"1000000000000"', 422),
    "grouped": (b'"1,000.00"', 422),
    "between blanks": (b'" 1 "', 422),
    "before a line's end": (b'"1\\n"', 422),
    "digits of another script": ('"١"'.encode(), 422),
    "a word": (b'"all"', 422),
}


@in_one_world("verb", ["deposit", "withdraw", "transfer"])
@in_one_world("kind", AMOUNTS)
def test_no_strange_amount_moves_anything(
    verb: str, kind: str, alices: ApiClient, everyday: BankAccount, savings: BankAccount, books: Callable
) -> None:
    # R3.2
    before = books()
    text, status = AMOUNTS[kind]
    to = f'"to": "{savings.number}", '.encode() if verb == "transfer" else b""
    path, key = f"accounts/{everyday.number}/{verb}", {"Idempotency_Key": "a-key-of-mine"}
    answer = alices.send("POST", path, b"{" + to + b'"amount": ' + text + b"}", **key)
    assert told(answer)[0] == status
    if status == 422:
        assert [error["field"] for error in answer.json()["errors"]] == ["amount"]
    assert books() == before


@in_one_world(
    ("body", "field", "code"),
    [
        ({"to": 123456789012}, "to", "string_type"),
        ({"to": ["{savings}"]}, "to", "string_type"),
        ({"to": None}, "to", "string_type"),
        ({"to": "123456789012"}, "to", "invalid_account_number"),
        ({}, "to", "missing"),
        ({"to": "{savings}", "source": "{bobs}"}, "source", "extra_forbidden"),
        ({"to": "{savings}", "initiator": 1}, "initiator", "extra_forbidden"),
        ({"to": "{savings}", "description": "x" * 141}, "description", "invalid"),
        ({"to": "{savings}", "description": "\u202eevil"}, "description", "invalid"),
        ({"to": "{savings}", "challenge": "8c0e6a3e-0000-4000-8000-000000000001"}, "", "value_error"),
        ({"to": "{savings}", "code": "123456"}, "", "value_error"),
        ({"to": "{savings}", "code": 123456}, "code", "string_type"),
        ({"to": "{savings}", "challenge": "1", "code": "123456"}, "challenge", "uuid_parsing"),
    ],
)
def test_no_strange_transfer_moves_anything(
    do: Callable, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, books: Callable, body: Any,
    field: str, code: str,
) -> None:  # fmt: skip
    # R7.3: a number of another type does not dodge the check for the same account either.
    before = books()
    numbers = {"savings": savings.number, "bobs": bobs.number}
    body = {name: value.format(**numbers) if isinstance(value, str) else value for name, value in body.items()}
    answer = do("transfer", everyday, amount="1", **body)
    assert told(answer) == (422, "invalid")
    assert (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert books() == before


def test_each_refusal_has_its_status_and_code(
    do: Callable, everyday: BankAccount, savings: BankAccount, known: BankAccount, freeze: Callable, books: Callable,
    settings: Any, open_account: Callable, bob: Any,
) -> None:  # fmt: skip
    # R3.3
    before, unknown = books(), "1000000000" + check_digits("1000000000")
    frozen = open_account(bob)
    freeze(frozen)
    before = books()
    settings.TRANSFERS_PER_MINUTE = 100
    settings.DAILY_TRANSFER_LIMIT = Decimal(50)
    refused = {
        "too much": do("transfer", everyday, to=savings.number, amount="100.01"),
        "too much in cash": do("withdraw", savings, amount="0.01"),
        "more than the day's": do("transfer", everyday, to=known.number, amount="50.01"),
        "to itself": do("transfer", everyday, to=everyday.number_grouped, amount="1"),
        "to nobody": do("transfer", everyday, to=unknown, amount="1"),
        "to a frozen account": do("transfer", everyday, to=frozen.number, amount="1"),
    }
    freeze(everyday)
    refused["into a frozen account of one's own"] = do("deposit", everyday, amount="1")
    assert {what: told(answer) for what, answer in refused.items()} == {
        "too much": (409, "insufficient_funds"),
        "too much in cash": (409, "insufficient_funds"),
        "more than the day's": (409, "daily_limit_reached"),
        "to itself": (422, "same_account"),
        "to nobody": (409, "payee_cannot_receive"),
        "to a frozen account": (409, "payee_cannot_receive"),
        "into a frozen account of one's own": (409, "account_not_active"),
    }
    assert refused["to nobody"].json()["detail"] == refused["to a frozen account"].json()["detail"]
    assert books() == before


def test_without_self_service_cash_is_for_the_counter(do: Callable, everyday: BankAccount, settings: Any) -> None:
    # R3.2
    settings.SELF_SERVICE_CASH = False
    assert told(do("deposit", everyday, amount="1")) == (403, "cash_only_at_the_counter")
    assert told(do("withdraw", everyday, amount="1")) == (403, "cash_only_at_the_counter")


# --- What is held ------------------------------------------------------------------------------------------------


def test_a_payment_that_is_held_is_202_and_says_why(
    do: Callable, alices: ApiClient, household: BankAccount, known: BankAccount, sam: Any, balance_of: Callable,
    settings: Any,
) -> None:  # fmt: skip
    # R3.10: and its order tells what happened to it.
    settings.STEP_UP_AMOUNT = Decimal(20_000)
    first = do("transfer", household, key="a-boat-or-two", to=known.number, amount="12345.67")
    order = TransferOrder.objects.get(kind="payment")
    assert first.status_code == 202
    assert (first.json()["state"], first.json()["reference"]) == ("held", "")
    assert "We check transfers above" in first.json()["explanation"]
    assert balance_of(known) == 0
    again = do("transfer", household, key="a-boat-or-two", to=known.number, amount="12345.67")
    assert (again.status_code, again.json()) == (202, first.json())

    holds.release_order(actor=sam, order=order, reason="They bought a boat.")
    released = alices.get(f"orders/{order.public_id}").json()
    assert (released["state"], released["explanation"]) == ("released", "")
    assert released["reference"]
    again = do("transfer", household, key="a-boat-or-two", to=known.number, amount="12345.67")
    assert (again.status_code, again.json()["state"]) == (202, OrderState.RELEASED)
    assert balance_of(known) == Decimal("12345.67")


def test_the_receiver_of_what_is_held_knows_nothing_of_it(held: Any, api_of: Callable, bob: Any) -> None:
    # R3.10
    bobs = api_of(bob)
    assert told(bobs.get(f"orders/{held.public_id}")) == (404, "not_found")
    assert told(bobs.get(f"orders/{held.public_id}/pdf")) == (404, "not_found")
    assert bobs.get("transactions").json()["items"] == []


def test_a_rejected_payment_says_why(held: Any, alices: ApiClient, sam: Any) -> None:
    holds.reject_order(actor=sam, order=held, reason="We could not reach you.")
    order = alices.get(f"orders/{held.public_id}").json()
    assert order["state"] == "rejected"
    assert order["explanation"].endswith("We could not reach you.")


def test_a_held_payment_is_cancelled_and_the_same_request_again_is_answered_alike(
    held: Any, alice: Any, alices: ApiClient, household: BankAccount, bob: Any, api_of: Callable
) -> None:
    # R3.14
    assert told(api_of(bob).post(f"orders/{held.public_id}/cancel")) == (404, "not_found")
    answer = alices.post(f"orders/{held.public_id}/cancel")
    order = answer.json()
    assert (answer.status_code, order["state"], order["reference"]) == (200, "cancelled", "")
    assert order["explanation"] == "You cancelled this before we had decided, and the money is yours to spend again."
    assert alices.get(f"accounts/{household.number}").json()["held"] == "0.00"
    assert alices.get(f"accounts/{household.number}").json()["waiting"] == []
    again = alices.post(f"orders/{held.public_id}/cancel")
    assert (again.status_code, again.json()) == (200, order)
    assert alices.get(f"orders/{held.public_id}").json() == order
    assert len([mail for mail in mails(alice.email) if "You cancelled" in mail.subject]) == 1


def test_a_cancellation_that_comes_too_late_is_told_what_has_happened(
    held: Any, alices: ApiClient, sam: Any, api_of: Callable, bob: Any
) -> None:
    # R3.14, R7.3: and the payee, who can see it by then, cancels nothing either.
    holds.release_order(actor=sam, order=held, reason="They bought a boat.")
    answer = alices.post(f"orders/{held.public_id}/cancel")
    assert told(answer) == (409, "wrong_status")
    assert answer.json()["detail"] == "We have released this transfer already."
    assert told(api_of(bob).post(f"orders/{held.public_id}/cancel")) == (404, "not_found")


def test_staff_who_come_too_late_are_told_who_was_faster(
    held: Any, alices: ApiClient, sam: Any, api_of: Callable
) -> None:
    # R3.14: the customer, here.
    alices.post(f"orders/{held.public_id}/cancel")
    reason = {"reason": "They bought a boat."}
    answer = api_of(sam).post(f"holds/{held.public_id}/release", reason, Idempotency_Key="a-release-too-late")
    assert told(answer) == (409, "wrong_status")
    assert answer.json()["detail"] == "The customer has cancelled this transfer already."


def test_an_expired_payment_says_so(held: Any, alices: ApiClient) -> None:
    # R3.14
    expire_holds(at=held.expires_at)
    order = alices.get(f"orders/{held.public_id}").json()
    assert (order["state"], order["reference"]) == ("expired", "")
    assert order["explanation"].startswith("We did not decide on this in time")
    assert told(alices.post(f"orders/{held.public_id}/cancel")) == (409, "wrong_status")


# --- How often ---------------------------------------------------------------------------------------------------


@proves("V2.4.1")
def test_three_transfers_by_page_and_three_by_the_api_are_one_too_many(
    do: Callable, alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount, balance_of: Callable
) -> None:
    # R3.9, R7.4: one minute for both.
    browser: Client = browser_of(alice)
    fields = {"source": everyday.public_id, "target": savings.public_id, "amount": "1"}
    for _ in range(3):
        review = browser.post("/transfer/own/", fields)["Location"]
        assert browser.post(review)["Location"].startswith("/receipts/")
    answers = [do("transfer", everyday, to=savings.number, amount="1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"transfer";q=5;w=60'}
    assert [answer["RateLimit"] for answer in answers[:2]] == ['"transfer";r=1;t=60', '"transfer";r=0;t=60']
    assert told(answers[2]) == (429, "too_often")
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert balance_of(savings) == 5
    # And the page says the same.
    review = browser.post("/transfer/own/", fields)["Location"]
    assert browser.post(review).status_code == 429


@in_one_world(("verb", "name"), [("deposit", "deposit"), ("withdraw", "withdrawal")])
def test_the_twenty_first_of_a_minute_is_one_too_many(
    do: Callable, everyday: BankAccount, savings: BankAccount, verb: str, name: str
) -> None:
    # R7.4: over all accounts together, refused ones too; a repeated request is not another.
    for number in range(19):
        answers = [do(verb, everyday, key=f"number-{number:04}", amount="0.01") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0]["RateLimit"] == f'"{name}";r={"0" if verb == "deposit" else "1"};t=60'
    if verb == "withdraw":
        assert told(do(verb, savings, amount="0.01")) == (409, "insufficient_funds")
    answer = do(verb, everyday, amount="0.01")
    assert told(answer) == (429, "too_often")
    assert answer["RateLimit"] == f'"{name}";r=0;t={answer["Retry-After"]}'


def test_numbers_cannot_be_tried_out(do: Callable, everyday: BankAccount, bobs: BankAccount, settings: Any) -> None:
    # R3.3: look-ups are counted, and a repeated request is not another.
    settings.PAYEE_LOOKUPS_PER_HOUR = 2
    unknown = ["1000000000", "1000000001"]
    for _ in range(3):
        answer = do("transfer", everyday, key="the-same-again", to=unknown[0] + check_digits(unknown[0]), amount="1")
        assert told(answer) == (409, "payee_cannot_receive")
    answer = do("transfer", everyday, key="the-same-again", to=unknown[1] + check_digits(unknown[1]), amount="1")
    assert told(answer) == (409, "payee_cannot_receive")
    answer = do("transfer", everyday, to=bobs.number, amount="1")
    assert told(answer) == (429, "too_often")
    assert int(answer["Retry-After"]) > 60
