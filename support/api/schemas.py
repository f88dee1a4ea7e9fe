"""What customers' routes take and give: a kind of request has exactly the fields that it needs."""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from foundation.rest.schemas import NAMES_THE_FIELD, Cursor, In, InQuery, Out, TimeText, text_of
from support.forms import TicketForm
from support.models import RequestKind, ServiceRequest
from support.requests.kinds import KINDS, PAGE_KINDS, kind_of
from support.states import RequestState, TicketStatus

# Read as the pages' forms read them. For the type checker a call is not a type, so its result is Any.
Subject: Any = text_of(TicketForm.base_fields["subject"])  # type: ignore[arg-type]
Message: Any = text_of(TicketForm.base_fields["text"])  # type: ignore[arg-type]
Reference: Any = Annotated[text_of(TicketForm.base_fields["reference"]), AfterValidator(str.upper)]  # type: ignore[arg-type]


class CursorIn(InQuery):
    cursor: Cursor | SkipJsonSchema[None] = None


# --- Tickets -------------------------------------------------------------------------------------------------


class TicketIn(In):
    """A question to the bank; never write a password, PIN or code in it."""

    subject: Subject
    text: Message
    reference: Annotated[Reference, Field(description="Of the movement that it is about, if it is about one.")] = ""


class ReplyIn(In):
    text: Message


class TicketOut(Out):
    id: Annotated[UUID, Field(validation_alias="public_id")]
    subject: str
    status: Annotated[str, WithJsonSchema({"type": "string", "enum": TicketStatus.values})]
    created_at: TimeText
    updated_at: Annotated[TimeText, Field(validation_alias="shown_at")]  # the last change that customers see


class SaidOut(Out):
    by_customer: bool
    text: str
    at: TimeText


class ConversationOut(Out):
    ticket: TicketOut
    reference: Annotated[str, Field(description="Of the movement that it is about, or empty.")]
    messages: list[SaidOut]


# --- Service requests ------------------------------------------------------------------------------------------


_Wish: Any = reduce(or_, (KINDS[kind].schema for kind in PAGE_KINDS))
FileRequestIn: Any = Annotated[_Wish, Field(discriminator="kind"), NAMES_THE_FIELD]


class RequestOut(Out):
    id: UUID
    kind: Annotated[str, WithJsonSchema({"type": "string", "enum": RequestKind.values})]
    state: Annotated[str, WithJsonSchema({"type": "string", "enum": RequestState.values})]
    masked_account: Annotated[str | None, Field(description="The account's number, all but its end hidden.")]
    created_at: TimeText
    decided_at: TimeText | None

    @classmethod
    def of(cls, row: ServiceRequest, **more: Any) -> Self:
        return cls(
            id=row.public_id,
            kind=row.kind,
            state=row.state,
            masked_account=row.account.masked_number if row.account is not None else None,
            created_at=row.created_at,
            decided_at=row.decided_at,
            **more,
        )


class RequestDetailsOut(RequestOut):
    account: Annotated[str | None, Field(description="Its number, in full.")]
    reason: str
    wishes: Annotated[dict[str, str], Field(description="What else was asked for: an amount, a name, an address.")]
    decision_reason: Annotated[str, Field(description="Why the bank agreed or did not, or empty.")]

    @classmethod
    def of(cls, row: ServiceRequest, **more: Any) -> Self:
        return super().of(
            row,
            account=row.account.number if row.account is not None else None,
            reason=row.reason,
            wishes=kind_of(row).wishes_for_programs(row.opened),
            decision_reason=row.decision_reason,
            **more,
        )
