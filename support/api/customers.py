"""Tickets and service requests of customers through the API (R4.1, R4.2). Routes parse; services decide."""

from uuid import UUID

from ninja import Body, Query, Router, Status

from accounts.api.bearer import ApiRequest
from accounts.models import BankAccount
from accounts.roles import require
from foundation.paging import Page
from foundation.rest.document import refuses
from foundation.rest.schemas import IdempotencyKey, PageOf
from support import selectors
from support import tickets as ticket_service
from support.api.schemas import (
    ConversationOut,
    CursorIn,
    FileRequestIn,
    ReplyIn,
    RequestDetailsOut,
    RequestOut,
    TicketIn,
    TicketOut,
)
from support.models import RequestKind, Ticket
from support.requests import services as request_service
from support.requests.kinds import KINDS
from transfers import history as transfer_selectors

router = Router(tags=["Help"])


@router.get("/tickets", response=PageOf[TicketOut])
def tickets(request: ApiRequest, page: Query[CursorIn]) -> Page[Ticket]:
    """Your conversations with the bank, those with the latest news first."""
    require(request.user, "support.open_ticket")
    return selectors.tickets_of(request.user, after=page.cursor)


@router.post("/tickets", response={201: TicketOut}, openapi_extra=refuses(429))
def open_ticket(request: ApiRequest, data: TicketIn, key: IdempotencyKey) -> Status[Ticket]:
    """Write to the bank. The same key again gives the same ticket, and opens no other."""
    ticket = ticket_service.open_ticket(
        actor=request.user, subject=data.subject, text=data.text, reference=data.reference, idempotency_key=key
    )
    return Status(201, ticket)


@router.get("/tickets/{uuid:ticket_id}", response=ConversationOut)
def ticket(request: ApiRequest, ticket_id: UUID) -> selectors.Conversation:
    """One of your conversations, oldest message first."""
    require(request.user, "support.open_ticket")
    return selectors.conversation_of(request.user, ticket_id)


@router.post("/tickets/{uuid:ticket_id}/replies", response={204: None}, openapi_extra=refuses(409, 429))
def reply_to_ticket(request: ApiRequest, ticket_id: UUID, data: ReplyIn) -> Status[None]:
    """Go on in a conversation; one that was resolved is open again."""
    ticket_service.reply_to_ticket(actor=request.user, public_id=ticket_id, text=data.text)
    return Status(204, None)


@router.get("/requests", response=PageOf[RequestOut])
def service_requests(request: ApiRequest, page: Query[CursorIn]) -> PageOf[RequestOut]:
    """What you have asked the bank to do, latest first."""
    require(request.user, "support.file_request")
    found = selectors.requests_of(request.user, after=page.cursor)
    return PageOf(items=[RequestOut.of(row) for row in found.items], next_cursor=found.next_cursor)


@router.post("/requests", response={201: RequestDetailsOut}, openapi_extra=refuses(404, 409, 429))
def file_request(request: ApiRequest, data: Body[FileRequestIn]) -> Status[RequestDetailsOut]:
    """Ask for something that only the bank can do; each `kind` has fields of its own. While one waits, the same cannot
    be asked for again."""
    require(request.user, "support.file_request")  # before it is told whether the account exists
    kind = RequestKind(data.kind)
    row = request_service.file_request(
        actor=request.user,
        kind=kind,
        account=_account_in(request, data),
        payload=KINDS[kind].payload_from(data.model_dump()),
        reason=data.reason,
    )
    return Status(201, RequestDetailsOut.of(row))


@router.get("/requests/{uuid:request_id}", response=RequestDetailsOut)
def service_request(request: ApiRequest, request_id: UUID) -> RequestDetailsOut:
    """One of your requests, and its outcome."""
    require(request.user, "support.file_request")
    return RequestDetailsOut.of(selectors.request_of(request.user, request_id))


@router.post("/requests/{uuid:request_id}/cancel", response={204: None}, openapi_extra=refuses(409))
def cancel_request(request: ApiRequest, request_id: UUID) -> Status[None]:
    """Take back a request that nobody has decided yet."""
    request_service.cancel_request(actor=request.user, public_id=request_id)
    return Status(204, None)


def _account_in(request: ApiRequest, data: object) -> BankAccount | None:
    """Return the account that a request names, if its kind is about one.

    Raises:
        BankAccount.DoesNotExist: it is not the customer's.
    """
    number = getattr(data, "account", None)
    return None if number is None else transfer_selectors.account_by_number(request.user, number)
