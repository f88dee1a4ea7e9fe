"""A code for one payment, through the API: asked for by a 403, given with the same request (R3.6, R1.8, ADR 15)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import Payee, StepUpChallenge, TransferOrder

KEY = "the-same-key-all-along"
ASKED = (403, "step_up_required")
NOBODYS = "8c0e6a3e-0000-4000-8000-000000000001"


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


@pytest.fixture
def send(alices: ApiClient, household: BankAccount, bobs: BankAccount) -> Callable[..., Any]:
    """`send("10")`: Alice's program pays Bob."""

    def post(amount: str = "10", *, key: str = KEY, **more: str) -> Any:
        path = f"accounts/{household.number}/transfer"
        return alices.post(
            path, {"amount": amount, "to": bobs.number, "name": "Bob Brandt"} | more, Idempotency_Key=key
        )

    return post


@pytest.fixture
def take_out(alices: ApiClient, household: BankAccount) -> Callable[..., Any]:
    def post(amount: str, *, key: str = KEY, **more: str) -> Any:
        return alices.post(f"accounts/{household.number}/withdraw", {"amount": amount} | more, Idempotency_Key=key)

    return post


def id_in(answer: Any) -> str:
    assert told(answer) == ASKED
    return answer.json()["challenge"]["id"]


def test_a_first_payment_is_asked_for_a_code_and_goes_through_with_it(
    send: Callable, alice: Any, code_of: Callable, books: Callable, balance_of: Callable, bobs: BankAccount
) -> None:
    # R3.6
    before = books()
    answer = send("0.01")
    assert told(answer) == ASKED
    challenge = answer.json()["challenge"]
    assert (set(challenge), challenge["why"]) == ({"id", "expires_at", "why"}, "new_payee")
    lasts = datetime.fromisoformat(challenge["expires_at"]) - timezone.now()
    assert timedelta(seconds=100) < lasts <= timedelta(seconds=120)
    assert challenge["expires_at"].endswith("Z")
    assert books() == before
    done = send("0.01", challenge=challenge["id"], code=code_of(alice))
    assert (done.status_code, done.json()["target_name"]) == (201, "Bob Brandt")
    assert balance_of(bobs) == Decimal("0.01")
    # The same request again, with the code or without, is answered with the same order.
    assert send("0.01").json() == done.json()
    assert send("0.01", challenge=challenge["id"], code="000000").json() == done.json()
    assert balance_of(bobs) == Decimal("0.01")


def test_a_withdrawal_above_the_sum_needs_a_code(
    take_out: Callable, alice: Any, code_of: Callable, balance_of: Callable, household: BankAccount
) -> None:
    # R3.6
    assert take_out("600", key="the-first-600").status_code == 201
    answer = take_out("600")
    assert answer.json()["challenge"]["why"] == "amount"
    assert take_out("600", challenge=id_in(answer), code=code_of(alice)).status_code == 201
    assert balance_of(household) == 20_000 - 1200


def test_a_wrong_code_moves_nothing_and_the_next_one_will_do(
    send: Callable, alice: Any, code_of: Callable, books: Callable
) -> None:
    challenge, before = id_in(send()), books()
    answer = send(challenge=challenge, code=acts.wrong_code_for(code_of(alice)))
    assert told(answer) == (403, "wrong_step_up_code")
    assert books() == before
    with time_machine.travel(timezone.now() + timedelta(seconds=31), tick=False):
        assert send(challenge=challenge, code=code_of(alice)).status_code == 201


def test_too_many_wrong_codes_are_429(send: Callable, alice: Any, code_of: Callable, settings: Any) -> None:
    # R1.4: counted with those at sign-in.
    settings.TRANSFERS_PER_MINUTE = 100
    wrong, answers = acts.wrong_code_for(code_of(alice)), []
    moment = timezone.now()
    for number in range(6):
        with time_machine.travel(moment + timedelta(seconds=33 * number), tick=False):
            answers.append(told(send(challenge=id_in(send()), code=wrong)))
    assert answers[:5] == [(403, "wrong_step_up_code")] * 5
    assert answers[5] == (429, "too_often")


@in_one_world("change", ["amount", "key", "challenge"])
def test_a_code_is_good_for_what_it_was_asked_for(
    change: str, send: Callable, alice: Any, code_of: Callable, books: Callable
) -> None:
    # R3.6: another amount, another key, or a challenge that is nobody's: asked again, and the code is not used up.
    challenge, before = id_in(send()), books()
    code = code_of(alice)
    other: dict[str, dict[str, Any]] = {
        "amount": {"amount": "11"},
        "key": {"key": "another-key-of-mine"},
        "challenge": {"challenge": NOBODYS},
    }
    again = id_in(send(**{"amount": "10", "challenge": challenge, "code": code} | other[change]))
    assert books() == before
    if change == "challenge":
        assert again == challenge
    assert send(challenge=challenge, code=code).status_code == 201


