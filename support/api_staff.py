"""What staff do with service requests through the API (R4.2). Each decision is the service of the button on their
pages; a request is decided once, so none takes an Idempotency-Key."""

from typing import Any
from uuid import UUID

from ninja import Query, Router

from accounts.api_staff_schemas import PageIn, ReasonIn
from accounts.rest.bearer import ApiRequest
from accounts.rest.documenting import refuses
from accounts.rest.schemas import PageOf
from accounts.roles import may
from support import selectors
from support.api_staff_schemas import AskedInFullOut, AskedOut
from support.services import requests

router = Router(tags=["Staff"])


@router.get("/staff/requests", response=PageOf[AskedOut])
def waiting_requests(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What customers ask for and nobody has decided, the last to come first."""
    page = selectors.waiting_requests(request.user, after=wanted.cursor)
    return {"items": [AskedOut.of(row) for row in page.items], "next_cursor": page.next_cursor}


@router.get("/staff/requests/{uuid:request_id}", response=AskedInFullOut)
def request_for_staff(request: ApiRequest, request_id: UUID) -> AskedInFullOut:
    """One request; what the customer gave for it is for those who decide."""
    asked = selectors.request_for_staff(request.user, request_id)
    return AskedInFullOut.seen_by_clerk(asked, decides=may(request.user, "support.decide_request"))


@router.post("/staff/requests/{uuid:request_id}/approve", response=AskedOut, openapi_extra=refuses(409))
def approve_request(request: ApiRequest, request_id: UUID, data: ReasonIn) -> AskedOut:
    """Agree, and by that do what it asks for. Where two clerks are needed, it waits on for the second."""
    row = requests.approve_request(actor=request.user, public_id=request_id, reason=data.reason)
    return AskedOut.of(row)


@router.post("/staff/requests/{uuid:request_id}/reject", response=AskedOut, openapi_extra=refuses(409))
def reject_request(request: ApiRequest, request_id: UUID, data: ReasonIn) -> AskedOut:
    """Say no. The customer reads the reason."""
    return AskedOut.of(requests.reject_request(actor=request.user, public_id=request_id, reason=data.reason))
