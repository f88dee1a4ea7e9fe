"""What the current fraud rules would have said about past payments (R3.10): it reads, compares, and writes nothing."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from accounts.models import User
from transfers.models import OrderKind, TransferOrder
from transfers.orders import fraud
from transfers.orders.fraud import Count, Facts, Payment, Rule, Thresholds

CUSTOMERS_AT_ONCE = 100
Progress = Callable[[int], None]


@dataclass(frozen=True)
class PastPayment:
    """A payment as it was ordered: its payee may have been removed and paid again since. `reference` is the order's id
    if no money has moved."""

    customer_id: int
    payment: Payment
    reference: str


def flagged_payments(
    *,
    since: datetime,
    until: datetime,
    thresholds: Thresholds,
    progress: Progress = lambda payments: None,
) -> Iterator[tuple[PastPayment, tuple[Rule, ...]]]:
    """Yield the payments ordered from `since` to before `until` that set off a rule, with the rules, by customer and
    time.

    It reads some customers at a time, each account by its index of orders by time: nothing before the counted time is
    read, and only those customers' payments are in memory. `progress` is told how many were judged so far.
    """
    judged, last = 0, 0
    customers = User.objects.filter(bank_accounts__isnull=False).order_by("pk").values_list("pk", flat=True).distinct()
    while chunk := list(customers.filter(pk__gt=last)[:CUSTOMERS_AT_ONCE]):
        payments = _payments(chunk, since - fraud.LONGEST_COUNT, until)
        for _, group in groupby(payments, key=lambda payment: payment.customer_id):
            for past, facts in _with_facts(group):
                if past.payment.at < since:
                    continue  # from before `since`: it only counts
                judged += 1
                rules = fraud.alerts(facts, thresholds)
                if rules:
                    yield past, rules
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
        yield PastPayment(customer_id, Payment(amount, at, is_first), reference or str(public_id))


def _with_facts(payments: Iterator[PastPayment]) -> Iterator[tuple[PastPayment, Facts]]:
    """Yield one customer's payments in their order, each with the facts known when it was ordered."""
    counted: dict[Count, deque[datetime]] = {count: deque() for count in fraud.COUNTS}
    for past in payments:
        for count, moments in counted.items():
            while moments and moments[0] <= past.payment.at - count.within:
                moments.popleft()
        yield past, fraud.facts_of(past.payment, {count: len(moments) for count, moments in counted.items()})
        for count, moments in counted.items():
            if count.takes(past.payment):
                moments.append(past.payment.at)