@proves("V7.5.3", "V16.3.2")
def test_a_challenge_of_somebody_else_is_good_for_nothing(
    send: Callable, code_of: Callable, charlie: Any, api_of: Callable, open_account: Callable, bobs: BankAccount
) -> None:
    # R1.7
    his = open_account(charlie, "100")
    body = {
        "amount": "10",
        "to": bobs.number,
        "name": "Bob Brandt",
        "challenge": id_in(send()),
        "code": code_of(charlie),
    }
    answer = api_of(charlie).post(f"accounts/{his.number}/transfer", body, Idempotency_Key=KEY)
    assert told(answer) == ASKED
    assert answer.json()["challenge"]["id"] != body["challenge"]
    (entry,) = AuditEntry.objects.filter(action="ACCESS_REFUSED")
    assert (entry.actor_id, entry.details["reason"]) == (charlie.pk, "foreign_challenge")
    assert not TransferOrder.objects.filter(kind="payment").exists()


def test_after_two_minutes_another_code_is_asked_for(send: Callable, alice: Any, code_of: Callable) -> None:
    challenge = id_in(send())
    with time_machine.travel(timezone.now() + timedelta(seconds=121), tick=False):
        answer = send(challenge=challenge, code=code_of(alice))
        assert id_in(answer) != challenge
        assert "time for this code is over" in answer.json()["detail"]
        assert send(challenge=id_in(answer), code=code_of(alice)).status_code == 201


def test_being_asked_takes_one_place_of_the_minute_and_answering_none(
    send: Callable, alice: Any, code_of: Callable
) -> None:
    # R3.9
    asked = send()
    assert asked["RateLimit"] == '"transfer";r=4;t=60'
    done = send(challenge=id_in(asked), code=code_of(alice))
    assert done["RateLimit"].startswith('"transfer";r=4;')


def test_a_held_payment_with_a_code_is_202(send: Callable, alice: Any, code_of: Callable) -> None:
    # R3.10
    answer = send("12345.67", challenge=id_in(send("12345.67")), code=code_of(alice))
    assert (answer.status_code, answer.json()["state"]) == (202, "held")
    assert not Payee.objects.exists()


def test_after_a_reset_first_payments_and_cash_wait_and_it_is_told_until_when(
    send: Callable, take_out: Callable, alice: Any, books: Callable
) -> None:
    # R1.8
    alice.hardened_at = timezone.now() - timedelta(hours=1)
    alice.save()
    before = books()
    for answer in (send(), take_out("1", key="cash-please")):
        assert told(answer) == (403, "waits_after_reset")
        until = datetime.fromisoformat(answer.json()["until"])
        assert until == alice.hardened_at + timedelta(hours=24)
    assert books() == before
    assert not StepUpChallenge.objects.exists()


def test_each_step_is_in_the_audit_log(send: Callable, alice: Any, code_of: Callable) -> None:
    # R6.1
    send(challenge=id_in(send()), code=code_of(alice))
    actions = list(AuditEntry.objects.filter(actor_id=alice.pk).order_by("pk").values_list("action", flat=True))
    assert actions[-3:] == ["STEP_UP_REQUIRED", "STEP_UP_GIVEN", "TRANSFER_CREATED"]


def test_the_document_says_how(client: Any) -> None:
    # R7.3
    document = client.get("/api/v1/openapi.json").json()
    for verb in ("transfer", "withdraw"):
        operation = document["paths"][f"/api/v1/accounts/{{number}}/{verb}"]["post"]
        said = operation["responses"]["403"]
        for word in ("step_up_required", "wrong_step_up_code", "waits_after_reset", "`challenge`", "`code`"):
            assert word in said["description"]
        example = said["content"]["application/problem+json"]["examples"]["step_up_required"]["value"]
        assert set(example["challenge"]) == {"id", "expires_at", "why"}
        assert set(operation["responses"]) >= {"201", "202", "409", "422", "429"}
        body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        fields = document["components"]["schemas"][body]
        assert {"challenge", "code"} <= set(fields["properties"])
        assert not {"challenge", "code"} & set(fields["required"])
    assert document["components"]["schemas"]["Problem"]["properties"]["until"]["format"] == "date-time"
