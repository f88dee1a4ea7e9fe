"""What staff do with money through the API: decide what is held, close alerts, take a mistake back (R3.1, R3.10), and
read the ledger (R6.4).

An order is decided once, an alert closed once and a movement reversed once, by whoever comes first; anybody else is
told so with 409. What moves money takes an Idempotency-Key besides, so that the same request again has the same answer.
"""

from typing import Any
from uuid import UUID

from ninja import Query, Router, Status

from accounts.api_staff_schemas import PageIn, ReasonIn
from accounts.rest.bearer import ApiRequest
from accounts.rest.documenting import refuses
from accounts.rest.schemas import IdempotencyKey, PageOf
from transfers.api_staff_schemas import AlertOut, HeldOut, LedgerIn, MovementOut
from transfers.selectors import staff
from transfers.selectors.staff import LedgerFilters
from transfers.services import holds as deciding
from transfers.services import reversals, screening

router = Router(tags=["Staff"])


@router.get("/holds", response=PageOf[HeldOut])
def holds(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What waits for a decision, the last to come first."""
    page = staff.held_orders(request.user, after=wanted.cursor)
    return {"items": [HeldOut.of(order) for order in page.items], "next_cursor": page.next_cursor}


@router.post("/holds/{uuid:hold_id}/release", response=HeldOut, openapi_extra=refuses(409))
def release_hold(request: ApiRequest, hold_id: UUID, data: ReasonIn, key: IdempotencyKey) -> HeldOut:
    """Let the money go now. Status and funds are checked again; the reason stays in the bank."""
    order = staff.order_of_staff(request.user, hold_id)
    decided = deciding.release_order(actor=request.user, order=order, reason=data.reason, idempotency_key=key)
    return HeldOut.of(decided)


@router.post("/holds/{uuid:hold_id}/reject", response=HeldOut, openapi_extra=refuses(409))
def reject_hold(request: ApiRequest, hold_id: UUID, data: ReasonIn, key: IdempotencyKey) -> HeldOut:
    """Let the customer have the money back. The customer reads the reason."""
    order = staff.order_of_staff(request.user, hold_id)
    decided = deciding.reject_order(actor=request.user, order=order, reason=data.reason, idempotency_key=key)
    return HeldOut.of(decided)


@router.get("/alerts", response=PageOf[AlertOut])
def alerts(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What the fraud rules said and nobody has looked at, the last to come first."""
    page = staff.open_alerts(request.user, after=wanted.cursor)
    return {"items": [AlertOut.of(alert) for alert in page.items], "next_cursor": page.next_cursor}


@router.post("/alerts/{uuid:alert_id}/close", response={204: None}, openapi_extra=refuses(409))
def close_alert(request: ApiRequest, alert_id: UUID, data: ReasonIn) -> Status:
    """You have looked at it. The payment, and money held for it, stay as they are."""
    screening.close_alert(actor=request.user, alert=staff.alert(request.user, alert_id), note=data.reason)
    return Status(204, None)


@router.get("/staff/transactions", response=PageOf[MovementOut])
def ledger(request: ApiRequest, wanted: Query[LedgerIn]) -> Any:
    """All that moved, newest first."""
    filters = LedgerFilters(**wanted.model_dump(exclude={"cursor"}))
    page = staff.ledger_page(request.user, filters, after=wanted.cursor)
    return {"items": [MovementOut.of(row) for row in page.items], "next_cursor": page.next_cursor}


@router.post("/transactions/{reference}/reverse", response={201: MovementOut}, openapi_extra=refuses(409))
def reverse_transaction(request: ApiRequest, reference: str, data: ReasonIn, key: IdempotencyKey) -> Status:
    """Move the same amounts the other way round, once. All sides are told."""
    movement = staff.transaction_referred_to(request.user, reference)
    made = reversals.reverse_transaction(
        actor=request.user, transaction=movement, reason=data.reason, idempotency_key=key
    )
    return Status(201, MovementOut.of(made))
