"""Above the bank's ceiling no daily limit is asked for and none is given, whoever approves (R3.9, R4.2)."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEntry
from support.models import ServiceRequest
from support.requests import services as requests
from tests.asvs import proves
from transfers import history
from transfers.orders.own_limits import AboveCeiling

pytestmark = pytest.mark.django_db


def ask_for(browser: Client, amount: str) -> Any:
    return browser.post("/help/requests/new/?kind=raise_daily_limit", {"amount": amount, "reason": "A house"})


def test_above_the_ceiling_nothing_is_filed_and_the_field_says_so(alice: Any, browser_of: Any) -> None:
    answer = ask_for(browser_of(alice), "250000.01")
    assert answer.status_code == 200
    assert answer.context["form"].errors["amount"] == ["No daily limit goes above €250,000.00."]
    assert not AuditEntry.objects.filter(action="REQUEST_CREATED").exists()
    assert ask_for(browser_of(alice), "250000").status_code == 302


@proves("V2.3.2")
def test_what_was_asked_for_before_the_ceiling_came_down_is_not_done(
    alice: Any, sam: Any, browser_of: Any, settings: Any
) -> None:
    ask_for(browser_of(alice), "40000")
    settings.DAILY_LIMIT_CEILING = Decimal(30_000)
    filed = ServiceRequest.objects.get()
    with pytest.raises(AboveCeiling, match="€30,000"):
        requests.approve_request(actor=sam, public_id=filed.public_id, reason="Seen the papers")
    assert history.daily_use(alice).limit == Decimal(25_000)
    filed.refresh_from_db()
    assert filed.state == "pending"
