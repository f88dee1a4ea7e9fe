"""Alerts on payments: when they are written, who closes them, and what they cost (R3.10)."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.permission.reasons import ReasonMissing
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.refusals import NotYourself
from tests import acts
from tests.staff_acts import REASON, entry_of, stored
from tests.tables import in_one_world
from transfers.history import monitoring
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, FraudAlert, TransferOrder
from transfers.orders import cash, fraud, limits
from transfers.orders.screening import AlertClosedAlready, close_alert

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


@pytest.fixture
def rich(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, "100000.00")


@pytest.fixture
def pay(alice: Any, rich: BankAccount, bobs: BankAccount, new_key: Callable) -> Callable[..., TransferOrder]:
    def transfer(amount: str, **changes: Any) -> TransferOrder:
        arguments = {"actor": alice, "source": rich, "target": bobs, "idempotency_key": new_key()}
        return acts.transfer(amount=Decimal(amount), **arguments | changes)

    return transfer


def rules_of(order: TransferOrder) -> set[str]:
    return set(FraudAlert.objects.filter(order=order).values_list("rule", flat=True))


@in_one_world(
    ("amount", "state", "rules"),
    [
        ("1000.00", "posted", set()),
        ("1000.01", "posted", {"large_amount"}),
        ("10000.00", "posted", {"large_amount"}),
        ("10000.01", "held", {"large_amount", "suspicious_amount"}),
    ],
)
def test_an_amount_raises_its_alerts(pay: Callable, amount: str, state: str, rules: set[str]) -> None:
    order = pay(amount)
    assert (order.state, rules_of(order)) == (state, rules)
    assert monitoring.alerts_open().count() == len(rules)


def test_the_sixth_payment_of_an_hour_raises_one_from_whichever_account_it_goes(
    alice: Any, pay: Callable, open_account: Callable
) -> None:
    other = open_account(alice, "10.00")
    orders = [pay("1.00") for _ in range(3)] + [pay("1.00", source=other) for _ in range(2)]
    assert [rules_of(order) for order in orders] == [set()] * 5
    assert rules_of(pay("1.00")) == {"many_payments"}


def test_a_payment_counts_for_an_hour(pay: Callable) -> None:
    now = timezone.now()
    for _ in range(5):
        pay("1.00", at=now)
    assert rules_of(pay("1.00", at=now + timedelta(minutes=59, seconds=59))) == {"many_payments"}
    assert rules_of(pay("1.00", at=now + timedelta(hours=1))) == set()


def test_what_a_clerk_ordered_for_a_customer_counts_as_the_customers(
    pay: Callable, sam: Any, rich: BankAccount
) -> None:
    for _ in range(5):
        pay("1.00")
    TransferOrder.objects.filter(source=rich).update(initiator=sam)
    assert rules_of(pay("1.00")) == {"many_payments"}


def test_own_transfers_and_a_little_cash_raise_nothing_and_count_for_nothing(
    alice: Any, rich: BankAccount, savings: BankAccount, pay: Callable, new_key: Callable
) -> None:
    """R3.9, R3.10: between own accounts nothing is held, however much."""
    for _ in range(6):
        assert pay("12000.00", target=savings).state == "posted"
    acts.withdraw(actor=alice, account=rich, amount=Decimal(20_000), idempotency_key=new_key())
    cash.deposit(actor=alice, account=rich, amount=Decimal(1000), idempotency_key=new_key())
    assert rules_of(pay("1.00")) == set()
    assert not FraudAlert.objects.exists()


def test_a_retry_and_a_refusal_raise_nothing(pay: Callable, everyday: BankAccount) -> None:
    order = pay("1500.00", idempotency_key="the same key")
    assert pay("1500.00", idempotency_key="the same key") == order
    with pytest.raises(InsufficientFunds):
        pay("15000.00", source=everyday)
    assert FraudAlert.objects.count() == 1


def test_the_rules_cost_a_payment_no_statement_and_an_alert_one(pay: Callable, settings: Any) -> None:
    settings.STEP_UP_AMOUNT = Decimal(10_000)

    def statements(amount: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            pay(amount)
        return [query["sql"] for query in captured.captured_queries]

    pay("1.00")
    usual, alerting = statements("1.00"), statements("1000.01")
    assert not [text for text in usual if "COUNT(" in text or "fraudalert" in text]
    assert len(alerting) == len(usual) + 1


def test_the_row_remembers_no_more_payments_than_the_rule_counts(
    pay: Callable, alice: Any, settings: Any, no_minute_limits: None
) -> None:
    # R3.10
    settings.ALERT_PAYMENTS_PER_HOUR = 3
    for _ in range(6):
        pay("1.00")
    row = CustomerLimit.objects.get(user=alice)
    assert limits.earlier_payments(row, at=timezone.now())[fraud.IN_AN_HOUR] == 3
    assert len(json.loads(row.recent)["payments"]) == 3
    assert limits.earlier_payments(row, at=timezone.now() + timedelta(hours=1))[fraud.IN_AN_HOUR] == 0


# --- Closing ------------------------------------------------------------------------------------------------


@pytest.fixture
def alert(pay: Callable) -> FraudAlert:
    return FraudAlert.objects.get(order=pay("1500.00"))


@in_one_world("name", ["sam", "ada"])
def test_support_and_administrators_close_an_alert_with_a_note(
    name: str, alice: Any, alert: FraudAlert, request: pytest.FixtureRequest, books: Callable
) -> None:
    actor, before = request.getfixturevalue(name), books()
    close_alert(actor=actor, alert=alert, note=f"  {REASON}\n")
    alert.refresh_from_db()
    assert (alert.state, alert.closed_by, alert.note) == ("closed", actor, REASON)
    assert alert.closed_at is not None
    entry = entry_of("FRAUD_ALERT_CLOSED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (actor.pk, str(alert.public_id), alice.pk)
    assert entry.details == {"rule": "large_amount", "order": str(alert.order.public_id), "reason": REASON}
    assert books() == before
    assert not monitoring.alerts_open().exists()


def test_closed_once(alert: FraudAlert, sam: Any, ada: Any) -> None:
    close_alert(actor=sam, alert=alert, note=REASON)
    with pytest.raises(AlertClosedAlready, match="Somebody else"):
        close_alert(actor=ada, alert=alert, note="Too late")
    alert.refresh_from_db()
    assert (alert.closed_by, alert.note) == (sam, REASON)
    assert AuditEntry.objects.filter(action="FRAUD_ALERT_CLOSED").count() == 1


@in_one_world("name", ["alice", "bob", "charlie", "audrey"])
def test_nobody_else_does(name: str, alert: FraudAlert, request: pytest.FixtureRequest) -> None:
    """R1.7."""
    with pytest.raises(PermissionDenied):
        close_alert(actor=request.getfixturevalue(name), alert=alert, note=REASON)


def test_a_superuser_without_the_role_does_not(alert: FraudAlert, audrey: Any) -> None:
    audrey.is_superuser = True
    with pytest.raises(PermissionDenied):
        close_alert(actor=audrey, alert=alert, note=REASON)


@in_one_world("name", ["alice", "bob"])
def test_nobody_closes_an_alert_on_their_own_payment(
    name: str, alert: FraudAlert, request: pytest.FixtureRequest
) -> None:
    """R5.2: also when they have become staff since."""
    user: User = request.getfixturevalue(name)
    user.groups.set([Group.objects.get(name=Role.SUPPORT)])
    with pytest.raises(NotYourself):
        close_alert(actor=stored(user), alert=alert, note=REASON)
    alert.refresh_from_db()
    assert alert.state == "open"


@in_one_world("note", ["", " \n", "…"])
def test_without_a_note_it_stays_open(note: str, alert: FraudAlert, sam: Any) -> None:
    with pytest.raises(ReasonMissing):
        close_alert(actor=sam, alert=alert, note=note)
    alert.refresh_from_db()
    assert alert.state == "open"


def test_the_database_keeps_one_alert_for_a_rule_and_a_closer_for_a_closed_one(alert: FraudAlert) -> None:
    for wrong in (
        lambda: FraudAlert.objects.create(order=alert.order, rule=alert.rule),
        lambda: FraudAlert.objects.update(state="closed"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong()
    assert str(alert) == f"large_amount {alert.public_id}"
