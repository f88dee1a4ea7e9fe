"""`replay_fraud_rules` says what the current rules would have flagged, and changes nothing (R3.10, R9.2)."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests.tables import in_one_world
from transfers.history import replay
from transfers.models import CustomerLimit, FraudAlert, Payee, TransferOrder
from transfers.orders import fraud
from transfers.orders.fraud import Facts, Rule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


def report(*args: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    with time_machine.travel(NOON, tick=False):
        call_command("replay_fraud_rules", *args, stdout=out, stderr=err)
    assert err.getvalue() == ""
    return out.getvalue()


def rules_in(text: str) -> dict[str, list[str]]:
    """Return the references below each rule, as many as its line says."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    name = ""
    for line in text.splitlines()[1:]:
        if line.startswith("  "):
            found[name].append(line.strip())
        else:
            name, _, number = line.partition(": ")
            found[name], counts[name] = [], int(number)
    assert counts == {name: len(references) for name, references in found.items()}
    return found


def reference(order: TransferOrder) -> str:
    return order.transaction.reference if order.transaction else str(order.public_id)


def test_it_finds_what_the_rules_found_at_the_time(pay: Callable, sam: Any, settings: Any) -> None:
    """Each payment judged as it was: by the hour that ended with it."""
    settings.DAILY_TRANSFER_LIMIT = Decimal(10**6)
    at = NOON - timedelta(days=3)
    orders = [pay("1.00", at=at + timedelta(minutes=5 * number)) for number in range(7)]
    orders += [pay(amount, at=at + timedelta(hours=2)) for amount in ("1000.00", "1000.01", "10000.01")]
    text = report("--since", "2026-11-14")
    assert text.startswith("10 payments from 2026-11-14 to 2026-11-17.")
    assert {name: found for name, found in rules_in(text).items() if found} == {
        "Large amount": [reference(orders[8]), reference(orders[9])],
        "Many payments in an hour": [reference(orders[5]), reference(orders[6])],
        "Suspicious amount": [str(orders[9].public_id)],
    }
    live = {(alert.rule, reference(alert.order)) for alert in FraudAlert.objects.select_related("order__transaction")}
    replayed = {(rule.rule.value, found) for rule in fraud.PAYMENT_RULES for found in rules_in(text)[rule.label]}
    assert live == replayed


