"""Payees through the API: listed, looked up, renamed, removed (R7.2, R3.3, R3.6)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.account_numbers import check_digits
from accounts.models import BankAccount
from tests import acts
from tests.api_client import ApiClient, told
from tests.tables import in_one_world
from transfers.models import Payee


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


def test_the_list_names_them_and_masks_their_numbers(alices: ApiClient, known: BankAccount, freeze: Callable) -> None:
    payee = Payee.objects.get()
    [item] = alices.get("payees").json()["items"]
    assert item == alices.get(f"payees/{payee.public_id}").json()
    assert item.pop("last_paid_at").endswith("Z")
    assert item == {
        "id": str(payee.public_id),
        "name": "Bob Brandt",
        "account_name": "Bob Brandt",
        "name_confirmed": True,
        "label": "",
        "masked_number": known.masked_number,
        "can_receive": True,
    }
    freeze(known)
    assert alices.get("payees").json()["items"][0]["can_receive"] is False


def test_twenty_payees_cost_no_more_statements_than_one(
    alices: ApiClient, alice: Any, bob: Any, known: BankAccount, open_account: Callable
) -> None:
    for count in (1, 10):
        with CaptureQueriesContext(connection) as captured:
            assert len(alices.get("payees").json()["items"]) == count
        assert len(captured) == 2, [query["sql"] for query in captured]
        for _ in range(9):
            acts.know(alice, open_account(bob))


def test_a_payee_is_renamed_and_removed(alices: ApiClient, known: BankAccount) -> None:
    payee = Payee.objects.get()
    here = f"payees/{payee.public_id}"
    answer = alices.patch(here, {"label": "  My  brother "})
    assert (answer.status_code, answer.json()["name"], answer.json()["account_name"]) == (
        200,
        "My brother",
        "Bob Brandt",
    )
    assert alices.patch(here, {"label": ""}).json()["name"] == "Bob Brandt"
    assert (alices.delete(here).status_code, Payee.objects.count()) == (204, 0)
    assert told(alices.delete(here)) == (404, "not_found")
    assert told(alices.patch(here, {"label": "x"})) == (404, "not_found")


@in_one_world("body", [{}, {"label": None}, {"label": 1}, {"label": "x" * 61}, {"label": "a", "account": 1}])
def test_a_label_that_is_not_valid_changes_nothing(alices: ApiClient, known: BankAccount, body: Any) -> None:
    assert told(alices.patch(f"payees/{Payee.objects.get().public_id}", body)) == (422, "invalid")
    assert Payee.objects.get().label == ""


def test_a_look_up_shows_of_a_stranger_what_a_number_is_worth(
    alices: ApiClient, everyday: BankAccount, bobs: BankAccount, alice: Any, bob: Any
) -> None:
    # R3.6: what the review page shows.
    def found(account: BankAccount) -> dict[str, Any]:
        answer = alices.post("payees/lookup", {"number": account.number_grouped})
        assert answer.status_code == 200
        assert bob.email not in answer.content.decode()
        return answer.json()

    stranger = {"name": "", "name_check": "not_checked", "name_confirmed": False}
    stranger |= {"label": "", "is_own": False, "is_known": False}
    assert found(bobs) == stranger | {"masked_number": bobs.masked_number}
    acts.know(alice, bobs)
    assert found(bobs)["name"] == "Bob Brandt"
    assert found(bobs)["is_known"] is True
    assert found(everyday)["name"] == "Everyday"
    assert found(everyday)["is_own"] is True


def test_a_look_up_does_not_tell_why_somebody_cannot_be_paid(
    alices: ApiClient, bobs: BankAccount, freeze: Callable
) -> None:
    # R3.3
    freeze(bobs)
    answers = [
        alices.post("payees/lookup", {"number": number})
        for number in (bobs.number, "1000000000" + check_digits("1000000000"))
    ]
    assert [told(answer) for answer in answers] == [(409, "payee_cannot_receive")] * 2
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


@in_one_world("number", [123456789012, None, "", "123456789012", ["1"], {"a": "1"}, "x" * 1000])
def test_a_text_that_is_not_a_number_is_not_looked_up(alices: ApiClient, number: Any) -> None:
    answer = alices.post("payees/lookup", {"number": number})
    assert told(answer) == (422, "invalid")
    assert "RateLimit" not in answer


def test_look_ups_are_counted(alices: ApiClient, bobs: BankAccount, settings: Any) -> None:
    # R3.3, R7.4
    settings.PAYEE_LOOKUPS_PER_HOUR = 2
    answers = [alices.post("payees/lookup", {"number": bobs.number}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1]["RateLimit"] == '"payee";r=0;t=3600'
    assert int(answers[2]["Retry-After"]) > 3500
