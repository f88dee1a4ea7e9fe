"""Conversations between customers and staff: internal notes stay internal, mails repeat nothing (R4.1)."""

from typing import Any

import pytest

from audit.models import AuditEntry
from support import tickets
from tests.acts import at_once


@pytest.mark.django_db(transaction=True)
def test_if_two_clerks_take_a_ticket_at_the_same_moment_one_is_told(
    alice: Any, sam: Any, sally: Any, ticket_of: Any
) -> None:
    # Issue 4, shows 2.
    ticket = ticket_of(alice)
    results = at_once(
        *(lambda clerk=clerk: tickets.take_ticket(actor=clerk, public_id=ticket.public_id) for clerk in (sam, sally))
    )
    assert sorted(type(result).__name__ for result in results) == ["IllegalStep", "NoneType"]
    assert AuditEntry.objects.filter(action="TICKET_UPDATED").count() == 1
