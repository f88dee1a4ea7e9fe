"""The same request many times at once: done once, and every answer says the same (R3.5, R7.3, issue 6 Shows 4)."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import BankAccount
from tests import acts
from tests.api_client import ApiClient
from tests.asvs import proves
from transfers.models import TransferOrder

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = 20
KEY = "the-one-key-of-all"


@pytest.fixture
def post(alice: Any, api_of: Callable) -> Callable[..., Any]:
    """`post(path, body)`: with Alice's token, by a program of its own, as twenty processes would."""
    tokens = api_of(alice).tokens

    def send(path: str, body: dict[str, str], key: str = KEY) -> Any:
        return ApiClient(tokens).post(path, body, Idempotency_Key=key)

    return send


def all_the_same(answers: list[Any]) -> Any:
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (answers[0].status_code, answers[0].content)
    }, [getattr(answer, "content", answer) for answer in answers]
    return answers[0]


@proves("V2.3.3", "V15.4.2")
@pytest.mark.parametrize("verb", ["deposit", "withdraw", "transfer"])
def test_the_same_key_twenty_times_at_once_moves_money_once(
    verb: str, post: Callable, everyday: BankAccount, savings: BankAccount, balance_of: Callable
) -> None:
    """It does not count as more than one of the minute's five transfers either."""
    body = {"amount": "10.00"} | ({"to": savings.number} if verb == "transfer" else {})
    before = TransferOrder.objects.count()
    path = f"accounts/{everyday.number}/{verb}"
    answer = all_the_same(acts.at_once(*[lambda: post(path, body)] * TIMES))
    assert answer.status_code == 201
    assert TransferOrder.objects.count() == before + 1
    assert balance_of(everyday) == (110 if verb == "deposit" else 90)
    assert post(path, body).content == answer.content
    assert post(path, body, key="another-key").status_code == 201


def test_one_account_is_opened_by_twenty_requests(post: Callable, alice: Any) -> None:
    body = {"kind": "savings", "opening_deposit": "5"}
    answer = all_the_same(acts.at_once(*[lambda: post("accounts", body)] * TIMES))
    assert (answer.status_code, answer.json()["balance"]) == (201, "5.00")
    assert BankAccount.objects.filter(owner=alice).count() == 1


@proves("V15.4.2")
def test_one_code_sent_twenty_times_pays_once(
    post: Callable, everyday: BankAccount, bobs: BankAccount, alice: Any, code_of: Callable, balance_of: Callable
) -> None:
    # R3.6
    path, body = f"accounts/{everyday.number}/transfer", {"amount": "10.00", "to": bobs.number, "name": "Bob Brandt"}
    asked = all_the_same_challenge(acts.at_once(*[lambda: post(path, body)] * TIMES))
    proven = body | {"challenge": asked, "code": code_of(alice)}
    answer = all_the_same(acts.at_once(*[lambda: post(path, proven)] * TIMES))
    assert answer.status_code == 201
    assert [balance_of(everyday), balance_of(bobs)] == [90, 10]


def all_the_same_challenge(answers: list[Any]) -> str:
    """Return one challenge: parallel requests may have got challenges of their own; each is for the same payment, and
    one is given a code."""
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["code"] for answer in answers} == {"step_up_required"}
    return answers[0].json()["challenge"]["id"]


def test_twenty_keys_at_once_spend_no_more_than_there_is(
    post: Callable, everyday: BankAccount, savings: BankAccount, balance_of: Callable, no_minute_limits: None
) -> None:
    # R3.4
    body, path = {"amount": "10.00", "to": savings.number}, f"accounts/{everyday.number}/transfer"
    answers: list[Any] = acts.at_once(
        *[lambda number=number: post(path, body, key=f"key-number-{number}") for number in range(TIMES)]
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 10
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"insufficient_funds"}
    assert [balance_of(everyday), balance_of(savings)] == [0, 100]
