"""The clock of one session under many requests at once (R1.6)."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import UserSession
from accounts.sign_in.sessions import rows as user_sessions
from tests.acts import at_once, copy_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_twelve_pages_at_once_one_moves_the_clock_and_a_draft_that_comes_between_stays(
    alice: Any, open_account: Any, browser_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, account, other = browser_of(alice), open_account(alice, "100.00"), open_account(alice)
    form = {"source": str(account.public_id), "number": other.number, "amount": "1.00", "description": ""}
    moved, execute = [], user_sessions._noting.execute

    def watch(*values: Any) -> int:
        moved.append(execute(*values))
        return moved[-1]

    monkeypatch.setattr(user_sessions._noting, "execute", watch)
    for _ in range(5):
        moved.clear()
        seen = timezone.now() - timedelta(seconds=16)
        UserSession.objects.update(last_seen_at=seen)
        tabs = [copy_of(browser) for _ in range(12)]
        looks = [partial(tab.get, "/history/") for tab in tabs[1:]]
        answers: list[Any] = at_once(partial(tabs[0].post, "/transfer/send/", form), *looks)
        assert [answer.status_code for answer in answers] == [302] + [200] * 11
        assert browser.get(answers[0]["Location"]).status_code == 200, "the draft is there"
        assert sum(moved) == 1, moved
        assert UserSession.objects.get().last_seen_at > seen + timedelta(seconds=15)


def test_a_session_that_is_ended_among_requests_stays_ended(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=16))
    row = UserSession.objects.get()
    tabs = [copy_of(browser) for _ in range(6)]
    at_once(
        lambda: user_sessions.mark_one_ended(row.public_id),
        *[lambda tab=tab: tab.get("/profile/") for tab in tabs],
    )
    assert UserSession.objects.get().ended_at is not None
    assert [tab.get("/profile/").status_code for tab in (browser, *tabs)] == [302] * 7
