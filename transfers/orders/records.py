"""How an order is written: its movement, its row once that is posted, and its audit entry.

It serves every way to carry an order out: at once (`transfers.orders.placing`), after a decision
(`transfers.orders.holds`), and in batches (`transfers.demo.writing`).
"""

from datetime import datetime

from django.db.models import F, QuerySet

from accounts.models import BankAccount, User
from audit.actions import Action
from audit.services import Report
from foundation.compiled import Insert
from foundation.idempotency import digest_of_key
from transfers.ledger import posting as ledger
from transfers.ledger.posting import Planned, Posting
from transfers.models import NameCheck, OrderKind, OrderState, Transaction, TransactionKind, TransferOrder

_TRANSACTION_KINDS = {
    OrderKind.DEPOSIT: TransactionKind.DEPOSIT,
    OrderKind.WITHDRAWAL: TransactionKind.WITHDRAWAL,
    OrderKind.OWN_TRANSFER: TransactionKind.TRANSFER,
    OrderKind.PAYMENT: TransactionKind.TRANSFER,
}
_CREATED = {
    OrderKind.DEPOSIT: Action.DEPOSIT_CREATED,
    OrderKind.WITHDRAWAL: Action.WITHDRAWAL_CREATED,
    OrderKind.OWN_TRANSFER: Action.TRANSFER_CREATED,
    OrderKind.PAYMENT: Action.TRANSFER_CREATED,
}

_insert = Insert(TransferOrder)


def movement_of(order: TransferOrder, *, at: datetime) -> Planned:
    """Return what the ledger is to post for it."""
    return Planned(
        _TRANSACTION_KINDS[OrderKind(order.kind)],
        ledger.transfer_legs(debit=order.source_id, credit=order.target_id, amount=order.amount),
        order.initiator,
        at,
        order.description,
    )


def mark_posted(order: TransferOrder, posting: Posting) -> None:
    """Mark a row that is still to be saved as carried out at once."""
    order.state = OrderState.POSTED.value
    order.transaction = posting.as_row()


def insert(order: TransferOrder) -> None:
    """Write the row of an order, which then has its key."""
    _insert.save(order)


def order_with_sides() -> QuerySet[TransferOrder]:
    """Return orders with what a receipt shows."""
    return TransferOrder.objects.select_related("source__owner", "target__owner", "transaction", "initiator")


def held_deposits(account: BankAccount) -> QuerySet[TransferOrder]:
    """Return the deposits to an account that wait for a decision. The account itself does not mention them."""
    return TransferOrder.objects.filter(target=account, kind=OrderKind.DEPOSIT, state=OrderState.HELD)


def with_reversed_by(movements: QuerySet[Transaction]) -> QuerySet[Transaction]:
    """Return the movements, each with the reference of its reversal, in the same statement (R3.15)."""
    return movements.annotate(_reversed_by=F("reversals__reference"))


def with_reversal(orders: QuerySet[TransferOrder]) -> QuerySet[TransferOrder]:
    """Return the orders, each with when its movement was reversed, and the reversal's reference (R3.15)."""
    return orders.annotate(
        _reversed_at=F("transaction__reversals__created_at"), _reversed_by=F("transaction__reversals__reference")
    )


def report_of_posted(order: TransferOrder, posting: Posting, **details: str) -> Report:
    """Return the audit entry of an order that was carried out at once, with further `details`."""
    return report_of(
        order,
        _CREATED[OrderKind(order.kind)],
        actor=order.initiator,
        concerns=order.target.owner if order.kind == OrderKind.PAYMENT else served_by_another(order),
        at=order.created_at,
        posting=posting,
        **details,
    )


def report_of(
    order: TransferOrder,
    action: Action,
    *,
    actor: User,
    concerns: User | None,
    at: datetime,
    posting: Posting | None = None,
    **details: str,
) -> Report:
    """Return the audit entry of an order: what it is, the evidence if money moved (R6.3), and `details`."""
    moved = {"reference": posting.reference} if posting else {}
    return Report(
        action=action,
        actor=actor,
        subject=order,
        concerns=concerns,
        details=details_of(order) | moved | details,
        evidence_digest=posting.digest if posting else "",
        at=at,
    )


def details_of(order: TransferOrder) -> dict[str, str]:
    """Return what the audit log keeps of an order, carried out or refused; accounts by their masked numbers, and
    whether the payee's name was not confirmed, but never the name, which is personal."""
    not_confirmed = {} if NameCheck(order.name_check).is_confirmed else {"name_check": str(order.name_check)}
    return {
        "kind": str(order.kind),
        "amount": str(order.amount),
        "source": str(order.source),
        "target": str(order.target),
    } | not_confirmed


def served_by_another(order: TransferOrder) -> User | None:
    """Return the customer for whom another person acts; None where they act for themselves."""
    return None if order.is_by_its_customer else order.customer_account.owner


def order_of_key(user: User, idempotency_key: str) -> TransferOrder | None:
    """Return the order that a key of this user has become, if it has."""
    return TransferOrder.objects.filter(initiator=user, key_digest=digest_of_key(idempotency_key)).first()
