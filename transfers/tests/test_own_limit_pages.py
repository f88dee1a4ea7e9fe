"""A customer lowers their own daily limit at once; only the bank raises it, below its ceiling (R3.9, R4.2)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from audit.models import AuditEntry
from tests import acts
from tests.acts import mails
from tests.api_client import told
from tests.asvs import proves
from tests.tables import in_one_world
from transfers import history
from transfers.orders import own_limits, sending
from transfers.orders.limits import DailyLimitReached
from transfers.orders.own_limits import AboveCeiling, NotLower, lower_daily_limit

pytestmark = pytest.mark.django_db

PAGE = "/daily-limit/"


@pytest.fixture
def pay(alice: Any, bob: Any, open_account: Callable, new_key: Callable[[], str]) -> Callable[[str], Any]:
    """Alice pays Bob, whom she knows: no code is asked for."""
    source, target = open_account(alice, "1000.00"), open_account(bob)
    acts.know(alice, target)
    return lambda amount: sending.transfer(
        actor=alice, source=source, target=target, amount=Decimal(amount), idempotency_key=new_key()
    )


def limit_of(user: Any) -> Decimal:
    return history.daily_use(user).limit


def test_it_is_lowered_at_once_audited_and_told(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    answer = browser.post(PAGE, {"amount": "500"}, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "Your daily limit is €500.00 from now on." in answer.content.decode()
    assert limit_of(alice) == Decimal(500)
    entry = AuditEntry.objects.get(action="DAILY_LIMIT_LOWERED")
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(alice.public_id))
    assert {name: Decimal(value) for name, value in entry.details.items()} == {"before": 25_000, "after": 500}
    [mail] = mails(alice.email)
    assert mail.subject == "Your daily limit is now €500.00"


def test_the_page_shows_what_is_left_and_the_way_to_more(alice: Any, browser_of: Any, pay: Callable) -> None:
    pay("100.00")
    page = browser_of(alice).get(PAGE).content.decode()
    assert "€24,900.00" in page
    assert 'href="/help/requests/new/?kind=raise_daily_limit"' in page
    assert 'href="/daily-limit/"' not in page.partition("<main")[2].partition("</main")[0]


@in_one_world("path", ["/dashboard/", "/profile/", "/transfer/send/"])
def test_the_page_is_reached_from_where_the_limit_is_thought_of(
    alice: Any, browser_of: Any, pay: Any, path: str
) -> None:
    assert 'href="/daily-limit/"' in browser_of(alice).get(path).content.decode()


@proves("V2.3.2")
def test_lower_than_todays_use_lets_nothing_more_out_today(alice: Any, pay: Callable) -> None:
    pay("100.00")
    lower_daily_limit(actor=alice, amount=Decimal(50))
    assert (limit_of(alice), history.daily_use(alice).remaining) == (Decimal(50), Decimal(0))
    with pytest.raises(DailyLimitReached):
        pay("0.01")


def test_nothing_at_all_goes_out_with_a_limit_of_nothing(alice: Any, browser_of: Any, pay: Callable) -> None:
    browser = browser_of(alice)
    assert browser.post(PAGE, {"amount": "0"}).status_code == 302
    with pytest.raises(DailyLimitReached):
        pay("0.01")
    page = browser.get(PAGE).content.decode()
    assert "<progress" not in page, "0 of 0 is no part of anything"
    assert 'name="amount"' not in page


@in_one_world(
    ("amount", "message"),
    [
        ("25000", "Your daily limit is €25,000.00 already. Write a lower one."),
        ("25000.01", "Write a lower one."),
        ("", "Enter an amount."),
        *((text, "") for text in ("-1", "1e2", "NaN", "0.001", "ten", "9" * 24, "１０", "1' OR 1=1")),
    ],
)
def test_a_higher_limit_or_a_wrong_amount_is_refused_at_its_field(
    alice: Any, browser_of: Any, amount: str, message: str
) -> None:
    answer = browser_of(alice).post(PAGE, {"amount": amount})
    assert answer.status_code == 200
    assert message in " ".join(answer.context["form"].errors["amount"])
    assert limit_of(alice) == Decimal(25_000)
    assert not AuditEntry.objects.filter(action="DAILY_LIMIT_LOWERED").exists()


def test_the_service_itself_refuses(alice: Any, sam: Any) -> None:
    for amount in ("25000.00", "30000"):
        with pytest.raises(NotLower):
            lower_daily_limit(actor=alice, amount=Decimal(amount))
    for amount in ("-0.01", "0.001"):
        with pytest.raises(ValueError, match=r".+"):
            lower_daily_limit(actor=alice, amount=Decimal(amount))
    alice.locked_at = timezone.now()
    for actor in (alice, sam):
        with pytest.raises(PermissionDenied):
            lower_daily_limit(actor=actor, amount=Decimal(1))


def test_staff_have_no_limit_and_a_stranger_lowers_only_his_own(
    alice: Any, charlie: Any, sam: Any, audrey: Any, ada: Any, browser_of: Any
) -> None:
    for clerk in (sam, audrey, ada):
        browser = browser_of(clerk)
        assert [browser.get(PAGE).status_code, browser.post(PAGE, {"amount": "1"}).status_code] == [403, 403]
        assert 'href="/daily-limit/"' not in browser.get("/profile/").content.decode()
    fields = {"amount": "1", "user": alice.pk, "actor": alice.pk, "customer": str(alice.public_id)}
    assert browser_of(charlie).post(PAGE, fields).status_code == 302
    assert (limit_of(charlie), limit_of(alice)) == (Decimal(1), Decimal(25_000))
    assert Client().get(PAGE)["Location"].startswith("/sign-in/")


def test_the_ceiling_is_on_the_ceiling(settings: Any) -> None:
    own_limits.require_below_ceiling(settings.DAILY_LIMIT_CEILING)
    with pytest.raises(AboveCeiling):
        own_limits.require_below_ceiling(settings.DAILY_LIMIT_CEILING + Decimal("0.01"))


def test_a_stolen_session_cannot_bury_a_warning_under_mails(alice: Any, bob: Any, browser_of: Any, api_of: Any) -> None:
    # R1.8: ten an hour, by page and API together.
    browser, api = browser_of(alice), api_of(alice)
    for number in range(9):
        assert browser.post(PAGE, {"amount": str(500 - number)}).status_code == 302
    assert api.put("daily-limit", {"amount": "400.00"}).status_code == 200
    refused = browser.post(PAGE, {"amount": "300"})
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)
    assert told(api.put("daily-limit", {"amount": "300.00"})) == (429, "too_often")
    assert limit_of(alice) == Decimal(400)
    assert len([mail for mail in mails(alice.email) if "daily limit" in mail.subject]) == 10
    lower_daily_limit(actor=bob, amount=Decimal(1))
