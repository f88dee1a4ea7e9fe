"""What is shown of one order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from accounts.models import AccountKind, BankAccount, User
from transfers.models import OrderKind, OrderState, TransferOrder
from transfers.orders.explanations import explanation_of
from transfers.orders.records import order_with_sides
from transfers.payees.selectors import short_name


@dataclass(frozen=True)
class Receipt:
    """What is shown and printed of an order, to the one who gave it or the one who was paid."""

    public_id: UUID
    reference: str
    kind: str
    kind_label: str
    amount: Decimal
    at: datetime
    source_label: str
    source_number: str
    target_label: str
    target_number: str
    description: str
    status: str
    status_label: str
    explanation: str  # why it waits or was rejected, for the one whose money it is; "" if it was carried out
    initiated_by: str
    can_be_repeated: bool  # by the one who gave it

    @property
    def heading(self) -> str:
        """What it is, and that it has not happened where it has not."""
        return f"{self.kind_label}{_NOT_DONE.get(self.status, '')}"

    @property
    def tone(self) -> str:
        """Of the notice that explains it."""
        return "warning" if self.status == OrderState.HELD else "info"


_NOT_DONE = {OrderState.HELD.value: ", not carried out yet", OrderState.REJECTED.value: ", not carried out"}
AT_THE_COUNTER = "Cash at the counter"
REPEATABLE = frozenset({OrderKind.PAYMENT.value, OrderKind.OWN_TRANSFER.value})


def receipt_for(user: User, public_id: UUID) -> Receipt:
    """The receipt of an order, for either side of it.

    Raises:
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    order = order_with_sides().get(Q(source__owner=user) | Q(target__owner=user), public_id=public_id)
    if order.transaction is None and order.customer_account.owner_id != user.pk:
        raise TransferOrder.DoesNotExist  # nothing has reached the other side
    return receipt_of(order, user)


def receipt_of(order: TransferOrder, user: User) -> Receipt:
    """The receipt of an order that has been read or written, for a side of it."""
    return Receipt(
        public_id=order.public_id,
        reference=order.transaction.reference if order.transaction else "",
        kind=order.kind,
        kind_label=OrderKind(order.kind).label,
        amount=order.amount,
        at=order.created_at,
        source_label=_side_label(order.source, user),
        source_number=order.source.masked_number,
        target_label=_side_label(order.target, user),
        target_number=order.target.masked_number,
        description=order.description,
        status=order.state,
        status_label=OrderState(order.state).label,
        explanation=explanation_of(order),
        initiated_by=_person_label(order.initiator, user),
        can_be_repeated=_can_be_repeated(order, user),
    )


@dataclass(frozen=True)
class WaitingOrder:
    """A line of what an account page says about orders that wait."""

    public_id: UUID
    kind: str
    label: str
    amount: Decimal
    since: datetime

    @property
    def is_deposit(self) -> bool:
        """Whether it is not on the account yet; all others are set aside there."""
        return self.kind == OrderKind.DEPOSIT


def waiting_orders(account: BankAccount) -> list[WaitingOrder]:
    """The account's orders that wait for a decision, oldest first: what is to leave it, and deposits. One statement, by
    the index of states: few orders of the bank wait."""
    ours = Q(source=account) | Q(target=account, kind=OrderKind.DEPOSIT)
    held = TransferOrder.objects.filter(ours, state=OrderState.HELD).select_related("target__owner")
    return [
        WaitingOrder(order.public_id, order.kind, _waiting_label(order), order.amount, order.created_at)
        for order in held.order_by("created_at", "pk")
    ]


def _waiting_label(order: TransferOrder) -> str:
    if order.kind == OrderKind.DEPOSIT:
        return OrderKind.DEPOSIT.label
    return short_name(order.target.owner) if order.target.owner else AT_THE_COUNTER


def order_to_repeat(user: User, public_id: UUID, kind: OrderKind) -> TransferOrder | None:
    """An order of this kind that the user gave, to fill in a form with; None for every other."""
    orders = TransferOrder.objects.select_related("source", "target")
    return orders.filter(initiator=user, source__owner=user, kind=kind.value, public_id=public_id).first()


def _can_be_repeated(order: TransferOrder, viewer: User) -> bool:
    """Not while it waits: it has been sent, and whoever waits must not be led to pay twice."""
    is_done = order.state != OrderState.HELD
    return is_done and order.kind in REPEATABLE and order.initiator_id == viewer.pk


def _side_label(account: BankAccount, viewer: User) -> str:
    if account.owner is None:
        return AccountKind(account.kind).label
    return account.display_name if account.owner_id == viewer.pk else short_name(account.owner)


def _person_label(person: User, viewer: User) -> str:
    return person.get_full_name() if person.pk == viewer.pk else short_name(person)
