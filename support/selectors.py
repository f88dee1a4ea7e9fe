"""What customers see of their own tickets and requests, and what staff see of all, with the joins made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import keyset
from accounts.keyset import InvalidCursor
from accounts.models import User
from accounts.roles import require
from support.models import ServiceRequest, Ticket, TicketMessage
from support.states import RequestState, TicketStatus
from transfers.models import Transaction

PAGE_ROWS = 20
TICKETS_WAITING = (TicketStatus.OPEN, TicketStatus.IN_PROGRESS)

T = TypeVar("T", Ticket, ServiceRequest)


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, newest first; `older_than` is where the next begins, None on the last."""

    rows: Sequence[T]
    older_than: UUID | None


@dataclass(frozen=True)
class Said:
    """One message as the customer sees it: which clerk wrote it is the bank's business."""

    by_customer: bool
    text: str
    at: datetime


@dataclass(frozen=True)
class Conversation:
    ticket: Ticket
    messages: list[Said]
    reference: str  # of the movement it is about, or ""


def tickets_of(user: User, *, older_than: UUID | None = None) -> Page[Ticket]:
    """The customer's own tickets, those with the latest news first.

    Raises:
        InvalidCursor
    """
    return _page(Ticket.objects.filter(customer=user), "shown_at", older_than)


def requests_of(user: User, *, older_than: UUID | None = None) -> Page[ServiceRequest]:
    """The customer's own requests, latest first.

    Raises:
        InvalidCursor
    """
    return _page(ServiceRequest.objects.filter(customer=user).select_related("account"), "created_at", older_than)


def _page(rows: QuerySet[T], newest_by: str, older_than: UUID | None) -> Page[T]:
    if older_than is not None:
        last = rows.filter(public_id=older_than).values_list(newest_by, "pk").first()
        if last is None:
            raise InvalidCursor
        at, pk = last
        rows = rows.filter(Q(**{f"{newest_by}__lt": at}) | Q(**{newest_by: at, "pk__lt": pk}))
    found = list(rows.order_by(f"-{newest_by}", "-pk")[: PAGE_ROWS + 1])
    shown = found[:PAGE_ROWS]
    return Page(shown, shown[-1].public_id if len(found) > PAGE_ROWS else None)


def conversation_of(user: User, public_id: UUID) -> Conversation:
    """One of the customer's own tickets, without what staff wrote to each other.

    Raises:
        Ticket.DoesNotExist: also when it is somebody else's.
    """
    ticket = Ticket.objects.select_related("transaction").get(customer=user, public_id=public_id)
    rows = TicketMessage.objects.filter(ticket=ticket, is_internal=False).order_by("pk")
    return Conversation(
        ticket,
        [Said(by_customer=row.author_id == user.pk, text=row.text, at=row.created_at) for row in rows],
        ticket.transaction.reference if ticket.transaction is not None else "",
    )


def request_of(user: User, public_id: UUID) -> ServiceRequest:
    """One of the customer's own requests.

    Raises:
        ServiceRequest.DoesNotExist: also when it is somebody else's.
    """
    return ServiceRequest.objects.select_related("account").get(customer=user, public_id=public_id)


def movement_of(user: User, reference: str) -> Transaction:
    """The transaction with this reference, if it touched an account of the user's.

    Raises:
        Transaction.DoesNotExist
    """
    return Transaction.objects.filter(reference=reference, entries__account__owner=user).distinct().get()


# --- Staff --------------------------------------------------------------------------------------------------


def ticket_for_staff(user: User, public_id: UUID) -> tuple[Ticket, list[TicketMessage]]:
    """A ticket with everything said in it, internal notes included, in order.

    Raises:
        PermissionDenied, Ticket.DoesNotExist
    """
    require(user, "support.view_ticket")
    ticket = Ticket.objects.select_related("customer", "last_updated_by", "transaction").get(public_id=public_id)
    return ticket, list(TicketMessage.objects.filter(ticket=ticket).select_related("author").order_by("pk"))


def request_for_staff(user: User, public_id: UUID) -> ServiceRequest:
    """One request with what a clerk needs to decide it.

    Raises:
        PermissionDenied, ServiceRequest.DoesNotExist
    """
    require(user, "support.view_servicerequest")
    joins = ("customer", "account", "first_approved_by", "decided_by")
    return ServiceRequest.objects.select_related(*joins).get(public_id=public_id)


def waiting_requests(user: User, *, after: keyset.Key | None = None) -> keyset.Page[ServiceRequest]:
    """What nobody has decided yet, the last to come first.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "support.view_servicerequest")
    return keyset.page_of(undecided_requests().select_related("customer", "account"), by="created_at", after=after)


def unsettled_tickets() -> QuerySet[Ticket]:
    """Those that are not resolved."""
    return Ticket.objects.filter(status__in=TICKETS_WAITING)


def undecided_requests() -> QuerySet[ServiceRequest]:
    return ServiceRequest.objects.filter(state=RequestState.PENDING)