def test_live_and_replayed_facts_agree_after_a_payee_was_removed_and_paid_again(
    alice: Any, pay: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.10: the list of payees says today's state; the order says what was true at its time."""
    judged: list[Facts] = []
    as_it_was = fraud.alerts

    def noted(facts: Facts, thresholds: fraud.Thresholds) -> tuple[fraud.Rule, ...]:
        judged.append(facts)
        return as_it_was(facts, thresholds)

    monkeypatch.setattr(fraud, "alerts", noted)
    for number in range(4):
        if number == 2:
            Payee.objects.filter(customer=alice).delete()
        pay("1.00", at=NOON + timedelta(hours=2 * number))
    assert sum(order.is_first_payment for order in TransferOrder.objects.filter(kind="payment")) == 2
    live = list(judged)
    Payee.objects.all().delete()
    judged.clear()
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        call_command("replay_fraud_rules", "--since", "2026-11-17", stdout=io.StringIO(), stderr=io.StringIO())
    assert [one.payment.is_first for one in judged] == [True, False, True, False]
    # A first payment is judged twice, since it waits for its code.
    assert [one for one, later in zip(live, [*live[1:], None], strict=True) if one != later] == judged


def test_what_another_rule_counts_is_counted_live_and_in_the_replay(
    pay: Callable, alice: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule is data: here more than one first payment in a day, instead of the rule on many payments."""
    settings.ALERT_FIRST_PAYMENTS_PER_DAY = 1
    firsts = fraud.Count("first_payments", timedelta(days=1), takes=lambda payment: payment.is_first)
    rule = fraud.PaymentRule(Rule.MANY_PAYMENTS, "Many", "ALERT_FIRST_PAYMENTS_PER_DAY", firsts)
    monkeypatch.setattr(fraud, "PAYMENT_RULES", (fraud.PAYMENT_RULES[0], rule))
    monkeypatch.setattr(fraud, "COUNTS", (firsts,))
    monkeypatch.setattr(fraud, "LONGEST_COUNT", firsts.within)
    orders = []
    for hours in (0, 1, 22, 23, 23.5, 24, 48):
        if hours not in {1, 23.5}:
            Payee.objects.filter(customer=alice).delete()
        orders.append(pay("1.00", at=NOON - timedelta(days=3) + timedelta(hours=hours)))
    live = [order.alerts.filter(rule=Rule.MANY_PAYMENTS).exists() for order in orders]
    assert live == [False, False, True, True, False, True, False], "a payment that does not count sets nothing off"
    found = rules_in(report("--since", "2026-11-14"))["Many payments in an hour"]
    assert found == [reference(order) for order, is_flagged in zip(orders, live, strict=True) if is_flagged]
    assert CustomerLimit.objects.get(user=alice).recent.count("first_payments") == 1


def test_it_judges_by_the_present_thresholds_and_changes_nothing(pay: Callable, books: Callable, settings: Any) -> None:
    order = pay("50.00", at=NOON)
    settings.ALERT_AMOUNT, settings.SUSPICIOUS_AMOUNT = Decimal(10), Decimal(20)
    before, entries = books(), AuditEntry.objects.count()
    found = rules_in(report("--since", "2026-11-17"))
    assert found["Large amount"] == found["Suspicious amount"] == [reference(order)]
    assert books() == before
    assert AuditEntry.objects.count() == entries
    assert not FraudAlert.objects.exists()
    order.refresh_from_db()
    assert order.state == "posted"


def test_days_are_the_banks_and_the_hour_before_counts(pay: Callable, settings: Any) -> None:
    midnight = datetime(2026, 11, 16, tzinfo=UTC)
    before = [pay("1.00", at=midnight - timedelta(minutes=30)) for _ in range(5)]
    sixth = pay("1.00", at=midnight)
    pay("1.00", at=midnight + timedelta(days=1))
    text = report("--since", "2026-11-16", "--until", "2026-11-16")
    assert text.startswith("1 payments from 2026-11-16 to 2026-11-16.")
    assert rules_in(text)["Many payments in an hour"] == [reference(sixth)]
    assert reference(before[0]) not in text


def test_own_transfers_and_cash_are_not_judged(household: BankAccount, savings: BankAccount, pay: Callable) -> None:
    pay("15000.00", target=savings, at=NOON)
    assert report("--since", "2026-11-01").startswith("0 payments")


def test_customers_are_read_some_at_a_time(
    alice: Any, bob: Any, pay: Callable, bobs: BankAccount, open_account: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CUSTOMERS_AT_ONCE", 1)
    hers, rich = pay("1500.00", at=NOON), open_account(bob, "5000.00")
    his = pay("2000.00", actor=bob, source=rich, target=hers.source, at=NOON)
    assert rules_in(report("--since", "2026-11-17"))["Large amount"] == [reference(hers), reference(his)]


@in_one_world(
    ("args", "why"),
    [
        (["--since", "yesterday"], "is no day; write it like 2026-11-01"),
        (["--since", "2026-02-30"], "is no day"),
        (["--since", "1492-01-01"], "is not between 2000-01-01"),
        (["--since", "2026-11-18"], "has not come yet"),
        (["--since", "2026-11-17", "--until", "2026-11-16"], "is before 2026-11-17"),
        (["--since", "2026-11-17", "--until", "9999-12-31"], "is not between"),
        ([], "--since"),
    ],
)
def test_nonsense_is_refused(args: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        report(*args)


def test_a_terminal_sees_progress(pay: Callable) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    pay("1.00", at=NOON)
    err = Terminal()
    with time_machine.travel(NOON, tick=False):
        call_command("replay_fraud_rules", "--since", "2026-11-17", stdout=io.StringIO(), stderr=err)
    assert "payments: 1 " in err.getvalue()
