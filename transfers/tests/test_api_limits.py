"""One's own daily limit through the API: seen, and lowered at once (R3.9, R7.2)."""

from decimal import Decimal
from typing import Any

import pytest

from audit.models import AuditEntry
from tests.acts import know, mails, transfer
from tests.api_client import told
from tests.tables import in_one_world
from transfers.models import CustomerLimit

pytestmark = pytest.mark.django_db


def test_what_is_left_of_today_is_told(alice: Any, bob: Any, api_of: Any, open_account: Any, new_key: Any) -> None:
    api = api_of(alice)
    assert api.get("daily-limit").json() == {"limit": "25000.00", "used": "0.00", "remaining": "25000.00"}
    source, target = open_account(alice, "100.00"), open_account(bob)
    know(alice, target)
    transfer(actor=alice, source=source, target=target, amount=Decimal("30.50"), idempotency_key=new_key())
    assert api.get("daily-limit").json() == {"limit": "25000.00", "used": "30.50", "remaining": "24969.50"}
    assert api.put("daily-limit", {"amount": "20"}).json() == {"limit": "20.00", "used": "30.50", "remaining": "0.00"}


def test_a_lower_limit_holds_at_once_and_is_told(alice: Any, bob: Any, api_of: Any) -> None:
    # R3.9
    api = api_of(alice)
    assert api.put("daily-limit", {"amount": "500"}).json()["limit"] == "500.00"
    assert api.put("daily-limit", {"amount": "0"}).json()["remaining"] == "0.00"
    assert api_of(bob).get("daily-limit").json()["limit"] == "25000.00"
    assert AuditEntry.objects.filter(action="DAILY_LIMIT_LOWERED", actor_id=alice.pk).count() == 2
    assert len(mails(alice.email)) == 2


def test_an_eleventh_time_in_an_hour_is_one_too_many(alice: Any, api_of: Any) -> None:
    # R3.9: mails must not bury the one that warns.
    api = api_of(alice)
    answers = [api.put("daily-limit", {"amount": str(100 - number)}) for number in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


@in_one_world("amount", ["500", "500.01", "30000", "999999999999"])
def test_nobody_raises_their_own(amount: str, alice: Any, api_of: Any) -> None:
    # R4.2: only the bank does.
    api = api_of(alice)
    api.put("daily-limit", {"amount": "500"})
    assert told(api.put("daily-limit", {"amount": amount})) == (409, "not_a_lower_limit")
    assert api.get("daily-limit").json()["limit"] == "500.00"


@in_one_world(
    "data",
    [{"amount": amount} for amount in (5, 5.5, "-1", "1e2", "NaN", "1.001", "", None, "1,5", True)]
    + [{}, {"amount": "5", "user": "x"}],
)
def test_an_amount_is_a_text_of_digits(data: Any, alice: Any, api_of: Any) -> None:
    # R7.3
    answer = api_of(alice).put("daily-limit", data)
    assert told(answer) == (422, "invalid")
    assert {error["field"] for error in answer.json()["errors"]} <= {"amount", "user"}
    assert not CustomerLimit.objects.exists()


@in_one_world("who", ["sam", "audrey", "ada"])
def test_staff_have_none(who: str, request: Any, api_of: Any) -> None:
    # R1.7
    api = api_of(request.getfixturevalue(who))
    assert told(api.get("daily-limit")) == (403, "forbidden")
    assert told(api.put("daily-limit", {"amount": "5"})) == (403, "forbidden")


def test_without_a_token_there_is_none(api_of: Any) -> None:
    assert told(api_of(None).get("daily-limit")) == (401, "token_invalid")
    assert told(api_of(None).put("daily-limit", {"amount": "5"})) == (401, "token_invalid")
