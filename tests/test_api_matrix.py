"""Every operation of the API, for everybody (R1.7, R7.2, R9.6).

The operations come from the OpenAPI document. What each answers to whom stands in the tables below, with what is sent;
one that is in none of them fails the test. Wherever an operation names something, it is something of Alice's.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import account_numbers
from accounts.models import BankAccount, TotpDevice, User
from accounts.services import people
from bankproject.api import api
from tests.access_walk import WORDS, Hers, api_operations, rows_about, text_of
from tests.api_client import ApiClient, told
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, approved, fresh_code
from transfers import fraud
from transfers.models import FraudAlert, OrderKind, OrderState, Payee, TransferOrder

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

ROOT = "/api/v1/"
KEY = "a-key-for-each-thing"

# --- The tables -------------------------------------------------------------------------------------------------

# Who asks: each with a good token, but for those who are outside.
PEOPLE = ("Alice", "Charlie", "Sam", "Audrey", "Ada")
OUTSIDE = (
    "nobody",
    "a locked customer",
    "an inactive customer",
    "a customer without two-factor",
    "somebody signed out",
)


@dataclass(frozen=True)
class Scene:
    """What of Alice's there is to name, and the code that the asker's authenticator app shows."""

    number: str
    other: str  # the number of an account of hers without money
    payee: str  # Bob's
    reference: str
    names: dict[str, Any]  # for each name in a path
    code: str = ""


class Op(NamedTuple):
    """Statuses in the order of `PEOPLE`, and what is sent."""

    answers: str
    body: Callable[[Scene], Any] = lambda scene: None


def hers_alone(status: int) -> str:
    """About something of Alice's: as unknown to Charlie as what does not exist, and no business of staff's."""
    return f"{status} 404 403 403 403"


def customers(status: int) -> str:
    """About nothing but whoever asks, for customers."""
    return f"{status} {status} 403 403 403"


def everybodys(status: int) -> str:
    """The same, for every role."""
    return " ".join([str(status)] * len(PEOPLE))


SEEN_BY_STAFF = "403 403 200 200 200"
SEEN_BY_AUDITORS = "403 403 403 200 200"


def decided(status: int) -> str:
    return f"403 403 {status} 403 {status}"


def administered(status: int) -> str:
    return f"403 403 403 403 {status}"


def a_reason(scene: Scene) -> dict[str, str]:
    return {"reason": REASON}


def a_reason_and_code(scene: Scene) -> dict[str, str]:
    return {"reason": REASON, "code": scene.code}


def an_amount(scene: Scene) -> dict[str, str]:
    return {"amount": "1.00"}


# Asked for without a token; sent empty, they say nothing but what they need.
PUBLIC = {
    "POST auth/login",
    "POST auth/password-reset",
    "POST auth/password-reset/confirm",
    "POST auth/refresh",
    "POST auth/register",
    "POST auth/register/confirm",
    "POST auth/two-factor/confirm",
    "POST auth/two-factor/enrol",
}
OPERATIONS = {
    # Signing in
    "DELETE auth/sessions/{session_id}": Op("204 404 404 404 404"),
    "GET auth/session": Op(everybodys(200)),
    "GET auth/sessions": Op(everybodys(200)),
    "POST auth/logout": Op(everybodys(204)),
    "POST auth/sessions/end-others": Op(everybodys(200)),
    # Accounts and money
    "GET accounts": Op(customers(200)),
    "GET accounts/{number}": Op(hers_alone(200)),
    "GET accounts/{number}/statements": Op(hers_alone(200)),
    "GET accounts/{number}/statements/{year}/{month}": Op(hers_alone(200)),
    "GET accounts/{number}/statements/{year}/{month}/pdf": Op(hers_alone(200)),
    "GET accounts/{number}/transactions": Op(hers_alone(200)),
    "GET orders/{order_id}": Op(hers_alone(200)),
    "GET orders/{order_id}/pdf": Op(hers_alone(200)),
    "GET transactions": Op(customers(200)),
    "PATCH accounts/{number}": Op(hers_alone(200), lambda scene: {"nickname": "Mine"}),
    "POST accounts": Op(customers(201), lambda scene: {"kind": "checking"}),
    "POST accounts/{number}/close": Op(hers_alone(409)),
    "POST accounts/{number}/deposit": Op(hers_alone(201), an_amount),
    "POST accounts/{number}/transfer": Op(hers_alone(201), lambda scene: {"amount": "1.00", "to": scene.payee}),
    "POST accounts/{number}/withdraw": Op(hers_alone(201), an_amount),
    # Payees
    "DELETE payees/{payee_id}": Op(hers_alone(204)),
    "GET payees": Op(customers(200)),
    "GET payees/{payee_id}": Op(hers_alone(200)),
    "PATCH payees/{payee_id}": Op(hers_alone(200), lambda scene: {"label": "Mine"}),
    "POST payees/lookup": Op(customers(200), lambda scene: {"number": scene.number}),  # whom he is about to pay
    # Profile
    "DELETE profile/pin": Op(everybodys(409), lambda scene: {"code": scene.code}),
    "GET profile": Op(everybodys(200)),
    "GET profile/sign-ins": Op(everybodys(200)),
    "PATCH profile": Op(everybodys(200), lambda scene: {"last_name": "Mine"}),
    "POST profile/authenticator": Op(everybodys(201), lambda scene: {"code": scene.code}),
    "POST profile/authenticator/confirm": Op(
        everybodys(409), lambda scene: {"replacement_token": "x" * 40, "code": scene.code}
    ),
    "POST profile/email": Op(
        everybodys(202), lambda scene: {"email": "mine@example.com", "password": PASSWORD, "code": scene.code}
    ),
    "POST profile/email/confirm": Op(everybodys(404), lambda scene: {"token": "x" * 43}),
    "POST profile/password": Op(
        everybodys(200), lambda scene: {"current_password": PASSWORD, "new_password": "a sentence of mine and no other"}
    ),
    "POST profile/recovery-codes": Op(everybodys(201), lambda scene: {"code": scene.code}),
    "PUT profile/pin": Op(everybodys(204), lambda scene: {"pin": "271828", "code": scene.code}),
    # Daily limit
    "GET daily-limit": Op(customers(200)),
    "PUT daily-limit": Op(customers(200), lambda scene: {"amount": "10.00"}),
    # Tickets and requests
    "GET requests": Op(customers(200)),
    "GET requests/{request_id}": Op(hers_alone(200)),
    "GET tickets": Op(customers(200)),
    "GET tickets/{ticket_id}": Op(hers_alone(200)),
    "POST requests": Op(hers_alone(201), lambda scene: {"kind": "close_account", "account": scene.other}),
    "POST requests/{request_id}/cancel": Op(hers_alone(204)),
    "POST tickets": Op(customers(201), lambda scene: {"subject": "Mine", "text": "Mine"}),
    "POST tickets/{ticket_id}/replies": Op(hers_alone(204), lambda scene: {"text": "Mine"}),
    # Staff
    "GET alerts": Op(SEEN_BY_STAFF),
    "GET audit/entries": Op(SEEN_BY_AUDITORS),
    "GET holds": Op(SEEN_BY_STAFF),
    "GET staff/requests": Op(SEEN_BY_STAFF),
    "GET staff/requests/{request_id}": Op(SEEN_BY_STAFF),
    "GET staff/transactions": Op(SEEN_BY_AUDITORS),
    "GET users": Op(SEEN_BY_STAFF),
    "GET users/{user_id}": Op(SEEN_BY_STAFF),
    "POST accounts/{number}/freeze": Op(administered(204), a_reason),
    "POST accounts/{number}/unfreeze": Op(administered(409), a_reason),
    "POST alerts/{alert_id}/close": Op(decided(204), a_reason),
    "POST holds/{hold_id}/reject": Op(decided(200), a_reason),
    "POST holds/{hold_id}/release": Op(decided(200), a_reason),
    "POST staff/requests/{request_id}/approve": Op(decided(200), a_reason),
    "POST staff/requests/{request_id}/reject": Op(decided(200), a_reason),
    "POST transactions/{reference}/reverse": Op(administered(201), a_reason),
    "POST users/{user_id}/lock": Op(administered(204), a_reason_and_code),
    "POST users/{user_id}/role": Op(administered(409), lambda scene: a_reason_and_code(scene) | {"role": "Support"}),
    "POST users/{user_id}/unlock": Op(administered(409), a_reason_and_code),
}

# --- What there is of Alice's -------------------------------------------------------------------------------------


@pytest.fixture
def scene(hers: Hers, alice: Any, api_of: Callable[..., ApiClient]) -> Scene:
    """One of everything, a payment that is held and a session of the API among it."""
    fields = hers.fields
    accounts: Any = BankAccount.objects  # customers', so each has a number
    account, other = (accounts.get(public_id=fields[name]) for name in ("source", "target"))
    target = accounts.get(pk=Payee.objects.get(customer=alice).account_id)
    order = TransferOrder.objects.create(
        kind=OrderKind.PAYMENT, initiator=alice, source=account, target=target, amount=Decimal(33),
        key_digest="k", inputs_digest="i", state=OrderState.HELD, description="Zanzibar",
    )  # fmt: skip
    BankAccount.objects.filter(pk=account.pk).update(held=order.amount)
    alert = FraudAlert.objects.create(order=order, rule=fraud.Rule.SUSPICIOUS_AMOUNT)
    today = timezone.localdate()
    names = {
        "number": account.number,
        "session_id": api_of(alice).tokens.session,  # type: ignore[union-attr]
        "year": today.year,
        "month": today.month,
        "order_id": hers.of_page["receipt"]["public_id"],
        "payee_id": hers.of_page["payee"]["public_id"],
        "ticket_id": hers.of_page["ticket"]["public_id"],
        "request_id": hers.of_page["service_request"]["public_id"],
        "hold_id": order.public_id,
        "alert_id": alert.public_id,
        "user_id": alice.public_id,
        "reference": fields["reference"],
    }
    return Scene(account.number, other.number, target.number, fields["reference"], names)


def made_up(scene: Scene) -> dict[str, Any]:
    """Of the right type, and nobody's."""
    texts = {"number": account_numbers.new_number(), "reference": "NOBODYS-ONE", "year": 2026, "month": 1}
    return {name: texts.get(name, uuid4()) for name in scene.names}


