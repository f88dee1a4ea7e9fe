"""Acts of staff with money through the API: decide held orders, close alerts, reverse a mistake (R3.1, R3.10), and read
the ledger (R6.4).

An order is decided once, an alert closed once and a movement reversed once, by whoever is first; others get a 409.
Routes that move money also take an Idempotency-Key, so that a repeated request gets the same answer.
"""

from typing import Annotated, Any, Self
from uuid import UUID

from ninja import Query, Router, Status
from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from accounts import freezes
from accounts.api.bearer import ApiRequest
from accounts.api.staff import FreezeOut, LatelyCodeIn, PageIn, PendingActOut, PersonOut, ReasonIn, require_code
from accounts.api.types import AccountNumber
from accounts.models import AccountFreeze, PendingAct
from accounts.roles import require
from foundation.rest.document import refuses
from foundation.rest.schemas import Amount, AmountText, IdempotencyKey, LedgerCursor, Moment, Out, PageOf, TimeText
from transfers.history import staff
from transfers.history.staff import LedgerFilters
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
from transfers.orders import fraud, large_reversals, screening
from transfers.orders import holds as deciding


def _one_of(values: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": values})


Rule = Annotated[str, _one_of([rule.value for rule in fraud.LABELS])]
Masked = Annotated[str, Field(description="An account: the end of its number, or its name if it is the bank's own.")]


Freezes = Annotated[list[FreezeOut], Field(description="What freezes its accounts now.")]


def _standing(*orders: TransferOrder) -> list[AccountFreeze]:
    """Return the freezes of these orders' accounts, however many orders, in one query."""
    return freezes.standing_on(*{side for order in orders for side in (order.source, order.target)})


def _of_order(order: TransferOrder, standing: list[AccountFreeze]) -> list[FreezeOut]:
    return [FreezeOut.of(row) for row in standing if row.account_id in (order.source_id, order.target_id)]


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
    freezes: Freezes
    created_at: TimeText
    decided_at: TimeText | None

    @classmethod
    def of(cls, order: TransferOrder, standing: list[AccountFreeze]) -> Self:
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
            freezes=_of_order(order, standing),
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
    freezes: Freezes
    hold: Annotated[UUID | None, Field(description="The payment among the held ones, if it is or was one.")]

    @classmethod
    def of(cls, alert: FraudAlert, standing: list[AccountFreeze]) -> Self:
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
            freezes=_of_order(order, standing),
            hold=None if order.state == OrderState.POSTED else order.public_id,
        )


class LedgerIn(PageIn):
    """Filters of the ledger. `since` is the first moment, `until` the first one no more; both amounts are included."""

    cursor: LedgerCursor | SkipJsonSchema[None] = None
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
    reversed_by: Annotated[str | None, Field(description="The reference of what took it back.")]
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
            reversed_by=movement.reversed_by,
            created_at=movement.created_at,
        )


router = Router(tags=["Staff"])


@router.get("/holds", response=PageOf[HeldOut])
def holds(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What waits for a decision, newest first."""
    page = staff.held_orders(request.user, after=wanted.cursor)
    standing = _standing(*page.items)
    return {"items": [HeldOut.of(order, standing) for order in page.items], "next_cursor": page.next_cursor}


@router.post("/holds/{uuid:hold_id}/release", response=HeldOut, openapi_extra=refuses(409, 429))
def release_hold(request: ApiRequest, hold_id: UUID, data: LatelyCodeIn, key: IdempotencyKey) -> HeldOut:
    """Let the money go now. Status and funds are checked again; the reason stays in the bank."""
    require(request.user, "transfers.decide_held_transfer")  # before it is told whether the order exists
    order = staff.order_of_staff(request.user, hold_id)
    require_code(request, data.code)
    decided = deciding.release_order(actor=request.user, order=order, reason=data.reason, idempotency_key=key)
    return HeldOut.of(decided, _standing(decided))


@router.post("/holds/{uuid:hold_id}/reject", response=HeldOut, openapi_extra=refuses(409, 429))
def reject_hold(request: ApiRequest, hold_id: UUID, data: LatelyCodeIn, key: IdempotencyKey) -> HeldOut:
    """Let the customer have the money back. The customer reads the reason."""
    require(request.user, "transfers.decide_held_transfer")
    order = staff.order_of_staff(request.user, hold_id)
    require_code(request, data.code)
    decided = deciding.reject_order(actor=request.user, order=order, reason=data.reason, idempotency_key=key)
    return HeldOut.of(decided, _standing(decided))


@router.get("/alerts", response=PageOf[AlertOut])
def alerts(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What the fraud rules said and nobody has looked at, newest first."""
    page = staff.open_alerts(request.user, after=wanted.cursor)
    standing = _standing(*(alert.order for alert in page.items))
    return {"items": [AlertOut.of(alert, standing) for alert in page.items], "next_cursor": page.next_cursor}


@router.post("/alerts/{uuid:alert_id}/close", response={204: None}, openapi_extra=refuses(409))
def close_alert(request: ApiRequest, alert_id: UUID, data: ReasonIn) -> Status:
    """You have looked at it. The payment, and money held for it, stay as they are."""
    require(request.user, "transfers.close_fraud_alert")
    screening.close_alert(actor=request.user, alert=staff.alert(request.user, alert_id), note=data.reason)
    return Status(204, None)


@router.get("/staff/transactions", response=PageOf[MovementOut])
def ledger(request: ApiRequest, wanted: Query[LedgerIn]) -> Any:
    """All that moved, newest first."""
    filters = LedgerFilters(**wanted.model_dump(exclude={"cursor"}))
    page = staff.ledger_page(request.user, filters, after=wanted.cursor)
    return {"items": [MovementOut.of(row) for row in page.items], "next_cursor": page.next_cursor}


@router.post(
    "/transactions/{reference}/reverse",
    response={201: MovementOut, 202: PendingActOut},
    openapi_extra=refuses(409, 429),
)
def reverse_transaction(request: ApiRequest, reference: str, data: LatelyCodeIn, key: IdempotencyKey) -> Status:
    """Move the same amounts the other way round, once. All sides are told. 202: it is so large that it waits for a
    second administrator; the amount is set aside meanwhile."""
    require(request.user, "transfers.reverse_transaction")
    movement = staff.transaction_referred_to(request.user, reference)
    require_code(request, data.code)
    made = large_reversals.reverse_or_ask(
        actor=request.user, transaction=movement, reason=data.reason, idempotency_key=key
    )
    if isinstance(made, PendingAct):
        return Status(202, PendingActOut.of(made))
    return Status(201, MovementOut.of(made))
