"""The fraud rules by themselves: facts in, alerts out (R3.10)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.checks import run_checks

from tests.tables import in_one_world
from transfers.orders import explanations, fraud
from transfers.orders.fraud import IN_AN_HOUR, PAYMENT_RULES, Facts, Payment, PaymentRule, Rule, Thresholds

# A rule that the test does not ask about is never set off.
NEVER = {rule.setting: 10**9 for rule in PAYMENT_RULES}
THRESHOLDS: Thresholds = NEVER | {"ALERT_AMOUNT": 1000, "SUSPICIOUS_AMOUNT": 10_000, "ALERT_PAYMENTS_PER_HOUR": 5}
LARGE, MANY, SUSPICIOUS = Rule.LARGE_AMOUNT, Rule.MANY_PAYMENTS, Rule.SUSPICIOUS_AMOUNT


def facts(amount: str, payments: int) -> Facts:
    payment = Payment(Decimal(amount), datetime(2026, 11, 17, 12, tzinfo=UTC), is_first=False)
    return fraud.facts_of(payment, {IN_AN_HOUR: payments - 1})


@in_one_world(
    ("amount", "payments", "rules"),
    [
        ("0.01", 1, ()),
        ("1000.00", 5, ()),
        ("1000.01", 5, (LARGE,)),
        ("0.01", 6, (MANY,)),
        ("1000.01", 6, (LARGE, MANY)),
        ("10000.00", 1, (LARGE,)),
        ("10000.01", 1, (LARGE, SUSPICIOUS)),
        ("10000.01", 6, (LARGE, MANY, SUSPICIOUS)),
    ],
)
def test_a_threshold_may_be_reached_and_not_exceeded(amount: str, payments: int, rules: tuple[Rule, ...]) -> None:
    assert fraud.alerts(facts(amount, payments), THRESHOLDS) == rules


def test_the_rules_are_judged_one_by_one_whatever_the_thresholds() -> None:
    upside_down = NEVER | {"ALERT_AMOUNT": 10_000, "SUSPICIOUS_AMOUNT": 10, "ALERT_PAYMENTS_PER_HOUR": 1}
    assert fraud.alerts(facts("11", 1), upside_down) == (SUSPICIOUS,)


def test_only_a_suspicious_amount_is_held() -> None:
    assert fraud.hold_reason(()) == ""
    assert fraud.hold_reason((LARGE, MANY)) == ""
    assert fraud.hold_reason((LARGE, MANY, SUSPICIOUS)) == "suspicious_amount"


def test_every_rule_has_a_name_for_people() -> None:
    assert set(fraud.LABELS) == set(Rule)


LARGE_AMOUNTS, MANY_PAYMENTS, SUSPICIOUS_AMOUNTS = PAYMENT_RULES[:3]


@in_one_world(
    ("rules", "fault"),
    [
        ((LARGE_AMOUNTS, MANY_PAYMENTS), "Rule.SUSPICIOUS_AMOUNT needs one PaymentRule in PAYMENT_RULES"),
        ((*PAYMENT_RULES, LARGE_AMOUNTS), "Rule.LARGE_AMOUNT needs one PaymentRule in PAYMENT_RULES"),
        ((*PAYMENT_RULES, PaymentRule(Rule.COUNTER_DEPOSIT, "Cash", "CASH")), "Rule.COUNTER_DEPOSIT needs one"),
        ((replace(LARGE_AMOUNTS, label=""), *PAYMENT_RULES[1:]), "of LARGE_AMOUNT lacks its label or its setting"),
        ((replace(LARGE_AMOUNTS, setting=""), *PAYMENT_RULES[1:]), "of LARGE_AMOUNT lacks its label or its setting"),
        (
            (replace(LARGE_AMOUNTS, counts=replace(IN_AN_HOUR, within=timedelta(1))), *PAYMENT_RULES[1:]),
            "two counts are called 'payments'",
        ),
    ],
    ids=["none", "two", "of-cash", "label", "setting", "counts"],
)
def test_a_rule_that_lacks_a_part_is_refused(rules: tuple[PaymentRule, ...], fault: str) -> None:
    with pytest.raises(TypeError, match=f"transfers/orders/fraud.py: .*{fault}"):
        fraud.refuse_incomplete(rules)


def test_the_start_names_a_setting_that_a_rule_lacks(settings: Any) -> None:
    assert [found for found in run_checks() if found.id == "transfers.E001"] == []
    del settings.ALERT_PAYMENTS_PER_HOUR
    (found,) = (found for found in run_checks() if found.id == "transfers.E001")
    assert "Rule.MANY_PAYMENTS" in found.msg
    assert "add it to bankproject/settings.py" in found.msg


def test_customers_read_why_a_rule_holds_their_money() -> None:
    """If this fails: the rule holds, and `_sentence_for` in transfers/orders/explanations.py lacks its sentence."""
    silent = explanations.before_holding("nobody wrote a sentence for this")
    for rule in PAYMENT_RULES:
        if rule.holds:
            assert explanations.before_holding(fraud.hold_reason([rule.rule])) != silent, rule.rule
