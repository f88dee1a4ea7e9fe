"""What the current fraud rules would have said about past payments (R3.10): it reads, compares, and writes nothing."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from accounts.models import User
from transfers.models import OrderKind, TransferOrder
from transfers.orders import fraud
from transfers.orders.fraud import Facts, Rule, Thresholds

CUSTOMERS_AT_ONCE = 100
Progress = Callable[[int], None]


@dataclass(frozen=True)
class PastPayment:
    """The facts of a payment that the rules need, as it was ordered: `is_first` for a payee who may have been removed
    and paid again since. `reference` is the order's id if no money has moved."""

    customer_id: int
    at: datetime
    amount: Decimal
    reference: str
    is_first: bool


def flagged_payments(
    *,
    since: datetime,
    until: datetime,
    thresholds: Thresholds,
    progress: Progress = lambda payments: None,
) -> Iterator[tuple[PastPayment, tuple[Rule, ...]]]:
    """Yield the payments ordered from `since` to before `until` that set off a rule, with the rules, by customer and
    time.

    It reads some customers at a time, each account by its index of orders by time: nothing before the hour of `since`
    is read, and only those customers' payments are in memory. `progress` is told how many were judged so far.
    """
    judged, last = 0, 0
    customers = User.objects.filter(bank_accounts__isnull=False).order_by("pk").values_list("pk", flat=True).distinct()
    while chunk := list(customers.filter(pk__gt=last)[:CUSTOMERS_AT_ONCE]):
        payments = _payments(chunk, since - fraud.WINDOW, until)
        for _, group in groupby(payments, key=lambda payment: payment.customer_id):
            for payment, facts in _with_facts(group):
                if payment.at < since:
                    continue  # of the hour before: it only counts
                judged += 1
                rules = fraud.alerts(facts, thresholds)
                if rules:
                    yield payment, rules
        progress(judged)
        last = chunk[-1]


def _payments(customer_ids: list[int], since: datetime, until: datetime) -> Iterator[PastPayment]:
    rows = (
        TransferOrder.objects.filter(
            source__owner__in=customer_ids, kind=OrderKind.PAYMENT.value, created_at__gt=since, created_at__lt=until
        )
        .order_by("source__owner", "created_at", "pk")
        .values_list("source__owner", "created_at", "amount", "transaction__reference", "public_id", "is_first_payment")
    )
    for customer_id, at, amount, reference, public_id, is_first in rows:
        yield PastPayment(customer_id, at, amount, reference or str(public_id), is_first)


def _with_facts(payments: Iterator[PastPayment]) -> Iterator[tuple[PastPayment, Facts]]:
    """Yield one customer's payments in order, each with the facts of the hour that ended with it."""
    hour: deque[datetime] = deque()
    for payment in payments:
        while hour and hour[0] <= payment.at - fraud.WINDOW:
            hour.popleft()
        hour.append(payment.at)
        yield (
            payment,
            Facts(amount=payment.amount, payments_in_the_hour=len(hour), is_first_payment=payment.is_first),
        )
