"""What is shown of one order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.models import AccountKind, BankAccount, User
from transfers.history.rows import reversed_words
from transfers.models import NOT_CARRIED_OUT, NameCheck, OrderKind, OrderState, Payee, TransferOrder
from transfers.names import SeenName, payee_of
from transfers.orders.explanations import explanation_of
from transfers.orders.holds import may_cancel
from transfers.orders.records import held_deposits, order_with_sides, with_reversal


@dataclass(frozen=True)
class Receipt:
    """What is shown and printed of an order, for its giver or the person who was paid."""

    public_id: UUID
    reference: str
    kind: str
    kind_label: str
    amount: Decimal
    at: datetime
    source: SeenName
    source_number: str
    target: SeenName
    target_number: str
    name_check: NameCheck  # of the payee's name, for the payer
    description: str
    status: str
    status_label: str
    explanation: str  # why it waits or was not carried out, for the owner of the money; "" if it was
    initiated_by: str
    can_be_repeated: bool  # by its giver
    can_be_cancelled: bool  # by the owner of the money
    account_id: UUID  # the reader's account that it is shown for
    reversed_at: datetime | None = None
    reversed_by: str = ""  # the reference of its reversal

    @property
    def counterpart_label(self) -> str:
        return self.source.label or self.target.label

    @property
    def source_label(self) -> str:
        return str(self.source)

    @property
    def target_label(self) -> str:
        return str(self.target)

    @property
    def heading(self) -> str:
        """Return what it is, and that it has not happened, or was reversed, if so."""
        return f"{self.kind_label}{', reversed' if self.reversed_at else _NOT_DONE.get(self.status, '')}"

    @property
    def badge(self) -> tuple[str, str]:
        """Return tone and word of its state."""
        return ("reversed", "Reversed") if self.reversed_at else (self.status, self.status_label)

    @property
    def reversal_note(self) -> str:
        """Return the note that it was reversed; usually "" (R3.15)."""
        return reversed_words(self.reversed_at, self.reversed_by) if self.reversed_at else ""

    @property
    def tone(self) -> str:
        """Return the tone of the notice that explains it."""
        return "warning" if self.status == OrderState.HELD else "info"


_NOT_DONE = {state.value: ", not carried out" for state in NOT_CARRIED_OUT}
_NOT_DONE[OrderState.HELD.value] = ", not carried out yet"
AT_THE_COUNTER = "Cash at the counter"
REPEATABLE = frozenset({OrderKind.PAYMENT.value, OrderKind.OWN_TRANSFER.value})


def receipt_for(user: User, public_id: UUID) -> Receipt:
    """Return the receipt of an order, for either side of it.

    Raises:
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    orders = _labelled(with_reversal(order_with_sides()), user.pk, "source", "target")
    order = orders.get(Q(source__owner=user) | Q(target__owner=user), public_id=public_id)
    if order.transaction is None and order.customer_account.owner_id != user.pk:
        raise TransferOrder.DoesNotExist  # nothing has reached the other side
    return receipt_of(order, user, label=order.label or "")


def receipt_of(order: TransferOrder, user: User, *, label: str) -> Receipt:
    """Return the receipt of an order that has been read or written, for one side of it, who calls the other one
    `label`."""
    source, target = _sides_read_by(user, order, label)
    return Receipt(
        public_id=order.public_id,
        reference=order.transaction.reference if order.transaction else "",
        kind=order.kind,
        kind_label=OrderKind(order.kind).label,
        amount=order.amount,
        at=order.created_at,
        source=source,
        source_number=order.source.masked_number,
        target=target,
        target_number=order.target.masked_number,
        name_check=NameCheck(order.name_check) if order.source.owner_id == user.pk else NameCheck.NOT_NEEDED,
        description=order.description,
        status=order.state,
        status_label=OrderState(order.state).label,
        explanation=explanation_of(order),
        initiated_by=_initiator_label(order),
        can_be_repeated=_can_be_repeated(order, user),
        can_be_cancelled=order.state == OrderState.HELD and may_cancel(user, order),
        account_id=(order.source if order.source.owner_id == user.pk else order.target).public_id,
        reversed_at=order.reversed_at,
        reversed_by=order.reversed_by or "",
    )