def asked(program: ApiClient, name: str, scene: Scene, names: dict[str, Any]) -> Any:
    """The answer to an operation, sent as the table says."""
    method, path = name.split()
    body = OPERATIONS[name].body(scene) if name in OPERATIONS else {}
    sent = b"" if body is None else json.dumps(body).encode()
    return program.send(method, path.format(**names), sent, Idempotency_Key=KEY)


paths = cache(lambda: api.get_openapi_schema()["paths"])


def documented(name: str) -> Any:
    """What the OpenAPI document says of an operation."""
    method, path = name.split()
    return paths()[ROOT + path][method.lower()]


@contextmanager
def undone() -> Iterator[None]:
    """What is written meanwhile is taken back: each operation finds the same bank."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


@pytest.fixture
def signed_in(request: Any, api_of: Callable[..., ApiClient], ada: Any, rf: Any) -> Callable[[str], ApiClient]:
    """`signed_in("Sam")`: their program; of those outside, with a token that was good once."""

    def begin(who: str) -> ApiClient:
        if who == "nobody":
            return api_of(None)
        if who in PEOPLE:
            return api_of(request.getfixturevalue(who.lower()))
        user = request.getfixturevalue("make_user")("Olga")
        program = api_of(user)
        assert program.get("auth/session").status_code == 200
        if who == "a locked customer":
            people.lock_user(rf.get("/"), actor=ada, user=user, reason=REASON, code=fresh_code(ada))
        elif who == "an inactive customer":
            User.objects.filter(pk=user.pk).update(is_active=False)
        elif who == "a customer without two-factor":
            authority = approved("reset_two_factor", user)
            people.reset_two_factor(actor=ada, user=user, reason=REASON, authority=authority)
            assert not TotpDevice.objects.filter(user=user).exists()
            sign_in = {"email": user.email, "password": PASSWORD, "code": "123456"}
            assert told(program.post("auth/login", sign_in))[0] in (401, 403), "nor is there a new one without it"
        else:
            assert program.post("auth/logout").status_code == 204
        return program

    return begin


# --- The walk -----------------------------------------------------------------------------------------------------


def test_every_operation_is_in_the_table() -> None:
    known = {name.replace(" ", f" {ROOT}") for name in {*OPERATIONS, *PUBLIC}}
    assert sorted(known) == api_operations(), "a new operation: say in tests/test_api_matrix.py what it answers to whom"
    ids = [documented(name)["operationId"] for name in {*OPERATIONS, *PUBLIC}]
    assert len(ids) == len(set(ids)), "client generators call their methods by these"


def test_every_name_in_a_path_is_something_of_alices(scene: Scene) -> None:
    named = {part for name in OPERATIONS for part in re.findall(r"{(\w+)}", name)}
    assert named == set(scene.names), "a new name: say in `scene` what Alice has of it"


def test_the_table_tells_charlie_nothing_of_alices() -> None:
    # R1.7: as a rule of the table itself.
    about = {name: op.answers.split()[1] for name, op in OPERATIONS.items() if "{" in name}
    assert set(about.values()) == {"403", "404"}


@pytest.mark.parametrize("who", PEOPLE)
def test_every_operation_answers_as_the_table_says(
    who: str, scene: Scene, alice: Any, request: Any, signed_in: Callable[[str], ApiClient]
) -> None:
    program, wrong = signed_in(who), []
    user = request.getfixturevalue(who.lower())
    was = rows_about(alice)
    for name, op in OPERATIONS.items():
        expected = op.answers.split()[PEOPLE.index(who)]
        with undone():
            now = replace(scene, code=fresh_code(user))
            answer = asked(program, name, now, scene.names)
            said = text_of(answer)
            if str(answer.status_code) != expected:
                wrong.append(f"{name}: {answer.status_code}, not {expected}: {said[:300]}")
            elif answer.status_code >= 400:
                told(answer)
            acted = answer.status_code < 400 and not name.startswith("GET")
            if (who == "Charlie" or (who != "Alice" and not acted)) and rows_about(alice) != was:
                wrong.append(f"{name} changed what is Alice's")
            if (who == "Charlie" or answer.status_code >= 400) and any(word in said for word in WORDS):
                wrong.append(f"{name} shows {[word for word in WORDS if word in said]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", OUTSIDE)
def test_without_a_good_token_every_operation_is_401(
    who: str, scene: Scene, alice: Any, signed_in: Callable[[str], ApiClient]
) -> None:
    # R7.1: nor is anything of what was sent looked at.
    program, wrong = signed_in(who), []
    was = rows_about(alice)
    for name in [*OPERATIONS, *PUBLIC]:
        expected = (422, "invalid") if name in PUBLIC else (401, "token_invalid")
        answer = asked(program, name, scene, scene.names)
        if told(answer) != expected or any(word in text_of(answer) for word in WORDS):
            wrong.append(f"{name}: {answer.status_code} {text_of(answer)[:200]}")
    assert not wrong, "\n".join(wrong)
    assert rows_about(alice) == was


def test_what_is_alices_is_as_unknown_to_charlie_as_what_does_not_exist(
    scene: Scene, charlie: Any, signed_in: Callable[[str], ApiClient]
) -> None:
    # R1.7: not a word that differs.
    program, wrong = signed_in("Charlie"), []
    for name in OPERATIONS:
        if "{" in name:
            answers = []
            for names in (scene.names, made_up(scene)):
                with undone():
                    answer = asked(program, name, replace(scene, code=fresh_code(charlie)), names)
                    answers.append({k: v for k, v in answer.json().items() if k != "request_id"})
            if answers[0] != answers[1]:
                wrong.append(f"{name}: {answers}")
    assert not wrong, "\n".join(wrong)


def test_a_field_that_no_schema_has_is_refused(
    scene: Scene, hers: Hers, alice: Any, signed_in: Callable[[str], ApiClient]
) -> None:
    # R7.3: with something of Alice's in every field there is, and those that an attacker adds.
    program, was = signed_in("Charlie"), rows_about(alice)
    everything = json.dumps(hers.fields, default=str).encode()
    for name in OPERATIONS:
        method, path = name.split()
        if "requestBody" in documented(name):
            answer = program.send(method, path.format(**scene.names), everything, Idempotency_Key=KEY)
            assert told(answer) == (422, "invalid"), name
            assert not any(word in text_of(answer) for word in WORDS), name
    assert rows_about(alice) == was


def test_a_field_that_names_something_of_alices_is_refused(
    scene: Scene, alice: Any, signed_in: Callable[[str], ApiClient]
) -> None:
    # R1.7: also where a body or a query names it.
    program, was = signed_in("Charlie"), rows_about(alice)
    request = {"kind": "freeze_account", "account": scene.number}
    ticket = {"subject": "Mine", "text": "Mine", "reference": scene.reference}
    assert told(program.post("requests", request)) == (404, "not_found")
    assert told(program.post("tickets", ticket, Idempotency_Key=KEY)) == (422, "unknown_payment")
    for path in ("tickets", "requests"):
        answer = program.get(path, {"cursor": str(scene.names["ticket_id"])})
        assert not any(word in text_of(answer) for word in WORDS)
    assert rows_about(alice) == was
