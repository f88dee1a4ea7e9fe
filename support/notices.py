"""The mails of this app. Importing it registers their writers (`support.apps`).

A mail says that something happened and where to read it, never what was written: mail is read on screens that
others look at. What staff note among themselves causes none.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from accounts.outbox import Mail, writes_mails_of
from support.models import LostFactorLink, ServiceRequest, Ticket
from support.requests.kinds import kind_of
from support.states import TicketStatus


@writes_mails_of("ticket_opened")
def ticket_opened(ticket_id: int) -> Iterable[Mail]:
    return [_about_ticket(ticket_id, "ticket_opened")]


@writes_mails_of("ticket_replied")
def ticket_replied(ticket_id: int, status: str) -> Iterable[Mail]:
    """To the customer who wrote: somebody else in their place would be noticed."""
    return [_about_ticket(ticket_id, "ticket_replied")]


@writes_mails_of("ticket_answered")
def ticket_answered(ticket_id: int, status: str) -> Iterable[Mail]:
    return [_about_ticket(ticket_id, "ticket_answered")]


@writes_mails_of("ticket_status")
def ticket_status(ticket_id: int, status: str) -> Iterable[Mail]:
    """With the state of that moment, whatever it is by the time the mail is written."""
    return [_about_ticket(ticket_id, "ticket_status", status_label=TicketStatus(status).label.lower())]


def _about_ticket(ticket_id: int, template: str, **more: Any) -> Mail:
    ticket = Ticket.objects.select_related("customer").get(pk=ticket_id)
    context = {"first_name": ticket.customer.first_name, "public_id": ticket.public_id}
    return Mail(ticket.customer.email, template, context | more)


@writes_mails_of("request_filed")
def request_filed(request_id: int) -> Iterable[Mail]:
    return [_about_request(request_id, "request_filed")]


@writes_mails_of("request_cancelled")
def request_cancelled(request_id: int) -> Iterable[Mail]:
    return [_about_request(request_id, "request_cancelled")]


@writes_mails_of("request_endorsed")
def request_endorsed(request_id: int) -> Iterable[Mail]:
    return [_about_request(request_id, "request_endorsed")]


@writes_mails_of("request_completed")
def request_completed(request_id: int) -> Iterable[Mail]:
    return [_about_request(request_id, "request_completed")]


@writes_mails_of("request_rejected")
def request_rejected(request_id: int) -> Iterable[Mail]:
    return [_about_request(request_id, "request_rejected")]


def _about_request(request_id: int, template: str) -> Mail:
    request = ServiceRequest.objects.select_related("customer", "account").get(pk=request_id)
    context = {
        "first_name": request.customer.first_name,
        "public_id": request.public_id,
        "kind_label": request.kind_label,
        "own_number": request.account.masked_number if request.account is not None else "",
        # Of whoever cannot sign in: the page would ask for the very code that is gone.
        "has_page": kind_of(request).on_the_page,
        "decision_reason": "" if kind_of(request).on_the_page else request.decision_reason,
    }
    return Mail(request.customer.email, template, context)


@writes_mails_of("lost_factor_link")
def lost_factor_link(link_id: int, token: str) -> Iterable[Mail]:
    link = LostFactorLink.objects.select_related("user").filter(pk=link_id).first()
    if link is None:  # a newer one was asked for, or this one expired, before the mail was written
        return []
    context = {
        "first_name": link.user.first_name,
        "token": token,
        "minutes": settings.PASSWORD_RESET_LINK_MINUTES,
    }
    return [Mail(link.user.email, "lost_factor_link", context)]
