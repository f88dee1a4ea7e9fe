"""Service requests as staff decide them through the API (R4.2, R5.4)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AccountFreeze, AccountStatus, BankAccount, FreezeKind
from foundation import paging
from support.models import RequestKind, ServiceRequest
from support.requests import services as service
from tests.api_client import ApiClient, told
from tests.staff_acts import REASON, entry_of, stored
from tests.tables import in_one_world
from transfers.accounts import freezing

pytestmark = pytest.mark.django_db

FORBIDDEN, NOT_FOUND = (403, "forbidden"), (404, "not_found")
IDENTITY = {"first_name": "Alicia", "last_name": "O'Brien", "address": "Hafenstraße 9"}


@pytest.fixture
def api(request: Any, api_of: Callable[..., ApiClient]) -> Callable[[str], ApiClient]:
    """`api("sam")`"""
    return lambda name: api_of(request.getfixturevalue(name))


def state_of(row: Any) -> str:
    return ServiceRequest.objects.get(pk=row.pk).state


@in_one_world("who", ["sam", "audrey", "ada"])
def test_staff_see_what_waits(who: str, alice: Any, request_of: Any, api: Any) -> None:
    row, decided = request_of(alice), request_of(alice, state="completed")
    [shown] = api(who).get("staff/requests").json()["items"]
    assert shown == {
        "id": str(row.public_id),
        "kind": "freeze_account",
        "state": "pending",
        "customer": {"id": str(alice.public_id), "email": alice.email, "name": "Alice Archer"},
        "account": row.account.masked_number,
        "needs_two_clerks": False,
        "first_approved_at": None,
        "created_at": shown["created_at"],
        "decided_at": None,
    }
    assert decided.account.number not in str(shown)


def test_what_the_customer_gave_is_for_those_who_decide(alice: Any, request_of: Any, api: Any) -> None:
    # R5.4
    row = request_of(alice, "update_identity", payload=IDENTITY, reason="I married")
    path = f"staff/requests/{row.public_id}"
    for who in ("sam", "ada"):
        shown = api(who).get(path).json()
        assert (shown["reason"], shown["wishes"]) == ("I married", IDENTITY)
    shown = api("audrey").get(path).json()
    assert (shown["id"], shown["reason"], shown["wishes"]) == (str(row.public_id), None, None)


def test_a_wished_limit_is_an_amount(alice: Any, request_of: Any, api: Any) -> None:
    # R7.3
    row = request_of(alice, "raise_daily_limit", payload={"amount": "30000"}, reason="A car")
    assert api("sam").get(f"staff/requests/{row.public_id}").json()["wishes"] == {"amount": "30000.00"}


def test_approval_does_what_was_asked_for(alice: Any, request_of: Any, api: Any, sam: Any) -> None:
    # R4.2
    row = request_of(alice)
    answer = api("sam").post(f"staff/requests/{row.public_id}/approve", {"reason": REASON})
    assert (answer.status_code, answer.json()["state"]) == (200, "completed")
    assert BankAccount.objects.get(pk=row.account_id).status == AccountStatus.FROZEN
    assert entry_of("REQUEST_APPROVED").details["reason"] == REASON
    for verb in ("approve", "reject"):
        answer = api("ada").post(f"staff/requests/{row.public_id}/{verb}", {"reason": REASON})
        assert told(answer) == (409, "illegal_step")


def test_rejection_changes_nothing(alice: Any, request_of: Any, api: Any) -> None:
    row = request_of(alice, "update_identity", payload=IDENTITY, reason="I married")
    answer = api("sam").post(f"staff/requests/{row.public_id}/reject", {"reason": "Not without documents"})
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    assert ServiceRequest.objects.get(pk=row.pk).decision_reason == "Not without documents"
    assert stored(alice).first_name == "Alice"


def test_two_clerks_agree_where_two_are_needed(alice: Any, sally: Any, api: Any) -> None:
    # R4.2
    row = service.save_new(alice, RequestKind.RESET_TWO_FACTOR)
    path = f"staff/requests/{row.public_id}/approve"
    first = api("sam").post(path, {"reason": REASON}).json()
    assert (first["state"], first["needs_two_clerks"]) == ("pending", True)
    assert first["first_approved_at"].endswith("Z")
    assert told(api("sam").post(path, {"reason": REASON})) == (409, "second_clerk_needed")
    assert api("sally").post(path, {"reason": REASON}).json()["state"] == "completed"


def test_what_the_change_refuses_goes_on_waiting(alice: Any, request_of: Any, api: Any) -> None:
    row = request_of(alice, "close_account")
    BankAccount.objects.filter(pk=row.account_id).update(balance=Decimal(5))
    answer = api("sam").post(f"staff/requests/{row.public_id}/approve", {"reason": REASON})
    assert told(answer) == (409, "account_not_empty")
    assert state_of(row) == "pending"


@pytest.fixture
def unfreezing(alice: Any, request_of: Any, open_account: Any) -> Any:
    """Alice has frozen her account, and asks for an end to it."""
    account = open_account(alice)
    freezing.freeze_own_account(actor=alice, account=account, reason="My phone is gone")
    account.refresh_from_db()
    return request_of(alice, "unfreeze_account", account=account, reason="I found it again")


def test_an_approval_lifts_the_freezes_that_the_program_has_read_and_no_other(
    unfreezing: Any, ada: Any, api: Any
) -> None:
    """R2.5: a newer one is refused, and nothing is half done."""
    client, path = api("ada"), f"staff/requests/{unfreezing.public_id}"
    first = client.get(path).json()
    assert [freeze["kind"] for freeze in first["freezes"]] == ["customer"]
    freezing.freeze_account(actor=ada, account=unfreezing.account, reason=REASON)
    refused = client.post(f"{path}/approve", {"reason": REASON, "freezes_version": first["freezes_version"]})
    assert told(refused) == (409, "freeze_came_since")
    assert "freezes_version" in refused.json()["detail"]
    assert (state_of(unfreezing), BankAccount.objects.get(pk=unfreezing.account_id).status) == ("pending", "frozen")
    second = client.get(path).json()
    assert [freeze["kind"] for freeze in second["freezes"]] == ["customer", "administrator"]
    done = client.post(f"{path}/approve", {"reason": REASON, "freezes_version": second["freezes_version"]})
    assert (done.status_code, done.json()["state"]) == (200, "completed")
    assert client.get(path).json()["freezes_version"] == 0


def test_an_approval_that_names_no_freezes_lifts_those_that_the_customer_asked_about(
    unfreezing: Any, ada: Any, api: Any
) -> None:
    """The bank cannot know what a program has read that sends only its reason."""
    client, path = api("ada"), f"staff/requests/{unfreezing.public_id}/approve"
    freezing.freeze_account(actor=ada, account=unfreezing.account, reason=REASON)
    assert told(client.post(path, {"reason": REASON})) == (409, "freeze_came_since")
    assert state_of(unfreezing) == "pending"
    freezing.unfreeze_account(actor=ada, account=unfreezing.account, kinds=[FreezeKind.ADMINISTRATOR], reason=REASON)
    assert client.post(path, {"reason": REASON}).json()["state"] == "completed"


def test_which_freezes_the_customer_asked_about_is_for_no_clock_to_say(unfreezing: Any, ada: Any, api: Any) -> None:
    """R2.5: a server whose clock is slow freezes later, at a time before the request."""
    freezing.freeze_account(actor=ada, account=unfreezing.account, reason=REASON)
    AccountFreeze.objects.filter(kind=FreezeKind.ADMINISTRATOR).update(
        frozen_at=unfreezing.created_at - timedelta(days=1)
    )
    path = f"staff/requests/{unfreezing.public_id}"
    assert told(api("ada").post(f"{path}/approve", {"reason": REASON})) == (409, "freeze_came_since")
    assert api("ada").get(path).json()["wishes"] == {}, "it is nothing that the customer wishes"


def test_the_time_says_which_freezes_a_request_meant_that_noted_none(unfreezing: Any, ada: Any, api: Any) -> None:
    """A request that was filed before the bank noted them."""
    unfreezing.payload = "{}"
    unfreezing.save(update_fields=["payload"])
    path = f"staff/requests/{unfreezing.public_id}/approve"
    freezing.freeze_account(actor=ada, account=unfreezing.account, reason=REASON)
    assert told(api("ada").post(path, {"reason": REASON})) == (409, "freeze_came_since")
    freezing.unfreeze_account(actor=ada, account=unfreezing.account, kinds=[FreezeKind.ADMINISTRATOR], reason=REASON)
    assert api("ada").post(path, {"reason": REASON}).json()["state"] == "completed"


def test_a_text_that_is_not_a_version_is_invalid(unfreezing: Any, api: Any) -> None:
    path = f"staff/requests/{unfreezing.public_id}/approve"
    for wrong in (-1, "1", 1.5, [1]):
        answer = api("sam").post(path, {"reason": REASON, "freezes_version": wrong})
        assert (told(answer), answer.json()["errors"][0]["field"]) == ((422, "invalid"), "freezes_version")
    assert state_of(unfreezing) == "pending"
    read = api("sam").get(f"staff/requests/{unfreezing.public_id}").json()["freezes_version"]
    answer = api("sam").post(path, {"reason": REASON, "freezes_version": float(read)})
    assert answer.status_code == 200, "3.0 is a whole number, as the document says it"


@in_one_world("who", ["alice", "charlie", "audrey"])
def test_neither_customers_nor_auditors_decide(who: str, alice: Any, request_of: Any, api: Any) -> None:
    # R1.7, R5.2
    row, client = request_of(alice), api(who)
    for verb in ("approve", "reject"):
        assert told(client.post(f"staff/requests/{row.public_id}/{verb}", {"reason": REASON})) == FORBIDDEN
        assert told(client.post(f"staff/requests/{uuid4()}/{verb}", {"reason": REASON})) == FORBIDDEN
    if who != "audrey":
        assert told(client.get("staff/requests")) == FORBIDDEN
        assert told(client.get(f"staff/requests/{row.public_id}")) == FORBIDDEN
    assert state_of(row) == "pending"


def test_a_request_of_ones_own_is_decided_by_somebody_else(sam: Any, ada: Any, api: Any) -> None:
    # R5.2: and a clerk opens no colleague's user.
    row = service.save_new(ada, RequestKind.RESET_TWO_FACTOR)
    for verb in ("approve", "reject"):
        path = f"staff/requests/{row.public_id}/{verb}"
        assert told(api("ada").post(path, {"reason": REASON})) == (409, "not_yourself")
        assert told(api("sam").post(path, {"reason": REASON})) == FORBIDDEN
    assert state_of(row) == "pending"


def test_a_missing_row_is_404_and_a_wrong_value_422(alice: Any, request_of: Any, api: Any) -> None:
    row = request_of(alice)
    for verb in ("approve", "reject"):
        assert told(api("sam").post(f"staff/requests/{uuid4()}/{verb}", {"reason": REASON})) == NOT_FOUND
        for body in ({}, {"reason": " "}, {"reason": REASON, "state": "completed"}):
            answer = api("sam").post(f"staff/requests/{row.public_id}/{verb}", body)
            assert told(answer) == (422, "invalid")
            assert answer.json()["errors"][0]["field"] in {"reason", "state"}
    assert told(api("sam").get(f"staff/requests/{uuid4()}")) == NOT_FOUND
    assert told(api("sam").get(f"staff/requests/{row.pk}")) == NOT_FOUND
    assert state_of(row) == "pending"


def test_the_list_goes_on_at_its_cursor(
    alice: Any, request_of: Any, api: Any, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    # R7.3: also if the last row of the previous page was decided meanwhile.
    monkeypatch.setattr(paging, "PAGE_ROWS", 2)
    rows = [request_of(alice) for _ in range(4)]
    client = api("sam")
    with django_assert_max_num_queries(3):
        first = client.get("staff/requests").json()
    ServiceRequest.objects.filter(public_id=first["items"][-1]["id"]).update(state="rejected")
    second = client.get("staff/requests", {"cursor": first["next_cursor"]}).json()
    seen = [row["id"] for row in first["items"] + second["items"]]
    assert seen == [str(row.public_id) for row in reversed(rows)]
    assert second["next_cursor"] is None
