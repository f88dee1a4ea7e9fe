"""What customers see of their own tickets and requests, and what staff see of all, with the joins made."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import require
from accounts.selectors import NameThatWaits
from foundation.compiled import Select
from foundation.paging import Cursor, Page, page_of
from support.models import RequestKind, ServiceRequest, Ticket, TicketMessage
from support.requests.kinds import update_identity
from support.states import RequestState, TicketStatus
from transfers.models import Transaction

PAGE_ROWS = 20
TICKETS_WAITING = (TicketStatus.OPEN, TicketStatus.IN_PROGRESS)
# Run whenever a person, or a program of theirs, looks at their profile.
_asked_names: Select[ServiceRequest] = Select(
    lambda customer: ServiceRequest.objects.filter(
        customer=customer, kind=RequestKind.UPDATE_IDENTITY, state=RequestState.PENDING
    ),
    ServiceRequest._meta.get_field("customer"),
)


@dataclass(frozen=True)
class Said:
    """One message as the customer sees it: which clerk wrote it stays inside the bank."""

    by_customer: bool
    text: str
    at: datetime


@dataclass(frozen=True)
class Conversation:
    ticket: Ticket
    messages: list[Said]
    reference: str  # of the movement it is about, or ""


def tickets_of(user: User, *, after: Cursor | None = None, before: Cursor | None = None) -> Page[Ticket]:
    """Return the customer's own tickets, latest news first.

    Raises:
        InvalidCursor
    """
    rows = Ticket.objects.filter(customer=user)
    return page_of(rows, by=("shown_at", "pk"), after=after, before=before, limit=PAGE_ROWS)


def requests_of(user: User, *, after: Cursor | None = None, before: Cursor | None = None) -> Page[ServiceRequest]:
    """Return the customer's own requests, latest first.

    Raises:
        InvalidCursor
    """
    rows = ServiceRequest.objects.filter(customer=user).select_related("account")
    return page_of(rows, by=("created_at", "pk"), after=after, before=before, limit=PAGE_ROWS)


def conversation_of(user: User, public_id: UUID) -> Conversation:
    """Return one of the customer's own tickets, without internal notes.

    Raises:
        Ticket.DoesNotExist: also when it belongs to another customer.
    """
    ticket = Ticket.objects.select_related("transaction").get(customer=user, public_id=public_id)
    rows = TicketMessage.objects.filter(ticket=ticket, is_internal=False).order_by("pk")
    return Conversation(
        ticket,
        [Said(by_customer=row.author_id == user.pk, text=row.text, at=row.created_at) for row in rows],
        ticket.transaction.reference if ticket.transaction is not None else "",
    )


def request_of(user: User, public_id: UUID) -> ServiceRequest:
    """Return one of the customer's own requests.

    Raises:
        ServiceRequest.DoesNotExist: also when it belongs to another customer.
    """
    return ServiceRequest.objects.select_related("account").get(customer=user, public_id=public_id)


def name_that_waits(user: User) -> NameThatWaits | None:
    """Return the name that this customer has asked for, while nobody has decided."""
    asked = next(iter(_asked_names.instances(user.pk)), None)
    if asked is None or not update_identity.asks_for_another_name(user, asked.opened):
        return None
    return NameThatWaits(update_identity.name_in(asked.opened), asked.public_id)


def movement_of(user: User, reference: str) -> Transaction:
    """Return the transaction with this reference, if it touched an account of the user's.

    Raises:
        Transaction.DoesNotExist
    """
    return Transaction.objects.filter(reference=reference, entries__account__owner=user).distinct().get()


# --- Staff --------------------------------------------------------------------------------------------------


def ticket_for_staff(user: User, public_id: UUID) -> tuple[Ticket, list[TicketMessage]]:
    """Return a ticket with everything said in it, internal notes included, in order.

    Raises:
        PermissionDenied, Ticket.DoesNotExist
    """
    require(user, "support.view_ticket")
    ticket = Ticket.objects.select_related("customer", "last_updated_by", "transaction").get(public_id=public_id)
    return ticket, list(TicketMessage.objects.filter(ticket=ticket).select_related("author").order_by("pk"))


def request_for_staff(user: User, public_id: UUID) -> ServiceRequest:
    """Return one request with what a clerk needs to decide it.

    Raises:
        PermissionDenied, ServiceRequest.DoesNotExist
    """
    require(user, "support.view_servicerequest")
    joins = ("customer", "account", "first_approved_by", "decided_by")
    return ServiceRequest.objects.select_related(*joins).get(public_id=public_id)


def waiting_requests(user: User, *, after: Cursor | None = None) -> Page[ServiceRequest]:
    """Return the requests that nobody has decided yet, newest first.

    Raises:
        PermissionDenied, InvalidCursor
    """
    require(user, "support.view_servicerequest")
    return page_of(undecided_requests().select_related("customer", "account"), by=("created_at", "pk"), after=after)


def unsettled_tickets() -> QuerySet[Ticket]:
    """Return the tickets that are not resolved."""
    return Ticket.objects.filter(status__in=TICKETS_WAITING)


def undecided_requests() -> QuerySet[ServiceRequest]:
    return ServiceRequest.objects.filter(state=RequestState.PENDING)
