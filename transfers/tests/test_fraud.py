"""The fraud rules by themselves: facts in, alerts out (R3.10)."""

from decimal import Decimal

from tests.tables import in_one_world
from transfers.orders import fraud
from transfers.orders.fraud import Facts, Rule, Thresholds

THRESHOLDS = Thresholds(alert_amount=Decimal(1000), suspicious_amount=Decimal(10_000), payments_per_hour=5)
LARGE, MANY, SUSPICIOUS = Rule.LARGE_AMOUNT, Rule.MANY_PAYMENTS, Rule.SUSPICIOUS_AMOUNT


def facts(amount: str, payments: int) -> Facts:
    return Facts(amount=Decimal(amount), payments_in_the_hour=payments, is_first_payment=False)


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
    upside_down = Thresholds(alert_amount=Decimal(10_000), suspicious_amount=Decimal(10), payments_per_hour=1)
    assert fraud.alerts(facts("11", 1), upside_down) == (SUSPICIOUS,)


def test_only_a_suspicious_amount_is_held() -> None:
    assert fraud.hold_reason(()) == ""
    assert fraud.hold_reason((LARGE, MANY)) == ""
    assert fraud.hold_reason((LARGE, MANY, SUSPICIOUS)) == "suspicious_amount"


def test_every_rule_has_a_name_for_people() -> None:
    assert set(fraud.LABELS) == set(Rule)
