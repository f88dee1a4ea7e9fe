"""The states of a ticket and of a service request, as tables: (state, verb) to the next state (R4.1, R4.2).

A step that is not in the tables does not exist. The permission beside the verb says who may take it; nobody takes
COMPLETE and CALL_OFF: the approval itself completes a request, and where that takes a second administrator, their stop
calls it off.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from django.db.models import TextChoices

from foundation.refusals import WrongStatus


class TicketStatus(TextChoices):
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "In progress"
    RESOLVED = "resolved", "Resolved"


class TicketVerb(StrEnum):
    REPLY = "reply"
    ANSWER = "answer"
    NOTE = "note"
    TAKE = "take"
    RESOLVE = "resolve"
    REOPEN = "reopen"


class RequestState(TextChoices):
    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    CANCELLED = "cancelled", "Cancelled"
    COMPLETED = "completed", "Done"


class RequestVerb(StrEnum):
    ENDORSE = "endorse"  # the first of two clerks agrees
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    COMPLETE = "complete"
    CALL_OFF = "call_off"


TICKET_PERMISSIONS: Mapping[TicketVerb, str] = {
    TicketVerb.REPLY: "support.open_ticket",
    TicketVerb.ANSWER: "support.handle_ticket",
    TicketVerb.NOTE: "support.handle_ticket",
    TicketVerb.TAKE: "support.handle_ticket",
    TicketVerb.RESOLVE: "support.handle_ticket",
    TicketVerb.REOPEN: "support.handle_ticket",
}

TICKET_STEPS: Mapping[tuple[TicketStatus, TicketVerb], TicketStatus] = {
    (TicketStatus.OPEN, TicketVerb.REPLY): TicketStatus.OPEN,
    (TicketStatus.OPEN, TicketVerb.ANSWER): TicketStatus.IN_PROGRESS,
    (TicketStatus.OPEN, TicketVerb.NOTE): TicketStatus.OPEN,
    (TicketStatus.OPEN, TicketVerb.TAKE): TicketStatus.IN_PROGRESS,
    (TicketStatus.OPEN, TicketVerb.RESOLVE): TicketStatus.RESOLVED,
    (TicketStatus.IN_PROGRESS, TicketVerb.REPLY): TicketStatus.IN_PROGRESS,
    (TicketStatus.IN_PROGRESS, TicketVerb.ANSWER): TicketStatus.IN_PROGRESS,
    (TicketStatus.IN_PROGRESS, TicketVerb.NOTE): TicketStatus.IN_PROGRESS,
    (TicketStatus.IN_PROGRESS, TicketVerb.RESOLVE): TicketStatus.RESOLVED,
    (TicketStatus.RESOLVED, TicketVerb.REPLY): TicketStatus.OPEN,
    (TicketStatus.RESOLVED, TicketVerb.NOTE): TicketStatus.RESOLVED,
    (TicketStatus.RESOLVED, TicketVerb.REOPEN): TicketStatus.OPEN,
}

REQUEST_PERMISSIONS: Mapping[RequestVerb, str] = {
    RequestVerb.ENDORSE: "support.decide_request",
    RequestVerb.APPROVE: "support.decide_request",
    RequestVerb.REJECT: "support.decide_request",
    RequestVerb.CANCEL: "support.file_request",
}

REQUEST_STEPS: Mapping[tuple[RequestState, RequestVerb], RequestState] = {
    (RequestState.PENDING, RequestVerb.ENDORSE): RequestState.PENDING,
    (RequestState.PENDING, RequestVerb.APPROVE): RequestState.APPROVED,
    (RequestState.PENDING, RequestVerb.REJECT): RequestState.REJECTED,
    (RequestState.PENDING, RequestVerb.CANCEL): RequestState.CANCELLED,
    (RequestState.APPROVED, RequestVerb.COMPLETE): RequestState.COMPLETED,
    (RequestState.APPROVED, RequestVerb.CALL_OFF): RequestState.REJECTED,
}

S = TypeVar("S")
V = TypeVar("V")


class IllegalStep(WrongStatus):
    """The table has no such step from the current state; another person may have been faster."""

    code = "illegal_step"


def next_ticket_status(status: str, verb: TicketVerb) -> TicketStatus:
    """Return where `verb` leads from `status`.

    Raises:
        IllegalStep
    """
    now = TicketStatus(status)
    return _next(TICKET_STEPS, now, verb, f"This is not possible: the ticket is {now.label.lower()} now.")


def next_request_state(state: str, verb: RequestVerb) -> RequestState:
    """Return where `verb` leads from `state`.

    Raises:
        IllegalStep
    """
    now = RequestState(state)
    text = "This request has not been approved: it is still waiting."
    if now in {RequestState.APPROVED, RequestState.REJECTED, RequestState.COMPLETED}:
        text = f"Somebody else has decided this request already: it is {now.label.lower()}."
    elif now == RequestState.CANCELLED:
        text = "This request was cancelled by the customer."
    return _next(REQUEST_STEPS, now, verb, text)


def _next(steps: Mapping[tuple[S, V], S], state: S, verb: V, text: str) -> S:
    try:
        return steps[state, verb]
    except KeyError as error:
        raise IllegalStep(text) from error
