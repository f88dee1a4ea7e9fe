"""The mails of this app: which event is told to whom (`support.apps` registers them; `foundation.outbox` says how a
line is read).

A mail says that something happened and where to read it, never what was written: others may see the screen. Internal
notes of staff cause no mail.
"""

from collections.abc import Iterable
from typing import Any

from accounts.notices import about_user, link_minutes
from foundation.outbox import Audience, Notice, Payload, Rows, Told
from support.models import LostFactorLink, ServiceRequest, Ticket
from support.requests.kinds import kind_of
from support.states import TicketStatus


def _customer(ticket: Ticket, payload: Payload) -> Iterable[Told]:
    """Tell the customer also about their own reply: they would notice if another person wrote in their name."""
    email, about = about_user(ticket.customer)
    return [(email, about | {"public_id": ticket.public_id})]


def _who_asked(request: ServiceRequest, payload: Payload) -> Iterable[Told]:
    email, about = about_user(request.customer)
    asked = {
        "public_id": request.public_id,
        "kind_label": request.kind_label,
        "own_number": request.account.masked_number if request.account is not None else "",
        # For people who cannot sign in: the page would ask for the code that they have lost.
        "has_page": kind_of(request).on_the_page,
        "unless_approved": kind_of(request).unless_approved,
        "decision_reason": "" if kind_of(request).on_the_page else request.decision_reason,
    }
    return [(email, about | asked)]


_CUSTOMER = Audience(_customer, Rows("ticket_id", Ticket.objects.select_related("customer")))
_WHO_ASKED = Audience(_who_asked, Rows("request_id", ServiceRequest.objects.select_related("customer", "account")))
_WHO_LOST_THE_PHONE = Audience(
    lambda link, payload: [about_user(link.user)],
    Rows("link_id", LostFactorLink.objects.select_related("user"), may_be_gone=True),
)


def _status_of_that_moment(row: Any, payload: Payload) -> dict[str, Any]:
    """Return the status of that moment, whatever it is when the mail is written."""
    return {"status_label": TicketStatus(payload["status"]).label.lower()}


MAILS = [
    Notice("ticket_opened", _CUSTOMER),
    Notice("ticket_replied", _CUSTOMER),
    Notice("ticket_answered", _CUSTOMER),
    Notice("ticket_status", _CUSTOMER, _status_of_that_moment),
    Notice("request_filed", _WHO_ASKED),
    Notice("request_cancelled", _WHO_ASKED),
    Notice("request_endorsed", _WHO_ASKED),
    Notice("request_completed", _WHO_ASKED),
    Notice("request_rejected", _WHO_ASKED),
    Notice("lost_factor_link", _WHO_LOST_THE_PHONE, link_minutes),
]
