"""Service requests through the API: each kind with its own fields, decided by clerks as always (R4.2, R7.2)."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import User
from audit.models import AuditEntry
from support.models import ServiceRequest
from support.requests import services as service
from support.requests.kinds import KINDS, PAGE_KINDS
from tests.acts import mails
from tests.api_client import told
from tests.asvs import proves
from tests.staff_acts import set_status
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

STAFF = ("sam", "audrey", "ada")


def fields(answer: Any) -> dict[str, str]:
    assert told(answer) == (422, "invalid")
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


@pytest.fixture
def account(alice: Any, open_account: Any) -> Any:
    return open_account(alice)


@pytest.fixture
def wishes(alice: Any, account: Any, open_account: Any) -> dict[str, dict[str, Any]]:
    """A body of each kind that Alice can send."""
    frozen = open_account(alice)
    set_status(frozen, "frozen")
    frozen.refresh_from_db()
    User.objects.filter(pk=alice.pk).update(pin_hash=make_password("805913"))
    bodies: dict[str, dict[str, Any]] = {
        "freeze_account": {"account": account.number_grouped},
        "close_account": {"account": account.number},
        "unfreeze_account": {"account": frozen.number, "reason": "My card is back"},
        "raise_daily_limit": {"amount": "40000", "reason": "A house"},
        "update_identity": {"first_name": "Alicia", "last_name": "", "address": "A 1\n\nB", "reason": "I moved"},
        "reset_pin": {},
    }
    assert set(bodies) == set(PAGE_KINDS), "a new kind: add a body that asks for it to `wishes`, here"
    return {kind: {"kind": kind} | body for kind, body in bodies.items()}


@in_one_world("kind", PAGE_KINDS)
def test_each_kind_is_filed_seen_and_taken_back(kind: str, alice: Any, api_of: Any, wishes: Any) -> None:
    # R4.2
    api, mails_before = api_of(alice), len(mails(alice.email))
    filed = api.post("requests", wishes[kind])
    assert filed.status_code == 201
    row = ServiceRequest.objects.get()
    assert (row.customer_id, row.kind, row.state) == (alice.pk, kind, "pending")
    assert row.opened.keys() == KINDS[kind].payload_keys | KINDS[kind].noted(row.account).keys()  # type: ignore[index]  # a text for its member
    assert filed.json()["wishes"].keys() == KINDS[kind].payload_keys  # type: ignore[index]  # as above
    seen = api.get(f"requests/{row.public_id}")
    assert seen.json() == filed.json()
    assert (seen.json()["kind"], seen.json()["state"], seen.json()["decided_at"]) == (kind, "pending", None)
    again = "wrong_status" if kind == "freeze_account" else "already_asked"  # it is frozen from then on
    assert told(api.post("requests", wishes[kind])) == (409, again)
    assert api.post(f"requests/{row.public_id}/cancel").status_code == 204
    assert api.get(f"requests/{row.public_id}").json()["state"] == "cancelled"
    assert told(api.post(f"requests/{row.public_id}/cancel")) == (409, "illegal_step")
    assert AuditEntry.objects.filter(action__in=["REQUEST_CREATED", "REQUEST_CANCELLED"]).count() == 2
    own = ["You have frozen your account"] * (kind == "freeze_account")
    assert len(mails(alice.email)) == mails_before + 2 + len(own)
    assert [mail.subject for mail in mails(alice.email) if "frozen" in mail.subject] == own


def test_every_kind_of_the_pages_has_a_schema(api_of: Any) -> None:
    document = api_of(None).get("openapi.json").json()
    body = document["paths"]["/api/v1/requests"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    kinds = {
        document["components"]["schemas"][one["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"]
        for one in body["oneOf"]
    }
    assert kinds == set(PAGE_KINDS)
    assert {ref.rpartition("/")[2] for ref in body["discriminator"]["mapping"].values()} <= set(
        document["components"]["schemas"]
    )
    assert body["discriminator"]["propertyName"] == "kind"


def test_what_was_asked_for_comes_back_in_one_spelling(alice: Any, account: Any, api_of: Any, wishes: Any) -> None:
    # R2.2: the full number in one's own request, masked in the list.
    api = api_of(alice)
    limit = api.post("requests", wishes["raise_daily_limit"]).json()
    assert (limit["wishes"], limit["account"], limit["reason"]) == ({"amount": "40000.00"}, None, "A house")
    moved = api.post("requests", wishes["update_identity"]).json()
    assert moved["wishes"] == {"first_name": "Alicia", "last_name": "", "address": "A 1\nB"}
    frozen = api.post("requests", wishes["freeze_account"]).json()
    assert (frozen["account"], frozen["masked_account"]) == (account.number, account.masked_number)
    listed = api.get("requests")
    assert [one["kind"] for one in listed.json()["items"]] == ["freeze_account", "update_identity", "raise_daily_limit"]
    assert listed.json()["items"][0]["masked_account"] == account.masked_number
    for secret in (account.number, "Alicia", "A house"):
        assert secret not in listed.content.decode()


@proves("V8.2.3")
def test_a_decision_is_told_with_its_reason_and_not_by_whom(
    alice: Any, sam: Any, account: Any, api_of: Any, wishes: Any
) -> None:
    # R4.2: what the API files, the approval does.
    api = api_of(alice)
    public_id = api.post("requests", wishes["freeze_account"]).json()["id"]
    service.approve_request(actor=sam, public_id=public_id, reason="Seen the papers")
    seen = api.get(f"requests/{public_id}")
    assert (seen.json()["state"], seen.json()["decision_reason"]) == ("completed", "Seen the papers")
    assert seen.json()["decided_at"].endswith("Z")
    assert "sam" not in seen.content.decode().lower()
    account.refresh_from_db()
    assert account.status == "frozen"
    assert told(api.post(f"requests/{public_id}/cancel")) == (409, "illegal_step")


# --- What cannot be --------------------------------------------------------------------------------------------


@proves("V2.2.1", "V15.3.3")
@in_one_world(
    ("data", "expected"),
    [
        ({}, {"kind": "unknown_kind"}),
        ({"kind": "reset_two_factor"}, {"kind": "unknown_kind"}),  # a stolen session must not ask for it
        ({"kind": "<script>"}, {"kind": "unknown_kind"}),
        ({"kind": 5}, {"kind": "unknown_kind"}),
        ({"kind": ["reset_pin"]}, {"kind": "unknown_kind"}),
        ({"kind": "reset_pin", "pin": "805913"}, {"pin": "extra_forbidden"}),
        ({"kind": "reset_pin", "account": "123456789012"}, {"account": "extra_forbidden"}),
        ({"kind": "freeze_account"}, {"account": "missing"}),
        ({"kind": "freeze_account", "account": 123456789012}, {"account": "string_type"}),
        ({"kind": "freeze_account", "account": "123456789012"}, {"account": "invalid_account_number"}),
        ({"kind": "raise_daily_limit"}, {"amount": "missing", "reason": "missing"}),
        ({"kind": "raise_daily_limit", "amount": 5, "reason": "x"}, {"amount": "string_type"}),
        ({"kind": "raise_daily_limit", "amount": "1e9", "reason": "x"}, {"amount": "invalid_amount"}),
        ({"kind": "raise_daily_limit", "amount": "NaN", "reason": "x"}, {"amount": "invalid_amount"}),
        ({"kind": "raise_daily_limit", "amount": "40000", "reason": " "}, {"reason": "invalid"}),
        ({"kind": "reset_pin", "reason": "x" * 501}, {"reason": "invalid"}),
        ({"kind": "reset_pin", "reason": "\u202eno"}, {"reason": "invalid"}),
        (
            {"kind": "update_identity", "first_name": "1", "address": " ", "reason": "x", "phone": "1"},
            {"first_name": "invalid", "address": "invalid", "phone": "extra_forbidden"},
        ),
        ({"kind": "update_identity", "first_name": "A", "address": "a\u0007", "reason": "x"}, {"address": "invalid"}),
        ([], {"": "model_attributes_type"}),
        ("reset_pin", {"": "model_attributes_type"}),
    ],
)
def test_each_kind_has_its_own_fields_and_no_other(data: Any, expected: Any, alice: Any, api_of: Any) -> None:
    # R4.2: there is no place for a secret; and nothing that was sent comes back.
    answer = api_of(alice).post("requests", data)
    assert fields(answer) == expected
    assert "script" not in answer.content.decode()
    assert not ServiceRequest.objects.exists()


def test_what_makes_no_sense_is_refused(alice: Any, account: Any, api_of: Any, open_account: Any) -> None:
    api = api_of(alice)
    full = open_account(alice, "10.00")

    def asked(kind: str, **body: Any) -> tuple[int, str]:
        return told(api.post("requests", {"kind": kind} | body))

    assert asked("unfreeze_account", account=account.number, reason="x") == (409, "wrong_status")
    assert asked("close_account", account=full.number) == (409, "account_not_empty")
    assert asked("raise_daily_limit", amount="25000", reason="x") == (409, "not_a_higher_limit")
    assert asked("raise_daily_limit", amount="999999", reason="x") == (409, "above_the_ceiling")
    assert asked("reset_pin") == (409, "no_pin")
    same = {"first_name": "Alice", "last_name": "Archer", "address": alice.address, "reason": "x"}
    assert asked("update_identity", **same) == (409, "nothing_to_change")
    long = {"first_name": "A" + '"' * 99, "address": "A" + '"' * 299, "reason": "x"}
    assert asked("update_identity", **long) == (422, "payload_too_long")


def test_there_is_an_end_to_what_one_can_ask(alice: Any, api_of: Any, wishes: Any, settings: Any) -> None:
    settings.MAX_OPEN_REQUESTS = 1
    api = api_of(alice)
    assert api.post("requests", wishes["reset_pin"]).status_code == 201
    assert told(api.post("requests", wishes["freeze_account"])) == (409, "too_many_requests")
    settings.REQUESTS_PER_HOUR = 1
    assert told(api.post("requests", wishes["freeze_account"])) == (429, "too_often")


# --- Who may not -----------------------------------------------------------------------------------------------


@in_one_world("kind", ["freeze_account", "close_account", "unfreeze_account"])
def test_a_strangers_account_is_not_there(
    kind: str, alice: Any, charlie: Any, api_of: Any, account: Any, wishes: Any
) -> None:
    # R1.7: in any state, and never another customer's.
    from accounts.account_numbers import new_number

    api = api_of(charlie)
    for number in (wishes[kind]["account"], new_number()):
        body = {"kind": kind, "account": number, "reason": "It is mine"}
        assert told(api.post("requests", body)) == (404, "not_found")
    assert not ServiceRequest.objects.exists()


@proves("V8.2.2")
def test_a_strangers_request_is_not_there(alice: Any, charlie: Any, api_of: Any, request_of: Any) -> None:
    # R1.7
    row, api = request_of(alice), api_of(charlie)
    for public_id in (row.public_id, uuid4()):
        assert told(api.get(f"requests/{public_id}")) == (404, "not_found")
        assert told(api.post(f"requests/{public_id}/cancel")) == (404, "not_found")
        assert told(api.get("requests", {"cursor": str(public_id)})) == (422, "invalid_cursor")
    assert api.get("requests").json() == {"items": [], "next_cursor": None}
    row.refresh_from_db()
    assert row.state == "pending"


@in_one_world("who", [*STAFF, None])
def test_staff_and_strangers_are_not_customers(
    who: str | None, request: Any, alice: Any, api_of: Any, request_of: Any, wishes: Any
) -> None:
    # R1.7
    row = request_of(alice)
    api = api_of(request.getfixturevalue(who) if who else None)
    answers = [
        api.get("requests"),
        api.get(f"requests/{row.public_id}"),
        api.post(f"requests/{row.public_id}/cancel"),
        *(api.post("requests", body) for body in wishes.values()),
    ]
    assert {told(answer) for answer in answers} == {(403, "forbidden") if who else (401, "token_invalid")}


def test_the_list_has_pages(alice: Any, api_of: Any, request_of: Any, account: Any, settings: Any) -> None:
    settings.REQUESTS_PER_HOUR = 1000
    for _ in range(21):
        request_of(alice, account=account, state="cancelled")
    api = api_of(alice)
    first = api.get("requests").json()
    rest = api.get("requests", {"cursor": first["next_cursor"]}).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (20, 1, None)
