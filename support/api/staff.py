"""Acts of staff on service requests through the API (R4.2). Each decision is the service of the button on their pages;
a request is decided once, so none takes an Idempotency-Key."""

from typing import Annotated, Any, Self
from uuid import UUID

from ninja import Query, Router
from pydantic import Field, WithJsonSchema

from accounts import freezes
from accounts.api.bearer import ApiRequest
from accounts.api.staff import (
    FreezeOut,
    FreezesRead,
    FreezesVersion,
    LatelyCodeIn,
    PageIn,
    PersonOut,
    ReasonIn,
    require_code,
)
from accounts.roles import may, require
from foundation.rest.document import refuses
from foundation.rest.schemas import LeftOut, Out, PageOf, TimeText
from support import selectors
from support.models import RequestKind, ServiceRequest
from support.requests import services
from support.requests.kinds import kind_of
from support.states import RequestState

router = Router(tags=["Staff"])


class AskedOut(Out):
    """A service request, as everybody on the staff sees it."""

    id: UUID
    kind: Annotated[str, WithJsonSchema({"type": "string", "enum": RequestKind.values})]
    state: Annotated[str, WithJsonSchema({"type": "string", "enum": RequestState.values})]
    customer: PersonOut
    account: Annotated[str | None, Field(description="The end of its number.")]
    needs_two_clerks: bool
    first_approved_at: TimeText | None
    created_at: TimeText
    decided_at: TimeText | None

    @classmethod
    def of(cls, row: ServiceRequest) -> Self:
        return cls(**_facts_of(row))


class AskedInFullOut(AskedOut):
    """Adds what the customer wrote, which only people who decide see."""

    freezes: Annotated[list[FreezeOut], Field(description="What stands on its account, the first to come first.")]
    freezes_version: FreezesVersion
    reason: str | None
    wishes: Annotated[dict[str, str] | None, Field(description="The name, address or daily limit that is wished for.")]

    @classmethod
    def seen_by_clerk(cls, row: ServiceRequest, *, decides: bool) -> Self:
        given: dict[str, Any] = {"reason": None, "wishes": None}
        if decides:
            given = {"reason": row.reason, "wishes": kind_of(row).wishes_for_programs(row.opened)}
        standing = freezes.standing_on(row.account) if row.account else []
        shown: dict[str, Any] = {
            "freezes": [FreezeOut.of(one) for one in standing],
            "freezes_version": freezes.version_of(standing),
        }
        return cls(**_facts_of(row), **shown, **given)


class ApproveIn(LatelyCodeIn):
    """`freezes_version` says which freezes you have read before you lift them, by a request to unfreeze an account."""

    freezes_version: Annotated[
        LeftOut[FreezesRead],
        Field(
            description="As it came with the request. One that has come since is not lifted: 409 "
            "`freeze_came_since`, and nothing is. Not sent, it is as of the moment when the customer asked."
        ),
    ] = None


def _facts_of(row: ServiceRequest) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "kind": row.kind,
        "state": row.state,
        "customer": PersonOut.of(row.customer),
        "account": row.account.masked_number if row.account else None,
        "needs_two_clerks": kind_of(row).needs_two_clerks,
        "first_approved_at": row.first_approved_at,
        "created_at": row.created_at,
        "decided_at": row.decided_at,
    }


@router.get("/staff/requests", response=PageOf[AskedOut])
def waiting_requests(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What customers ask for and nobody has decided, newest first."""
    page = selectors.waiting_requests(request.user, after=wanted.cursor)
    return {"items": [AskedOut.of(row) for row in page.items], "next_cursor": page.next_cursor}


@router.get("/staff/requests/{uuid:request_id}", response=AskedInFullOut)
def request_for_staff(request: ApiRequest, request_id: UUID) -> AskedInFullOut:
    """One request; what the customer gave for it is for those who decide."""
    asked = selectors.request_for_staff(request.user, request_id)
    return AskedInFullOut.seen_by_clerk(asked, decides=may(request.user, "support.decide_request"))


@router.post("/staff/requests/{uuid:request_id}/approve", response=AskedOut, openapi_extra=refuses(409, 429))
def approve_request(request: ApiRequest, request_id: UUID, data: ApproveIn) -> AskedOut:
    """Agree, and by that do what it asks for. Where two clerks are needed, it waits on for the second."""
    require(request.user, "support.decide_request")  # before a code is asked for
    require_code(request, data.code)
    row = services.approve_request(
        actor=request.user, public_id=request_id, reason=data.reason, seen=data.freezes_version
    )
    return AskedOut.of(row)


@router.post("/staff/requests/{uuid:request_id}/reject", response=AskedOut, openapi_extra=refuses(409))
def reject_request(request: ApiRequest, request_id: UUID, data: ReasonIn) -> AskedOut:
    """Say no. The customer reads the reason."""
    return AskedOut.of(services.reject_request(actor=request.user, public_id=request_id, reason=data.reason))
