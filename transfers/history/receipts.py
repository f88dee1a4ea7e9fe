"""What is shown of one order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from accounts.models import AccountKind, BankAccount, User
from transfers.history.rows import reversed_words
from transfers.models import NOT_CARRIED_OUT, OrderKind, OrderState, TransferOrder
from transfers.orders.explanations import explanation_of
from transfers.orders.holds import may_cancel
from transfers.orders.records import order_with_sides, with_reversal
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
    explanation: str  # why it waits or was not carried out, for the one whose money it is; "" if it was
    initiated_by: str
    can_be_repeated: bool  # by the one who gave it
    can_be_cancelled: bool  # by the one whose money it takes
    account_id: UUID  # the one of the reader's that it is shown of
    reversed_at: datetime | None = None
    reversed_by: str = ""  # the reference of what took it back

    @property
    def heading(self) -> str:
        """What it is, and that it has not happened, or not lasted, where that is so."""
        return f"{self.kind_label}{', reversed' if self.reversed_at else _NOT_DONE.get(self.status, '')}"

    @property
    def badge(self) -> tuple[str, str]:
        """Tone and word of what has become of it."""
        return ("reversed", "Reversed") if self.reversed_at else (self.status, self.status_label)

    @property
    def reversal_note(self) -> str:
        """That it was reversed; "" of most (R3.15)."""
        return reversed_words(self.reversed_at, self.reversed_by) if self.reversed_at else ""

    @property
    def tone(self) -> str:
        """Of the notice that explains it."""
        return "warning" if self.status == OrderState.HELD else "info"


_NOT_DONE = {state.value: ", not carried out" for state in NOT_CARRIED_OUT}
_NOT_DONE[OrderState.HELD.value] = ", not carried out yet"
AT_THE_COUNTER = "Cash at the counter"
REPEATABLE = frozenset({OrderKind.PAYMENT.value, OrderKind.OWN_TRANSFER.value})


def receipt_for(user: User, public_id: UUID) -> Receipt:
    """The receipt of an order, for either side of it.

    Raises:
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    order = with_reversal(order_with_sides()).get(Q(source__owner=user) | Q(target__owner=user), public_id=public_id)
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
        can_be_cancelled=order.state == OrderState.HELD and may_cancel(user, order),
        account_id=(order.source if order.source.owner_id == user.pk else order.target).public_id,
        reversed_at=order.reversed_at,
        reversed_by=order.reversed_by or "",
    )


def order_to_cancel(user: User, public_id: UUID) -> TransferOrder:
    """An order that its customer may cancel while it is held, whatever has become of it by now.

    Raises:
        TransferOrder.DoesNotExist: also when it takes the money of somebody else, or none.
    """
    order = order_with_sides().get(public_id=public_id)
    if not may_cancel(user, order):
        raise TransferOrder.DoesNotExist
    return order


@dataclass(frozen=True)
class WaitingOrder:
    """A line of what a customer's pages say about orders that wait."""

    public_id: UUID
    kind: str
    label: str
    amount: Decimal
    since: datetime
    account_name: str
    can_be_cancelled: bool

    @property
    def is_deposit(self) -> bool:
        """Whether it is not on the account yet; all others are set aside there."""
        return self.kind == OrderKind.DEPOSIT


def waiting_orders(*accounts: BankAccount) -> list[WaitingOrder]:
    """The orders that are to leave these accounts and wait for a decision, oldest first; nothing is asked where nothing
    is held."""
    holding = {account.pk: account for account in accounts if account.held}
    if not holding:
        return []
    held = TransferOrder.objects.filter(source__in=list(holding), state=OrderState.HELD)
    return [
        _waiting(order, holding[order.source_id])
        for order in held.select_related("target__owner").order_by("created_at", "pk")
    ]


def waiting_deposits(account: BankAccount) -> list[WaitingOrder]:
    """The deposits to the account that wait for a decision, oldest first: no row of an account tells of them."""
    held = TransferOrder.objects.filter(target=account, kind=OrderKind.DEPOSIT, state=OrderState.HELD)
    return [_waiting(order, account) for order in held.order_by("created_at", "pk")]


def _waiting(order: TransferOrder, account: BankAccount) -> WaitingOrder:
    label, can_be_cancelled = OrderKind.DEPOSIT.label, order.initiator_id == account.owner_id
    if order.kind != OrderKind.DEPOSIT:
        label, can_be_cancelled = short_name(order.target.owner) if order.target.owner else AT_THE_COUNTER, True
    return WaitingOrder(
        order.public_id,
        order.kind,
        label,
        order.amount,
        order.created_at,
        account.display_name,
        can_be_cancelled,
    )


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
