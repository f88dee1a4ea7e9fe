"""What the routes of staff give: of service requests."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, WithJsonSchema

from accounts.api_staff_schemas import PersonOut
from accounts.rest.schemas import Out, TimeText, amount_text
from support.kinds import RequestKind
from support.models import ServiceRequest
from support.performing import wanted_limit
from support.states import RequestState


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
    """With what the customer gave for it, which only those see who decide."""

    reason: str | None
    wishes: Annotated[dict[str, str] | None, Field(description="The name, address or daily limit that is wished for.")]

    @classmethod
    def seen_by_clerk(cls, row: ServiceRequest, *, decides: bool) -> Self:
        given: dict[str, Any] = {"reason": None, "wishes": None}
        if decides:
            is_limit = row.kind == RequestKind.RAISE_DAILY_LIMIT
            wishes = {"amount": amount_text(wanted_limit(row))} if is_limit else row.details
            given = {"reason": row.reason, "wishes": wishes}
        return cls(**_facts_of(row), **given)


def _facts_of(row: ServiceRequest) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "kind": row.kind,
        "state": row.state,
        "customer": PersonOut.of(row.customer),
        "account": row.account.masked_number if row.account else None,
        "needs_two_clerks": row.rule.needs_two_clerks,
        "first_approved_at": row.first_approved_at,
        "created_at": row.created_at,
        "decided_at": row.decided_at,
    }
