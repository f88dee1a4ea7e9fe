"""What staff do with tickets and requests: the buttons of their pages, offered by the tables of states (R4.1, R4.2)."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from accounts.staff_acts import ActForm, ReasonForCustomerForm, StaffAct, actor_of
from support.forms import message_field
from support.kinds import RequestKind
from support.models import ServiceRequest, Ticket
from support.services import requests, tickets
from support.states import (
    REQUEST_PERMISSIONS,
    REQUEST_STEPS,
    TICKET_PERMISSIONS,
    TICKET_STEPS,
    RequestState,
    RequestVerb,
    TicketStatus,
    TicketVerb,
)

APPROVAL_DOES: Mapping[RequestKind, str] = {
    RequestKind.CLOSE_ACCOUNT: "closes the account for good. It is refused while there is money on it or held on it.",
    RequestKind.FREEZE_ACCOUNT: "freezes the account at once: no money moves in or out of it.",
    RequestKind.UNFREEZE_ACCOUNT: "lifts the freeze: money moves in and out of the account again. Make sure that the "
    "reason for the freeze is gone.",
    RequestKind.UPDATE_IDENTITY: "changes the name and the address that the bank keeps. Compare them with the "
    "customer’s documents first.",
    RequestKind.RESET_TWO_FACTOR: "removes the authenticator app and all recovery codes and ends all sessions. Whoever "
    "signs in next with the password sets up new ones, so be sure whom you are talking to.",
    RequestKind.RESET_PIN: "removes the PIN for apps and its lock. The customer chooses another one on their profile.",
    RequestKind.RAISE_DAILY_LIMIT: "raises what the customer may pay out in a day, from now on. Look at their accounts "
    "first.",
}


def what_approval_does(request: ServiceRequest) -> str:
    """In plain words, for the clerk who is about to agree."""
    what = f"Approval {APPROVAL_DOES[RequestKind(request.kind)]}"
    if not request.rule.needs_two_clerks:
        return what
    if not requests.has_first_word(request):
        return f"{what} Two clerks have to agree: you are the first, and nothing happens until the second has."
    return f"{what} One clerk has agreed: if you, the second, agree as well, it happens at once."


class AnswerForm(ActForm):
    text = message_field("Your answer", help_text="The customer reads it, and is told by mail that it is there.")


class NoteForm(ActForm):
    text = message_field("Note", help_text="For colleagues only. Never write a password, PIN or code here.")


def _answer(request: HttpRequest, ticket: Ticket, *, text: str) -> None:
    tickets.answer_ticket(actor=actor_of(request), public_id=ticket.public_id, text=text)


def _note(request: HttpRequest, ticket: Ticket, *, text: str) -> None:
    tickets.note_on_ticket(actor=actor_of(request), public_id=ticket.public_id, text=text)


def _take(request: HttpRequest, ticket: Ticket) -> None:
    tickets.take_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _resolve(request: HttpRequest, ticket: Ticket) -> None:
    tickets.resolve_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _reopen(request: HttpRequest, ticket: Ticket) -> None:
    tickets.reopen_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _approve(request: HttpRequest, row: ServiceRequest, *, reason: str) -> ServiceRequest:
    return requests.approve_request(actor=actor_of(request), public_id=row.public_id, reason=reason)


def _reject(request: HttpRequest, row: ServiceRequest, *, reason: str) -> None:
    requests.reject_request(actor=actor_of(request), public_id=row.public_id, reason=reason)


def _approved(row: ServiceRequest) -> str:
    if row.state == RequestState.COMPLETED:
        return "Approved and done. The customer is told by mail."
    return "Your approval is noted. Nothing has changed yet: a second clerk decides now."


def _on_ticket(verb: TicketVerb, **act: Any) -> StaffAct:
    return StaffAct(
        name=verb.value,
        permission=TICKET_PERMISSIONS[verb],
        is_offered=lambda ticket: (TicketStatus(ticket.status), verb) in TICKET_STEPS,
        **act,
    )


def _on_request(verb: RequestVerb, **act: Any) -> StaffAct:
    return StaffAct(
        name=verb.value,
        permission=REQUEST_PERMISSIONS[verb],
        is_offered=lambda request: (RequestState(request.state), verb) in REQUEST_STEPS,
        form=ReasonForCustomerForm,
        **act,
    )


TICKET_ACTS = (
    _on_ticket(
        TicketVerb.ANSWER,
        label="Answer",
        explanation="The customer reads your answer under the bank’s name, not yours. The ticket is in progress then.",
        done="Your answer is there. The customer is told by mail.",
        carry_out=_answer,
        form=AnswerForm,
    ),
    _on_ticket(
        TicketVerb.NOTE,
        label="Internal note",
        explanation="Colleagues read it here. The customer neither sees it nor learns that there is one.",
        done="Your note is there, for colleagues only.",
        carry_out=_note,
        form=NoteForm,
    ),
    _on_ticket(
        TicketVerb.TAKE,
        label="Take",
        explanation="You look after this ticket. It is in progress then, and the customer is told so by mail.",
        done="The ticket is in progress, and yours.",
        carry_out=_take,
        form=ActForm,
    ),
    _on_ticket(
        TicketVerb.RESOLVE,
        label="Resolve",
        explanation="The matter is settled. The customer is told by mail; if they reply, the ticket is open again.",
        done="The ticket is resolved.",
        carry_out=_resolve,
        form=ActForm,
    ),
    _on_ticket(
        TicketVerb.REOPEN,
        label="Reopen",
        explanation="It was resolved too early: the ticket waits for an answer again. The customer is told by mail.",
        done="The ticket is open again.",
        carry_out=_reopen,
        form=ActForm,
    ),
)

REQUEST_ACTS = (
    _on_request(
        RequestVerb.APPROVE,
        label="Approve",
        explanation=what_approval_does,
        done=_approved,
        carry_out=_approve,
    ),
    _on_request(
        RequestVerb.REJECT,
        label="Reject",
        explanation="Nothing is changed, and the customer is told, with your reason.",
        done="The request is rejected. The customer is told by mail.",
        carry_out=_reject,
        is_dangerous=True,
    ),
)