def order_to_cancel(user: User, public_id: UUID) -> Any:
    """Return an order that its customer may cancel while it is held, whatever its state now, with the `label` of the
    payee.

    Raises:
        TransferOrder.DoesNotExist: also when it takes another customer's money, or none.
    """
    order = _labelled(order_with_sides(), user.pk, "target").get(public_id=public_id)
    if not may_cancel(user, order):
        raise TransferOrder.DoesNotExist
    return order


@dataclass(frozen=True)
class WaitingOrder:
    """A line on a customer's pages about an order that waits."""

    public_id: UUID
    kind: str
    label: str
    amount: Decimal
    since: datetime
    account_name: str
    can_be_cancelled: bool
    payee_label: str  # what the customer calls the payee

    @property
    def is_deposit(self) -> bool:
        """Return whether it is not on the account yet; other orders are set aside there."""
        return self.kind == OrderKind.DEPOSIT


def waiting_orders(*accounts: BankAccount) -> list[WaitingOrder]:
    """Return the orders that are to leave these accounts and wait for a decision, oldest first; no query if nothing is
    held."""
    holding = {account.pk: account for account in accounts if account.held}
    if not holding:
        return []
    held = TransferOrder.objects.filter(source__in=list(holding), state=OrderState.HELD)
    return [
        _waiting(order, holding[order.source_id], order.label or "")
        for order in _labelled(held, accounts[0].owner_id, "target").order_by("created_at", "pk")
    ]


def waiting_deposits(account: BankAccount) -> list[WaitingOrder]:
    """Return the deposits to the account that wait for a decision, oldest first: the account's own row does not mention
    them."""
    return [_waiting(order, account, "") for order in held_deposits(account).order_by("created_at", "pk")]


def _waiting(order: TransferOrder, account: BankAccount, payee_label: str) -> WaitingOrder:
    label, can_be_cancelled = OrderKind.DEPOSIT.label, order.initiator_id == account.owner_id
    if order.kind != OrderKind.DEPOSIT:
        label = str(payee_of(order, payee_label)) if order.kind == OrderKind.PAYMENT else AT_THE_COUNTER
        can_be_cancelled = True
    return WaitingOrder(
        order.public_id,
        order.kind,
        label,
        order.amount,
        order.created_at,
        account.display_name,
        can_be_cancelled,
        payee_label,
    )


def order_to_repeat(user: User, public_id: UUID, kind: OrderKind) -> TransferOrder | None:
    """Return an order of this kind that the user gave, to fill in a form with; None for every other."""
    orders = TransferOrder.objects.select_related("source", "target")
    return orders.filter(initiator=user, source__owner=user, kind=kind.value, public_id=public_id).first()


def _can_be_repeated(order: TransferOrder, viewer: User) -> bool:
    """Return whether it can be sent again: not while it waits, since that would lead the payer to pay twice."""
    is_done = order.state != OrderState.HELD
    return is_done and order.kind in REPEATABLE and order.initiator_id == viewer.pk


def _labelled(orders: QuerySet[TransferOrder], user_id: int | None, *sides: str) -> QuerySet[Any]:
    """Return the orders, each with the `label` that the user gave the person on one of its sides; None if there is
    none."""
    either = Q()
    for side in sides:
        either |= Q(account=OuterRef(side))
    return orders.annotate(label=Subquery(Payee.objects.filter(either, customer=user_id).values("label")[:1]))


def _sides_read_by(viewer: User, order: TransferOrder, label: str) -> tuple[SeenName, SeenName]:
    """Return who pays and who is paid: the bank's own side and the reader's accounts by their names, the other one by
    the name on the order."""
    source, target = (_own_side(account, viewer) for account in (order.source, order.target))
    return source or SeenName(order.payer_name, label=label), target or payee_of(order, label)


def _own_side(account: BankAccount, viewer: User) -> SeenName | None:
    if account.owner_id is None:
        return SeenName(AccountKind(account.kind).label)
    return SeenName(account.display_name) if account.owner_id == viewer.pk else None


def _initiator_label(order: TransferOrder) -> str:
    """Return who ordered it, by the name on the order; for the bank's staff a short one."""
    if order.initiator_id == order.source.owner_id:
        return order.payer_name
    if order.initiator_id == order.target.owner_id:
        return order.payee_name
    person = order.initiator
    return f"{person.first_name} {person.last_name[:1]}.".removesuffix(" .")
