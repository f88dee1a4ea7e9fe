"""The fraud rules on payments to others and on cash paid in (R3.2, R3.10): facts in, alerts out.

Pure functions: no rows, no clock, no settings. The caller brings the facts and the thresholds, so that the same rules
judge a new payment (`transfers.orders.screening`) and past ones (`replay_fraud_rules`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

WINDOW = timedelta(hours=1)

# Why much cash at the counter, by one clerk, is held: in or out.
SECOND_CLERK = "second_clerk"


class Rule(StrEnum):
    """The rules. Values are stored forever: never rename or reuse one."""

    LARGE_AMOUNT = "large_amount"
    MANY_PAYMENTS = "many_payments"
    SUSPICIOUS_AMOUNT = "suspicious_amount"
    COUNTER_DEPOSIT = "counter_deposit"


# The others judge cash that staff hand over.
PAYMENT_RULES = (Rule.LARGE_AMOUNT, Rule.MANY_PAYMENTS, Rule.SUSPICIOUS_AMOUNT)
LABELS = {
    Rule.LARGE_AMOUNT: "Large amount",
    Rule.MANY_PAYMENTS: "Many payments in an hour",
    Rule.SUSPICIOUS_AMOUNT: "Suspicious amount",
    Rule.COUNTER_DEPOSIT: "Much cash paid in at the counter",
}
# With these rules the money waits for a second person, for this reason; the others only ask a person to look.
_HOLDING_RULES = {Rule.SUSPICIOUS_AMOUNT: Rule.SUSPICIOUS_AMOUNT.value, Rule.COUNTER_DEPOSIT: SECOND_CLERK}


@dataclass(frozen=True)
class Thresholds:
    """Values that may be reached and not exceeded; amounts in major units."""

    alert_amount: Decimal
    suspicious_amount: Decimal
    payments_per_hour: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One payment to another customer: `amount` in major units, how many payments its customer has ordered in the hour
    that ends with it, this one included, and whether the payee was new to them at that time. Or cash that a customer
    pays in by themselves, which is not a payment."""

    amount: Decimal
    payments_in_the_hour: int
    is_first_payment: bool


def alerts(facts: Facts, thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules that the payment sets off, each judged by itself."""
    set_off = {
        Rule.LARGE_AMOUNT: facts.amount > thresholds.alert_amount,
        Rule.MANY_PAYMENTS: facts.payments_in_the_hour > thresholds.payments_per_hour,
        Rule.SUSPICIOUS_AMOUNT: facts.amount > thresholds.suspicious_amount,
    }
    return tuple(rule for rule, is_set_off in set_off.items() if is_set_off)


def alerts_of_cash_in(paid_in_that_day: Decimal, thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules that cash paid in at the counter sets off; `paid_in_that_day` (major units) is the day's cash
    for the customer that staff have noted and no second clerk has checked, this included."""
    return (Rule.COUNTER_DEPOSIT,) if paid_in_that_day > thresholds.alert_amount else ()


def hold_reason(rules: Collection[Rule]) -> str:
    """Return why an order that set off `rules` is held; "" if it is carried out at once."""
    return next((reason for rule, reason in _HOLDING_RULES.items() if rule in rules), "")
