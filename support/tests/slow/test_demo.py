"""The demo bank gives its staff something to answer and to decide (R4, R9.2)."""

from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import AccountFreeze, User
from accounts.selectors import name_that_waits
from support.management.commands.seed_demo import talk
from support.models import ServiceRequest, Ticket, TicketMessage
from support.states import RequestState, TicketStatus

pytestmark = pytest.mark.django_db(transaction=True)


def test_customers_have_written_and_asked(settings: Any) -> None:
    settings.DEMO = True
    call_command("seed_demo", verbosity=0)
    assert sorted(Ticket.objects.values_list("customer__email", "status")) == [
        ("alice@example.com", TicketStatus.IN_PROGRESS),
        ("zoe@example.com", TicketStatus.OPEN),
    ]
    assert TicketMessage.objects.filter(is_internal=True).count() == 1
    assert ServiceRequest.objects.filter(state=RequestState.PENDING).count() == 3
    assert [freeze.kind for freeze in AccountFreeze.objects.order_by("pk")] == ["customer", "administrator"]
    zoe = User.objects.get(email="zoe@example.com")
    waiting = name_that_waits(zoe)
    assert waiting is not None
    assert (zoe.get_full_name(), waiting.name) == ("Zoë O’Brien", "Zoë O’Brien-Murphy")
    talk()
    assert (Ticket.objects.count(), ServiceRequest.objects.count(), TicketMessage.objects.count()) == (2, 3, 4)
