"""What is shown of one order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from accounts.models import AccountKind, BankAccount, User
from transfers.identifiers import digest_of_key
from transfers.models import OrderKind, OrderState, TransferOrder
from transfers.names import short_name


@dataclass(frozen=True)
class Receipt:
    """What is shown and printed of an order, to the one who gave it or the one who was paid."""

    reference: str
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
    initiated_by: str


def order_of_key(user: User, idempotency_key: str) -> TransferOrder | None:
    """The order that a key of this user has become, if it has."""
    return TransferOrder.objects.filter(initiator=user, key_digest=digest_of_key(idempotency_key)).first()


def receipt_for(user: User, public_id: UUID) -> Receipt:
    """The receipt of an order, for either side of it.

    Raises:
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    order = TransferOrder.objects.select_related("source__owner", "target__owner", "transaction", "initiator").get(
        Q(source__owner=user) | Q(target__owner=user), public_id=public_id
    )
    if order.transaction is None and order.source.owner_id != user.pk:
        raise TransferOrder.DoesNotExist  # nothing has reached the other side
    return Receipt(
        reference=order.transaction.reference if order.transaction else "",
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
        initiated_by=_person_label(order.initiator, user),
    )


def _side_label(account: BankAccount, viewer: User) -> str:
    if account.owner is None:
        return AccountKind(account.kind).label
    return account.display_name if account.owner_id == viewer.pk else short_name(account.owner)


def _person_label(person: User, viewer: User) -> str:
    return person.get_full_name() if person.pk == viewer.pk else short_name(person)
