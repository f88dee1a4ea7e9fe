"""Alice's tickets and requests, and a way to have any of them in any state."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def ticket_of() -> Callable[..., Any]:
    """Open a ticket through the service: `ticket_of(alice)`; `status` is then set behind its back."""
    from support import tickets
    from support.models import Ticket

    def make(customer: Any, *, text: str = "Where is my card?", status: str = "open", **kwargs: Any) -> Any:
        kwargs.setdefault("subject", "A question")
        kwargs.setdefault("idempotency_key", secrets.token_hex(8))
        ticket = tickets.open_ticket(actor=customer, text=text, **kwargs)
        Ticket.objects.filter(pk=ticket.pk).update(status=status)
        return Ticket.objects.get(pk=ticket.pk)

    return make


@pytest.fixture
def request_of(open_account: Callable[..., Any]) -> Callable[..., Any]:
    """Return a request to freeze a new account of the customer, or of another kind; `state` is set behind its back."""
    from support.models import RequestKind, ServiceRequest
    from support.requests import services as requests

    def make(customer: Any, kind: str = "freeze_account", *, state: str = "pending", **kwargs: Any) -> Any:
        if kind in {"freeze_account", "close_account"} and "account" not in kwargs:
            kwargs["account"] = open_account(customer)
        request = requests.file_request(actor=customer, kind=RequestKind(kind), **kwargs)
        ServiceRequest.objects.filter(pk=request.pk).update(state=state)
        return ServiceRequest.objects.get(pk=request.pk)

    return make


@pytest.fixture
def sally(make_user: Callable[..., Any]) -> Any:
    """A second clerk."""
    from accounts.roles import Role

    return make_user("Sally", Role.SUPPORT)
