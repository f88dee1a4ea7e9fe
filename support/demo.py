"""What the demo's customers say to the bank: something for staff to answer and to decide (R4, R9.2)."""

from accounts.models import User
from support.kinds import RequestKind
from support.models import ServiceRequest, Ticket
from support.services import requests, tickets
from support.states import TicketStatus


def talk() -> None:
    """Two conversations and two requests, through the services; safe to run again."""
    alice, bob, zoe, sam = (User.objects.get(email=f"{name}@example.com") for name in ("alice", "bob", "zoe", "sam"))
    answered = _ticket(
        alice, "Statements for the tax office", "Do you also send statements on paper, with a stamp?", "seed-ticket-1"
    )
    if answered.status == TicketStatus.OPEN:
        text = "We do not, but the tax office takes our PDF statements: you find them on the page of each account."
        tickets.answer_ticket(actor=sam, public_id=answered.public_id, text=text)
        tickets.note_on_ticket(actor=sam, public_id=answered.public_id, text="Third one this week: add it to the help?")
    _ticket(zoe, "A transfer that I do not know", "Van rental, yesterday? I think Bob paid me twice.", "seed-ticket-2")
    _request(bob, RequestKind.RAISE_DAILY_LIMIT, {"amount": "40000"}, "We are buying a house on Friday.")
    identity = {"first_name": "Zoë", "last_name": "O’Brien-Murphy", "address": "7 Quay Street\nGalway"}
    _request(zoe, RequestKind.UPDATE_IDENTITY, identity, "I have married.")


def _ticket(customer: User, subject: str, text: str, key: str) -> Ticket:
    return tickets.open_ticket(actor=customer, subject=subject, text=text, idempotency_key=key)


def _request(customer: User, kind: RequestKind, payload: dict[str, str], reason: str) -> None:
    if not ServiceRequest.objects.filter(customer=customer, kind=kind).exists():
        requests.file_request(actor=customer, kind=kind, payload=payload, reason=reason)
