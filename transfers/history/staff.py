"""What staff see of orders, alerts and the ledger, by their role: on their pages and through the API (R3.10, R5.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from accounts import bank_accounts
from accounts.models import User
from accounts.roles import may, require
from foundation.paging import Cursor, Page, page_of
from foundation.replica import may_be_behind
from transfers.models import AlertState, Entry, FraudAlert, OrderState, Transaction, TransactionKind, TransferOrder
from transfers.orders.records import with_reversed_by

_PARTIES = ("initiator", "source__owner", "target__owner")
_PARTIES_OF_ALERT = tuple(f"order__{path}" for path in _PARTIES)


@dataclass(frozen=True)
class LedgerFilters:
    """Which part of the ledger is wanted; amounts in major units, both included."""

    kind: TransactionKind | None = None
    user: UUID | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None


def sees_the_ledger(user: User) -> bool:
    return may(user, "transfers.view_transaction")


def orders_seen_by(user: User, orders: QuerySet[TransferOrder]) -> QuerySet[TransferOrder]:
    """Return the orders that this member of staff may see: Support sees orders that were or are held, which it decides,
    and not the rest of the ledger."""
    if sees_the_ledger(user):
        return orders
    return orders.filter(state__in=[state for state in OrderState if state != OrderState.POSTED])


def held_orders(user: User, *, after: Cursor | None = None) -> Page[TransferOrder]:
    """Return the orders that wait for a decision, newest first, with parties and alerts.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "transfers.view_transferorder")
    held = TransferOrder.objects.filter(state=OrderState.HELD)
    return page_of(held.select_related(*_PARTIES).prefetch_related("alerts"), by=("created_at", "pk"), after=after)


def order_of_staff(user: User, public_id: UUID) -> TransferOrder:
    """Return an order that this member of staff may see.

    Raises:
        PermissionDenied, TransferOrder.DoesNotExist
    """
    require(user, "transfers.view_transferorder")
    return orders_seen_by(user, TransferOrder.objects.select_related(*_PARTIES)).get(public_id=public_id)


def open_alerts(user: User, *, after: Cursor | None = None) -> Page[FraudAlert]:
    """Return the open alerts of the fraud rules, newest first, with the payments.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "transfers.view_fraudalert")
    alerts = FraudAlert.objects.filter(state=AlertState.OPEN).select_related(*_PARTIES_OF_ALERT)
    return page_of(alerts, by=("created_at", "pk"), after=after)


def alert(user: User, public_id: UUID) -> FraudAlert:
    """Return an alert, open or closed.

    Raises:
        PermissionDenied, FraudAlert.DoesNotExist
    """
    require(user, "transfers.view_fraudalert")
    return FraudAlert.objects.get(public_id=public_id)


def transaction_referred_to(user: User, reference: str) -> Transaction:
    """Return the movement with this reference, of any customer.

    Raises:
        PermissionDenied, Transaction.DoesNotExist
    """
    require(user, "transfers.view_transaction")
    return Transaction.objects.get(reference=reference)


@may_be_behind
def ledger_page(user: User, filters: LedgerFilters, *, after: Cursor | None = None) -> Page[Transaction]:
    """Return the filtered part of the ledger, newest first, with both sides. A filter that names nobody finds nothing.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "transfers.view_transaction")
    rows = _matching(Transaction.objects.all(), filters)
    if filters.user is not None:
        begun_by = User.objects.filter(public_id=filters.user).first()
        rows = rows.filter(initiated_by=begun_by) if begun_by else rows.none()
    if filters.account is not None:
        account = bank_accounts.find_by_number(filters.account)
        moved = Entry.objects.filter(account=account).values("transaction_id")
        rows = rows.filter(pk__in=moved) if account else rows.none()
    joined = rows.select_related("initiated_by", "reverses").prefetch_related("entries__account")
    return page_of(with_reversed_by(joined), by=("created_at", "pk"), after=after)


def _matching(rows: QuerySet[Transaction], filters: LedgerFilters) -> QuerySet[Transaction]:
    wanted = {
        "kind": filters.kind,
        "created_at__gte": filters.since,
        "created_at__lt": filters.until,
        "amount__gte": filters.min_amount,
        "amount__lte": filters.max_amount,
    }
    return rows.filter(**{lookup: value for lookup, value in wanted.items() if value is not None})
