"""A received transfer shows on the open dashboard without a reload, and asking keeps no session alive (R10.4)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import AccountStatus, UserSession
from tests import acts
from tests.browser import checks
from tests.staff_acts import set_status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def open_dashboard(alice: Any, open_account: Callable[..., Any], signed_in: Callable[..., Page]) -> Any:
    account = open_account(alice, "100.00", nickname="Household")
    page = signed_in(alice)
    page.clock.install(time=timezone.now())
    page.goto(reverse("dashboard"))
    return page, account


def let_it_ask(page: Page) -> None:
    """Move the page's clock until it has asked once more and has had its answer."""
    with page.expect_response(lambda answer: "/live/" in answer.url) as waiting:
        for _ in range(20):
            page.clock.run_for(2_500)
            page.wait_for_timeout(20)  # real time, for what answers need to arrive
    if waiting.value.status != HTTPStatus.NOT_MODIFIED:  # of which Playwright never says that it is finished
        waiting.value.finished()


def test_a_received_transfer_appears(
    open_dashboard: Any, bob: Any, open_account: Callable[..., Any], new_key: Callable[[], str]
) -> None:
    page, account = open_dashboard
    page.get_by_role("main").get_by_role("link", name="Send money").focus()
    let_it_ask(page)
    acts.transfer(
        actor=bob,
        source=open_account(bob, "50.00"),
        target=account,
        amount=Decimal("20.00"),
        idempotency_key=new_key(),
        description="For the <b>cake</b>",
    )
    let_it_ask(page)
    expect(page.get_by_role("main")).to_contain_text("€120.00")
    expect(page.get_by_role("status").first).to_have_text("Transfer from Bob Brandt: +€20.00")
    expect(page.get_by_role("article", name="Household").get_by_role("listitem").first).to_contain_text("cake")
    expect(page.get_by_role("main").get_by_role("link", name="Send money")).to_be_focused()
    assert checks.axe(page) == []


def test_while_nothing_has_changed_the_answer_is_empty(open_dashboard: Any) -> None:
    page, _ = open_dashboard
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if "/live/" in answer.url else None)
    let_it_ask(page)
    let_it_ask(page)
    assert set(statuses) == {HTTPStatus.NOT_MODIFIED}
    expect(page.get_by_role("main")).to_contain_text("€100.00")


def test_a_freeze_shows_without_telling_of_a_movement(open_dashboard: Any) -> None:
    page, account = open_dashboard
    set_status(account, AccountStatus.FROZEN)
    let_it_ask(page)
    expect(page.get_by_role("main")).to_contain_text("Frozen")
    expect(page.get_by_role("status").first).to_have_text("")


def test_asking_keeps_no_session_alive_and_stops_when_it_is_over(open_dashboard: Any, alice: Any) -> None:
    page, _ = open_dashboard
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    seen = UserSession.objects.get().last_seen_at
    let_it_ask(page)
    assert UserSession.objects.get().last_seen_at == seen
    UserSession.objects.filter(user=alice).update(ended_at=timezone.now())
    let_it_ask(page)
    page.wait_for_timeout(300)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    for _ in range(10):
        page.clock.run_for(2_500)
        page.wait_for_timeout(20)
    assert asked == []
