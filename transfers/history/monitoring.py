"""The bank's figures for staff, cheap however many rows there are (R5.3)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from accounts.models import CUSTOMER_KINDS, DEBIT_NORMAL_KINDS, INTERNAL_KINDS, AccountStatus, BankAccount
from foundation.admin.counting import Count, bounded_count
from foundation.compiled import Select
from transfers.history.search import totalled_rows
from transfers.models import AlertState, FraudAlert, OrderState, Transaction, TransferOrder
from transfers.orders.records import with_reversed_by
from transfers.periods import day_of, start_of_day

LAST_TRANSACTIONS = 50


@dataclass(frozen=True)
class Volume:
    """What moved since a day began, in the latest `totalled_rows()` movements at most; without reversals and what they
    reversed, which together moved nothing."""

    count: Count
    amount: Decimal


def total_deposits() -> Decimal:
    """Return what the bank owes its customers, read from the bank's own side: a handful of rows, however many accounts
    there are. Debits equal credits, so one is the other."""
    own = BankAccount.objects.filter(kind__in=INTERNAL_KINDS).values_list("kind", "balance")
    return sum((balance if kind in DEBIT_NORMAL_KINDS else -balance for kind, balance in own), Decimal(0))


def accounts_with_status(status: AccountStatus) -> QuerySet[BankAccount]:
    """Return customers' accounts with this status."""
    return BankAccount.objects.filter(kind__in=CUSTOMER_KINDS, status=status)


def volume_of_today(at: datetime) -> Volume:
    since = start_of_day(day_of(at))
    today = Transaction.objects.filter(created_at__gte=since, reversals__isnull=True, reverses__isnull=True)
    sums = today.order_by("-created_at")[: totalled_rows()].aggregate(amount=Sum("amount"))
    return Volume(bounded_count(today), sums["amount"] or Decimal(0))


def orders_held() -> QuerySet[TransferOrder]:
    return TransferOrder.objects.filter(state=OrderState.HELD)


def alerts_open() -> QuerySet[FraudAlert]:
    return FraudAlert.objects.filter(state=AlertState.OPEN)


def last_transactions() -> list[Transaction]:
    """Return the latest movements, newest first, with who began them and what reversed them: exactly what the front
    page shows."""
    return _latest.instances()


_latest: Select[Transaction] = Select(
    lambda: (
        with_reversed_by(Transaction.objects.select_related("initiated_by"))
        .only("reference", "kind", "amount", "created_at", "initiated_by__email")
        .order_by("-created_at")[:LAST_TRANSACTIONS]
    )
)
