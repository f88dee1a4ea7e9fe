"""What the routes of staff take and give: of held orders, alerts and the ledger."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from accounts.api_staff_schemas import PageIn, PersonOut
from accounts.rest.schemas import AccountNumber, Amount, AmountText, Moment, Out, TimeText
from transfers import fraud
from transfers.models import (
    AlertState,
    Direction,
    FraudAlert,
    OrderKind,
    OrderState,
    Transaction,
    TransactionKind,
    TransferOrder,
)


def _one_of(values: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": values})


Rule = Annotated[str, _one_of([rule.value for rule in fraud.LABELS])]
Masked = Annotated[str, Field(description="An account: the end of its number, or its name if it is the bank's own.")]


class HeldOut(Out):
    """An order that waits for a decision, or has got one."""

    id: UUID
    kind: Annotated[str, _one_of(OrderKind.values)]
    state: Annotated[str, _one_of(OrderState.values)]
    amount: AmountText
    customer: PersonOut
    ordered_by: PersonOut
    source: Masked
    target: Masked
    description: str
    why_held: Annotated[str, Field(description="The rule that holds it.")]
    alerts: Annotated[list[UUID], Field(description="The ids of its alerts; a decision closes them.")]
    created_at: TimeText
    decided_at: TimeText | None

    @classmethod
    def of(cls, order: TransferOrder) -> Self:
        customer: Any = order.customer_account.owner  # never one of the bank's own
        return cls(
            id=order.public_id,
            kind=order.kind,
            state=order.state,
            amount=order.amount,
            customer=PersonOut.of(customer),
            ordered_by=PersonOut.of(order.initiator),
            source=str(order.source),
            target=str(order.target),
            description=order.description,
            why_held=order.hold_reason,
            alerts=[alert.public_id for alert in order.alerts.all()],
            created_at=order.created_at,
            decided_at=order.decided_at,
        )


class AlertOut(Out):
    """What a fraud rule said, with the payment that it said it of."""

    id: UUID
    rule: Rule
    state: Annotated[str, _one_of(AlertState.values)]
    created_at: TimeText
    customer: PersonOut
    amount: AmountText
    source: Masked
    target: Masked
    description: str
    order_state: Annotated[str, _one_of(OrderState.values)]
    hold: Annotated[UUID | None, Field(description="The payment among the held ones, if it is or was one.")]

    @classmethod
    def of(cls, alert: FraudAlert) -> Self:
        order = alert.order
        customer: Any = order.customer_account.owner
        return cls(
            id=alert.public_id,
            rule=alert.rule,
            state=alert.state,
            created_at=alert.created_at,
            customer=PersonOut.of(customer),
            amount=order.amount,
            source=str(order.source),
            target=str(order.target),
            description=order.description,
            order_state=order.state,
            hold=None if order.state == OrderState.POSTED else order.public_id,
        )


class LedgerIn(PageIn):
    """Filters of the ledger. `since` is the first moment, `until` the first one no more; both amounts are included."""

    kind: TransactionKind | SkipJsonSchema[None] = None
    user: Annotated[UUID | SkipJsonSchema[None], Field(description="Who began it, by the id.")] = None
    account: AccountNumber | SkipJsonSchema[None] = None
    since: Moment | SkipJsonSchema[None] = None
    until: Moment | SkipJsonSchema[None] = None
    min_amount: Amount | SkipJsonSchema[None] = None
    max_amount: Amount | SkipJsonSchema[None] = None


class MovementOut(Out):
    """A transaction of the ledger."""

    reference: str
    kind: Annotated[str, _one_of(TransactionKind.values)]
    amount: AmountText
    debited: list[Masked]
    credited: list[Masked]
    description: str
    begun_by: PersonOut
    reverses: Annotated[str | None, Field(description="The reference of what it takes back.")]
    created_at: TimeText

    @classmethod
    def of(cls, movement: Transaction) -> Self:
        sides: dict[str, list[str]] = {side: [] for side in Direction.values}
        for entry in movement.entries.all():
            sides[entry.direction].append(str(entry.account))
        return cls(
            reference=movement.reference,
            kind=movement.kind,
            amount=movement.amount,
            debited=sides[Direction.DEBIT],
            credited=sides[Direction.CREDIT],
            description=movement.description,
            begun_by=PersonOut.of(movement.initiated_by),
            reverses=movement.reverses.reference if movement.reverses else None,
            created_at=movement.created_at,
        )
