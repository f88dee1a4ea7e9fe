"""Every (state, verb, role) of tickets and of service requests, generated from the tables (R4.1, R4.2, R1.7)."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import AccountFreeze, FreezeKind
from accounts.roles import Role
from support import tickets
from support.models import ServiceRequest, Ticket
from support.requests import services as requests
from support.roles import GRANTS
from support.states import (
    REQUEST_PERMISSIONS,
    REQUEST_STEPS,
    TICKET_PERMISSIONS,
    TICKET_STEPS,
    IllegalStep,
    RequestState,
    RequestVerb,
    TicketStatus,
    TicketVerb,
    next_request_state,
    next_ticket_status,
)
from tests.tables import in_one_world

# The cast by role; Charlie is a customer too, but the ticket is not his.
ROLE_OF = {
    "alice": Role.CUSTOMER,
    "charlie": Role.CUSTOMER,
    "sam": Role.SUPPORT,
    "audrey": Role.AUDITOR,
    "ada": Role.ADMIN,
}

TICKET_ACTS: dict[TicketVerb, Callable[[Any, Any], Any]] = {
    TicketVerb.REPLY: lambda actor, ticket: tickets.reply_to_ticket(actor=actor, public_id=ticket.public_id, text="x"),
    TicketVerb.ANSWER: lambda actor, ticket: tickets.answer_ticket(actor=actor, public_id=ticket.public_id, text="x"),
    TicketVerb.NOTE: lambda actor, ticket: tickets.note_on_ticket(actor=actor, public_id=ticket.public_id, text="x"),
    TicketVerb.TAKE: lambda actor, ticket: tickets.take_ticket(actor=actor, public_id=ticket.public_id),
    TicketVerb.RESOLVE: lambda actor, ticket: tickets.resolve_ticket(actor=actor, public_id=ticket.public_id),
    TicketVerb.REOPEN: lambda actor, ticket: tickets.reopen_ticket(actor=actor, public_id=ticket.public_id),
}
# COMPLETE is missing: no service offers it.
REQUEST_ACTS: dict[RequestVerb, Callable[[Any, Any], Any]] = {
    RequestVerb.APPROVE: lambda actor, row: requests.approve_request(
        actor=actor, public_id=row.public_id, reason="Looked at it"
    ),
    RequestVerb.REJECT: lambda actor, row: requests.reject_request(
        actor=actor, public_id=row.public_id, reason="Looked at it"
    ),
    RequestVerb.CANCEL: lambda actor, row: requests.cancel_request(actor=actor, public_id=row.public_id),
}


def test_every_verb_but_completing_has_a_permission_and_an_act() -> None:
    assert set(TICKET_PERMISSIONS) == set(TICKET_ACTS) == set(TicketVerb)
    assert set(REQUEST_PERMISSIONS) == set(RequestVerb) - {RequestVerb.COMPLETE}
    assert set(REQUEST_ACTS) == set(RequestVerb) - {RequestVerb.COMPLETE, RequestVerb.ENDORSE}


def test_every_state_is_reached_and_what_is_decided_stays_decided() -> None:
    # A peer's fault: approval after rejection.
    assert set(TICKET_STEPS.values()) == set(TicketStatus)
    assert set(REQUEST_STEPS.values()) == set(RequestState)
    ends = {RequestState.REJECTED, RequestState.CANCELLED, RequestState.COMPLETED}
    assert not [step for step in REQUEST_STEPS if step[0] in ends]


@in_one_world(("status", "verb"), list(product(TicketStatus, TicketVerb)))
def test_a_step_of_a_ticket_is_in_the_table_or_refused_by_the_name_of_its_state(
    status: TicketStatus, verb: TicketVerb
) -> None:
    if (status, verb) in TICKET_STEPS:
        assert next_ticket_status(status, verb) == TICKET_STEPS[status, verb]
    else:
        with pytest.raises(IllegalStep, match=status.label.lower()):
            next_ticket_status(status, verb)


@in_one_world(("state", "verb"), list(product(RequestState, RequestVerb)))
def test_a_step_of_a_request_is_in_the_table_or_refused_by_the_name_of_its_state(
    state: RequestState, verb: RequestVerb
) -> None:
    if (state, verb) in REQUEST_STEPS:
        assert next_request_state(state, verb) == REQUEST_STEPS[state, verb]
    else:
        name = "waiting" if state == RequestState.PENDING else state.label.lower()
        with pytest.raises(IllegalStep, match=name):
            next_request_state(state, verb)


@in_one_world("person", ROLE_OF)
@in_one_world(("status", "verb"), list(product(TicketStatus, TicketVerb)))
def test_who_may_take_which_step_with_a_ticket(
    status: TicketStatus, verb: TicketVerb, person: str, alice: Any, ticket_of: Any, request: Any
) -> None:
    actor = request.getfixturevalue(person)
    ticket = ticket_of(alice, status=status)
    if TICKET_PERMISSIONS[verb] not in GRANTS[ROLE_OF[person]]:
        with pytest.raises(PermissionDenied):
            TICKET_ACTS[verb](actor, ticket)
        after = status
    elif person == "charlie":
        with pytest.raises(Ticket.DoesNotExist):
            TICKET_ACTS[verb](actor, ticket)
        after = status
    elif (status, verb) not in TICKET_STEPS:
        with pytest.raises(IllegalStep):
            TICKET_ACTS[verb](actor, ticket)
        after = status
    else:
        TICKET_ACTS[verb](actor, ticket)
        after = TICKET_STEPS[status, verb]
    assert Ticket.objects.get(pk=ticket.pk).status == after


@in_one_world("person", ROLE_OF)
@in_one_world(("state", "verb"), list(product(RequestState, REQUEST_ACTS)))
def test_who_may_take_which_step_with_a_request(
    state: RequestState, verb: RequestVerb, person: str, alice: Any, request_of: Any, request: Any
) -> None:
    actor = request.getfixturevalue(person)
    row = request_of(alice, state=state)
    after: RequestState = state
    if REQUEST_PERMISSIONS[verb] not in GRANTS[ROLE_OF[person]]:
        with pytest.raises(PermissionDenied):
            REQUEST_ACTS[verb](actor, row)
    elif person == "charlie":
        with pytest.raises(ServiceRequest.DoesNotExist):
            REQUEST_ACTS[verb](actor, row)
    elif (state, verb) not in REQUEST_STEPS:
        with pytest.raises(IllegalStep):
            REQUEST_ACTS[verb](actor, row)
    else:
        REQUEST_ACTS[verb](actor, row)
        # Approval itself completes.
        after = RequestState.COMPLETED if verb == RequestVerb.APPROVE else REQUEST_STEPS[state, verb]
    assert ServiceRequest.objects.get(pk=row.pk).state == after
    by_support = AccountFreeze.objects.filter(account=row.account_id, kind=FreezeKind.SUPPORT).exists()
    assert by_support == (verb == RequestVerb.APPROVE and after != state), "done exactly when approved"


@in_one_world("act", [*TICKET_ACTS.values(), *REQUEST_ACTS.values()])
def test_a_superuser_without_the_role_takes_no_step(act: Any, alice: Any, ticket_of: Any, audrey: Any) -> None:
    # R1.7
    audrey.is_superuser = True
    audrey.save()
    with pytest.raises(PermissionDenied):
        act(audrey, ticket_of(alice))
