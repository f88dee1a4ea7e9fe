"""The fraud rules on payments to others and on cash paid in (R3.2, R3.10): facts in, alerts out.

Pure functions: no rows, no clock, no settings. The caller brings the facts and the thresholds, so that the same rules
judge a new payment (`transfers.orders.screening`) and past ones (`transfers.history.replay`).

To add a rule on payments: its name in `Rule` and one `PaymentRule`; its setting in `bankproject/settings.py`. What it
counts is then kept, counted, replayed, listed and filtered like that of the others. CONTRIBUTING.md has the steps.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum, unique
from itertools import chain
from typing import Literal

# Why much cash at the counter, by one clerk, is held: in or out.
SECOND_CLERK = "second_clerk"
AMOUNT: Literal["amount"] = "amount"
# Thresholds that may be reached and not exceeded, by the names of the settings; amounts in major units.
Thresholds = Mapping[str, Decimal | int]
MAX_RULE_CHARS = 20


@unique
class Rule(StrEnum):
    """The rules. Values are stored forever: never rename or reuse one."""

    LARGE_AMOUNT = "large_amount"
    MANY_PAYMENTS = "many_payments"
    SUSPICIOUS_AMOUNT = "suspicious_amount"
    COUNTER_DEPOSIT = "counter_deposit"


@dataclass(frozen=True)
class Payment:
    """A payment to another customer as it was ordered: `amount` in major units, and whether the payee was new to its
    customer at that time. Or cash that a customer pays in by themselves, which is not a payment."""

    amount: Decimal
    at: datetime
    is_first: bool


@dataclass(frozen=True)
class Count:
    """Payments of one customer that count together: the payments that it `takes`, ordered `within` the time before
    another one. The customer's limit row keeps their times under `name`: never use a name again for other payments,
    nor the name of the orders of a minute (`transfers.orders.limits`)."""

    name: str
    within: timedelta
    takes: Callable[[Payment], bool] = lambda payment: True


@dataclass(frozen=True)
class Facts:
    """What the rules judge: a payment, and how many payments each count has at its time, this one included."""

    payment: Payment
    counted: Mapping[Count, int]


@dataclass(frozen=True)
class PaymentRule:
    """A rule on payments. It is set off if what it `judges`, the payment's amount or the number of payments of a count,
    is above the threshold that `setting` names. `holds`: the money waits for a second person; the other rules only ask
    staff to look."""

    rule: Rule
    label: str
    setting: str
    judges: Count | Literal["amount"]
    holds: bool = False

    @property
    def counts(self) -> Count | None:
        return None if self.judges == AMOUNT else self.judges

    def is_set_off(self, facts: Facts, thresholds: Thresholds) -> bool:
        """Return whether the payment sets it off. Only a payment that counts can be one too many: of the earlier ones
        the limit row keeps no more than the threshold, and the replay knows all."""
        if self.counts is not None and not self.counts.takes(facts.payment):
            return False
        return self._measured(facts) > thresholds[self.setting]

    def _measured(self, facts: Facts) -> Decimal | int:
        return facts.payment.amount if self.counts is None else facts.counted.get(self.counts, 0)


IN_AN_HOUR = Count("payments", timedelta(hours=1))
PAYMENT_RULES = (
    PaymentRule(Rule.LARGE_AMOUNT, "Large amount", "ALERT_AMOUNT", AMOUNT),
    PaymentRule(Rule.MANY_PAYMENTS, "Many payments in an hour", "ALERT_PAYMENTS_PER_HOUR", IN_AN_HOUR),
    PaymentRule(Rule.SUSPICIOUS_AMOUNT, "Suspicious amount", "SUSPICIOUS_AMOUNT", AMOUNT, holds=True),
)
# This one judges cash that staff receive.
_AT_THE_COUNTER = {Rule.COUNTER_DEPOSIT: "Much cash paid in at the counter"}


def refuse_incomplete(rules: Iterable[PaymentRule]) -> None:
    """Refuse rules that lack a part.

    Raises:
        TypeError: says what is missing, and where.
    """
    rules = tuple(rules)
    if faults := list(chain(_faults_of_names(rules), _faults_of_counts(rules))):
        raise TypeError(f"transfers/orders/fraud.py: {'; '.join(faults)}.")


def _faults_of_names(rules: tuple[PaymentRule, ...]) -> Iterator[str]:
    named = [rule.rule for rule in rules]
    for name in Rule:
        if named.count(name) + (name in _AT_THE_COUNTER) != 1:
            yield f"Rule.{name.name} needs one PaymentRule in PAYMENT_RULES, and no more"
        if len(name.value) > MAX_RULE_CHARS:
            yield f"the value of Rule.{name.name} has more than {MAX_RULE_CHARS} characters"
    for rule in rules:
        if not (rule.label and rule.setting):
            yield f"the PaymentRule of {rule.rule.name} lacks its label or its setting"


def _faults_of_counts(rules: tuple[PaymentRule, ...]) -> Iterator[str]:
    counts = {rule.counts for rule in rules if rule.counts is not None}
    for name in {count.name for count in counts}:
        if sum(count.name == name for count in counts) > 1:
            yield f"two counts are called {name!r}"


refuse_incomplete(PAYMENT_RULES)
LABELS = {rule.rule: rule.label for rule in PAYMENT_RULES} | _AT_THE_COUNTER
COUNTS = tuple(dict.fromkeys(rule.counts for rule in PAYMENT_RULES if rule.counts is not None))
LONGEST_COUNT = max(count.within for count in COUNTS)
_HOLD_REASONS = {rule.rule: rule.rule.value for rule in PAYMENT_RULES if rule.holds} | {
    Rule.COUNTER_DEPOSIT: SECOND_CLERK
}


def facts_of(payment: Payment, earlier: Mapping[Count, int]) -> Facts:
    """Return what is known of a payment after so many `earlier` ones of its customer, held and rejected ones
    included."""
    return Facts(payment, {count: earlier.get(count, 0) + count.takes(payment) for count in COUNTS})


def most_needed(count: Count, thresholds: Thresholds) -> int:
    """Return how many payments of a count set off every rule that counts them: more need not be remembered."""
    return max([1, *(int(thresholds[rule.setting]) for rule in PAYMENT_RULES if rule.counts is count)])


def alerts(facts: Facts, thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules that the payment sets off, each judged by itself."""
    return tuple(rule.rule for rule in PAYMENT_RULES if rule.is_set_off(facts, thresholds))


def alerts_of_cash_in(paid_in_that_day: Decimal, thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules that cash paid in at the counter sets off; `paid_in_that_day` (major units) is the day's cash
    for the customer that staff have noted and no second clerk has checked, this included."""
    return (Rule.COUNTER_DEPOSIT,) if paid_in_that_day > thresholds["ALERT_AMOUNT"] else ()


def hold_reason(rules: Collection[Rule]) -> str:
    """Return why an order that set off `rules` is held; "" if it is carried out at once."""
    return next((reason for rule, reason in _HOLD_REASONS.items() if rule in rules), "")
