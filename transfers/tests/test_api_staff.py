"""What staff do with money through the API: held transfers, alerts, reversals, the ledger (R3.1, R3.10, R5.4, R6.4)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts import account_numbers
from accounts.models import BankAccount
from accounts.roles import Role
from audit.models import AuditEntry
from foundation import paging
from tests.acts import mails
from tests.api_client import ApiClient, told
from tests.staff_acts import REASON, entry_of
from tests.tables import in_one_world
from transfers.ledger import verification
from transfers.models import FraudAlert, OrderState, Transaction, TransferOrder
from transfers.orders import cash

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

FORBIDDEN, NOT_FOUND = (403, "forbidden"), (404, "not_found")
DECIDED = (409, "wrong_status")
CONFLICT = (422, "idempotency_conflict")


@pytest.fixture
def api(request: Any, api_of: Callable[..., ApiClient]) -> Callable[[str], ApiClient]:
    """`api("sam")`"""
    return lambda name: api_of(request.getfixturevalue(name))


def keyed(key: str = "") -> dict[str, str]:
    """Return the header of a key; without one, another each time."""
    return {"Idempotency_Key": key or str(uuid4())}


def state_of(order: Any) -> str:
    return TransferOrder.objects.get(pk=order.pk).state


def items(client: ApiClient, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(path, {name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.content
    return answer.json()["items"]


# --- What is held -----------------------------------------------------------------------------------------------


@in_one_world("who", ["sam", "audrey", "ada"])
def test_staff_see_what_waits_and_the_alerts_about_it(
    who: str, held: Any, household: Any, bobs: Any, alice: Any, api: Any
) -> None:
    # R3.10: accounts by the ends of their numbers.
    [shown] = items(api(who), "holds")
    person = {"id": str(alice.public_id), "email": alice.email, "name": "Alice Archer"}
    assert shown == {
        "id": str(held.public_id),
        "kind": "payment",
        "state": "held",
        "amount": "12345.67",
        "customer": person,
        "ordered_by": person,
        "source": household.masked_number,
        "target": bobs.masked_number,
        "description": "A boat",
        "why_held": "suspicious_amount",
        "alerts": [str(alert.public_id) for alert in FraudAlert.objects.filter(order=held)],
        "freezes": [],
        "created_at": shown["created_at"],
        "decided_at": None,
    }
    assert shown["alerts"]


def test_a_list_of_any_length_costs_the_same(
    pay: Any, api: Any, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    # R5.4, R7.3
    monkeypatch.setattr(paging, "PAGE_ROWS", 3)
    orders = [pay("10001.00") for _ in range(1)] + [pay("100.00")]
    assert [order.state for order in orders] == ["held", "posted"]
    sam, ada = api("sam"), api("ada")
    for client, path, most in ((sam, "holds", 4), (sam, "alerts", 4), (ada, "staff/transactions", 5)):
        with django_assert_max_num_queries(most):
            assert items(client, path)


def test_release_moves_the_money_and_answers_with_the_outcome(held: Any, bobs: Any, api: Any, sam: Any) -> None:
    answer = api("sam").post(f"holds/{held.public_id}/release", {"reason": REASON}, **keyed())
    assert answer.status_code == 200
    assert answer.json()["state"] == "released"
    assert answer.json()["decided_at"].endswith("Z")
    assert BankAccount.objects.get(pk=bobs.pk).balance == Decimal("12345.67")
    assert entry_of("TRANSFER_RELEASED").details["reason"] == REASON
    assert not FraudAlert.objects.filter(order=held, state="open").exists()
    assert items(api("sam"), "holds") == []
    assert list(verification.faults()) == []


def test_reject_moves_nothing_and_the_customer_reads_why(held: Any, household: Any, alice: Any, api: Any) -> None:
    answer = api("ada").post(f"holds/{held.public_id}/reject", {"reason": "We could not reach you."}, **keyed())
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    row = BankAccount.objects.get(pk=household.pk)
    assert (row.balance, row.held) == (Decimal(20000), Decimal(0))
    assert "We could not reach you." in mails(alice.email)[-1].message


@pytest.mark.usefixtures("sam", "ada")
@in_one_world("second", ["release", "reject"])
def test_it_is_decided_once(second: str, held: Any, api: Any, books: Any) -> None:
    # R3.5
    assert api("sam").post(f"holds/{held.public_id}/release", {"reason": REASON}, **keyed()).status_code == 200
    before = books()
    assert told(api("ada").post(f"holds/{held.public_id}/{second}", {"reason": REASON}, **keyed())) == DECIDED
    assert books() == before


@pytest.mark.usefixtures("sam", "ada")
@in_one_world("verb", ["release", "reject"])
def test_the_same_decision_again_has_the_same_answer(verb: str, held: Any, api: Any, books: Any) -> None:
    # R7.3, R3.5: a program whose answer was lost asks again.
    sam, path, key = api("sam"), f"holds/{held.public_id}/{verb}", keyed()
    first = sam.post(path, {"reason": REASON}, **key)
    before = books()
    again = sam.post(path, {"reason": REASON}, **key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert books() == before
    assert told(sam.post(path, {"reason": "Another reason."}, **key)) == CONFLICT
    other = {"release": "reject", "reject": "release"}[verb]
    assert told(sam.post(f"holds/{held.public_id}/{other}", {"reason": REASON}, **key)) == CONFLICT
    assert told(sam.post(path, {"reason": REASON}, **keyed())) == DECIDED
    # Another person's key with the same text is another key.
    assert told(api("ada").post(path, {"reason": REASON}, **key)) == DECIDED
    assert books() == before


@pytest.mark.usefixtures("ada")
@in_one_world("path", ["holds/{hold}/release", "holds/{hold}/reject", "transactions/{posted}/reverse"])
def test_without_a_key_nothing_moves(path: str, held: Any, pay: Any, api: Any, books: Any) -> None:
    # R7.3
    path = path.format(hold=held.public_id, posted=pay("30.00").transaction.reference)
    before = books()
    assert told(api("ada").post(path, {"reason": REASON})) == (400, "idempotency_key_missing")
    assert books() == before


@in_one_world("who", ["alice", "bob", "charlie", "audrey"])
@in_one_world("verb", ["release", "reject"])
def test_no_party_stranger_or_auditor_decides(verb: str, who: str, held: Any, api: Any, books: Any) -> None:
    # R3.10, R1.7
    before, client = books(), api(who)
    assert told(client.post(f"holds/{held.public_id}/{verb}", {"reason": REASON}, **keyed())) == FORBIDDEN
    if who != "audrey":
        assert told(client.post(f"holds/{uuid4()}/{verb}", {"reason": REASON}, **keyed())) == FORBIDDEN
        assert told(client.get("holds")) == FORBIDDEN
        assert told(client.get("alerts")) == FORBIDDEN
    assert books() == before


def test_who_ordered_it_does_not_decide_it(held: Any, sam: Any, api: Any, books: Any) -> None:
    # R5.2: for example a clerk at the counter.
    TransferOrder.objects.filter(pk=held.pk).update(initiator=sam)
    before, client = books(), api("sam")
    for verb in ("release", "reject"):
        assert told(client.post(f"holds/{held.public_id}/{verb}", {"reason": REASON}, **keyed())) == (
            409,
            "not_yourself",
        )
    for alert in FraudAlert.objects.filter(order=held):
        assert told(client.post(f"alerts/{alert.public_id}/close", {"reason": REASON})) == (409, "not_yourself")
    assert (books(), state_of(held)) == (before, OrderState.HELD)


def test_support_does_not_even_see_what_was_never_held(pay: Any, api: Any) -> None:
    # R5.4
    posted = pay("10.00")
    for verb in ("release", "reject"):
        path = f"holds/{posted.public_id}/{verb}"
        assert told(api("sam").post(path, {"reason": REASON}, **keyed())) == NOT_FOUND
        assert told(api("ada").post(path, {"reason": REASON}, **keyed())) == DECIDED
        assert told(api("sam").post(f"holds/{uuid4()}/{verb}", {"reason": REASON}, **keyed())) == NOT_FOUND


def test_an_impossible_release_waits_on(held: Any, bobs: Any, api: Any, freeze: Any) -> None:
    freeze(bobs)
    assert told(api("sam").post(f"holds/{held.public_id}/release", {"reason": REASON}, **keyed())) == (
        409,
        "account_not_active",
    )
    assert state_of(held) == OrderState.HELD


@pytest.mark.usefixtures("sam")
@in_one_world("body", [{}, {"reason": ""}, {"reason": 1}, {"reason": REASON, "amount": "1"}, []])
def test_a_decision_has_a_reason_and_nothing_else(body: Any, held: Any, api: Any) -> None:
    for path in (f"holds/{held.public_id}/release", f"holds/{held.public_id}/reject"):
        assert told(api("sam").post(path, body, **keyed())) == (422, "invalid")
    assert told(api("sam").post(f"holds/{held.public_id}/reject", {"reason": "…"}, **keyed())) == (
        422,
        "reason_missing",
    )
    assert state_of(held) == OrderState.HELD


# --- Alerts -----------------------------------------------------------------------------------------------------


def test_an_alert_is_shown_with_its_payment_and_closed_once(pay: Any, api: Any, alice: Any, sam: Any) -> None:
    # R3.10
    order = pay("1000.01", description="A bicycle")
    [shown] = items(api("sam"), "alerts")
    assert (shown["rule"], shown["amount"], shown["description"]) == ("large_amount", "1000.01", "A bicycle")
    assert (shown["customer"]["email"], shown["order_state"]) == (alice.email, "posted")
    assert shown["hold"] is None, "support sees no payment that was never held"
    assert api("sam").post(f"alerts/{shown['id']}/close", {"reason": REASON}).status_code == 204
    alert = FraudAlert.objects.get(order=order)
    assert (alert.state, alert.closed_by, alert.note) == ("closed", sam, REASON)
    assert told(api("ada").post(f"alerts/{shown['id']}/close", {"reason": REASON})) == DECIDED
    assert items(api("sam"), "alerts") == []


def test_an_alert_of_a_held_payment_leads_to_it(held: Any, api: Any) -> None:
    assert {shown["hold"] for shown in items(api("audrey"), "alerts")} == {str(held.public_id)}


@pytest.mark.usefixtures("sam")
@in_one_world("who", ["alice", "charlie", "audrey"])
def test_only_support_and_administrators_close_alerts(who: str, held: Any, api: Any) -> None:
    alert = FraudAlert.objects.filter(order=held)[0]
    assert told(api(who).post(f"alerts/{alert.public_id}/close", {"reason": REASON})) == FORBIDDEN
    assert told(api("sam").post(f"alerts/{uuid4()}/close", {"reason": REASON})) == NOT_FOUND
    assert told(api("sam").post(f"alerts/{alert.public_id}/close", {})) == (422, "invalid")
    assert FraudAlert.objects.get(pk=alert.pk).state == "open"


# --- Reversing --------------------------------------------------------------------------------------------------


def test_an_administrator_takes_a_movement_back_once(
    pay: Any, household: Any, bobs: Any, ada: Any, make_user: Any, api_of: Any, api: Any, books: Any
) -> None:
    # R3.1
    order = pay("30.00")
    reference = order.transaction.reference
    answer = api("ada").post(f"transactions/{reference}/reverse", {"reason": REASON}, **keyed())
    assert answer.status_code == 201
    made = answer.json()
    assert (made["kind"], made["amount"], made["reverses"]) == ("reversal", "30.00", reference)
    assert (made["debited"], made["credited"]) == ([bobs.masked_number], [household.masked_number])
    assert made["begun_by"]["email"] == ada.email
    before = books()
    assert told(api("ada").post(f"transactions/{reference}/reverse", {"reason": REASON}, **keyed())) == (
        409,
        "reversed_already",
    )
    colleague = api_of(make_user("Agnes", Role.ADMIN))
    again = colleague.post(f"transactions/{made['reference']}/reverse", {"reason": REASON}, **keyed())
    assert told(again) == (409, "is_reversal")
    assert books() == before
    assert list(verification.faults()) == []


def test_without_the_money_it_is_refused_and_recorded(pay: Any, bobs: Any, api: Any, new_key: Any, bob: Any) -> None:
    order = pay("30.00")
    cash.withdraw(actor=bob, account=bobs, amount=Decimal(30), idempotency_key=new_key())
    path = f"transactions/{order.transaction.reference}/reverse"
    assert told(api("ada").post(path, {"reason": REASON}, **keyed())) == (409, "insufficient_funds")
    assert entry_of("REVERSAL_REFUSED").details["reason"] == "insufficient_funds"


def test_the_same_reversal_again_has_the_same_answer(pay: Any, api: Any, books: Any) -> None:
    # R7.3, R3.5
    ada, key = api("ada"), keyed()
    path = f"transactions/{pay('30.00').transaction.reference}/reverse"
    first = ada.post(path, {"reason": REASON}, **key)
    before = books()
    again = ada.post(path, {"reason": REASON}, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    elsewhere = f"transactions/{pay('40.00').transaction.reference}/reverse"
    before = books()
    assert told(ada.post(elsewhere, {"reason": REASON}, **key)) == CONFLICT
    assert books() == before


@in_one_world("who", ["alice", "bob", "charlie", "sam", "audrey"])
def test_nobody_else_reverses(who: str, pay: Any, api: Any, books: Any) -> None:
    order = pay("30.00")
    before = books()
    path = f"transactions/{order.transaction.reference}/reverse"
    assert told(api(who).post(path, {"reason": REASON}, **keyed())) == FORBIDDEN
    if who != "audrey":
        assert told(api(who).post("transactions/NONE/reverse", {"reason": REASON}, **keyed())) == FORBIDDEN
    assert books() == before


@pytest.mark.usefixtures("ada")
@in_one_world("reference", ["NONE", "x" * 300, "%00", "1", "00000000-0000-0000-0000-000000000000"])
def test_a_movement_that_there_is_not_is_404(reference: str, api: Any) -> None:
    assert told(api("ada").post(f"transactions/{reference}/reverse", {"reason": REASON}, **keyed())) == NOT_FOUND
    assert told(api("ada").post(f"transactions/{reference}/reverse", {}, **keyed())) in {NOT_FOUND, (422, "invalid")}


# --- The ledger -------------------------------------------------------------------------------------------------


def test_auditors_read_the_ledger_with_filters(
    pay: Any, household: Any, bobs: Any, alice: Any, bob: Any, api: Any
) -> None:
    # R6.4: by kind, date, user, account and amount.
    order = pay("30.00", description="A kettle")
    audrey = api("audrey")

    def found(**query: Any) -> list[tuple[str, str]]:
        return [(row["kind"], row["amount"]) for row in items(audrey, "staff/transactions", **query)]

    transfer, deposit = ("transfer", "30.00"), ("deposit", "20000.00")
    assert found() == [transfer, deposit]
    assert found(kind="deposit") == [deposit]
    assert found(user=alice.public_id) == [transfer, deposit]
    assert found(user=bob.public_id) == found(user=uuid4()) == []
    assert found(account=bobs.number) == [transfer]
    assert found(account=account_numbers.new_number()) == []
    assert found(max_amount="30.00") == found(min_amount="1", max_amount="19999.99") == [transfer]
    assert found(min_amount="30.01") == [deposit]
    at = order.transaction.created_at
    assert found(since=at.isoformat(), until=(at + timedelta(microseconds=1)).isoformat()) == [transfer]
    [shown] = items(audrey, "staff/transactions", account=bobs.number)
    assert (shown["debited"], shown["credited"]) == ([household.masked_number], [bobs.masked_number])
    assert (shown["reference"], shown["description"]) == (order.transaction.reference, "A kettle")
    assert household.number not in str(items(audrey, "staff/transactions"))


def test_the_ledger_goes_on_at_its_cursor(pay: Any, api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(paging, "PAGE_ROWS", 2)
    for _ in range(4):
        pay("1.00")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api("audrey").get("staff/transactions", {"cursor": cursor} if cursor else None).json()
        seen += [row["reference"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == Transaction.objects.count() == 5
    other = api("audrey").get("audit/entries").json()["next_cursor"]
    assert other is not None
    assert told(api("audrey").get("staff/transactions", {"cursor": other})) == (422, "invalid_cursor")


@in_one_world("who", ["alice", "charlie", "sam"])
def test_the_ledger_is_for_auditors_and_administrators(who: str, api: Any) -> None:
    assert told(api(who).get("staff/transactions")) == FORBIDDEN


@pytest.mark.usefixtures("audrey")
@in_one_world("query", [{"kind": "gift"}, {"min_amount": "-1"}, {"max_amount": "1e3"}, {"until": "now"}])
def test_a_filter_that_means_nothing_is_refused(query: Any, api: Any) -> None:
    answer = api("audrey").get("staff/transactions", query)
    assert told(answer) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == list(query)


def test_reading_writes_nothing(held: Any, api: Any, books: Any) -> None:
    client = api("ada")
    before, entries = books(), AuditEntry.objects.count()
    for path in ("holds", "alerts", "staff/transactions", "audit/entries", "users"):
        assert items(client, path)
    assert (books(), AuditEntry.objects.count()) == (before, entries)
