"""One person has MAX_SESSIONS at most, in browsers and programs together (R1.8, ASVS V7.1.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import SessionKind, UserSession
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import rows as user_sessions
from audit.models import AuditEntry
from foundation.locking import lock
from foundation.transactions import own_transaction
from tests.acts import give_code, give_password, is_signed_in, mails
from tests.asvs import proves
from tests.staff_acts import fresh_code

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 3, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _bound(settings: Any) -> None:
    assert settings.MAX_SESSIONS == 20
    settings.MAX_SESSIONS = 3


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


def in_a_browser(user: Any) -> Client:
    browser = Client()
    give_password(browser, user.email)
    give_code(browser, fresh_code(user))
    return browser


def still_open(user: Any) -> int:
    return UserSession.objects.filter(user=user, ended_at__isnull=True).count()


@proves("V7.1.2")
def test_one_more_sign_in_ends_the_session_that_was_unused_longest(
    alice: Any, bob: Any, api_of: Any, clock: Any
) -> None:
    bobs, first = in_a_browser(bob), in_a_browser(alice)
    clock.shift(20)
    program = api_of(alice)
    clock.shift(20)
    third = in_a_browser(alice)
    assert is_signed_in(first), "and so is no longer the one unused longest"
    clock.shift(70)
    assert [is_signed_in(one) for one in (first, third)] == [True, True]
    fourth = in_a_browser(alice)
    assert program.get("auth/session").status_code == 401
    assert [is_signed_in(one) for one in (first, third, fourth, bobs)] == [True] * 4
    [entry] = AuditEntry.objects.filter(action="SESSION_ENDED")
    assert (entry.actor_id, entry.details) == (alice.pk, {"sessions": 1, "why": "max_sessions"})
    told = {mail.subject for mail in mails(alice.email)}
    assert not {subject for subject in told if "session" in subject}, "a mail for each sign-in would fill a mailbox"


@proves("V7.1.2")
def test_a_program_takes_a_place_like_a_browser(alice: Any, api_of: Any, clock: Any) -> None:
    browser = in_a_browser(alice)
    programs = []
    for _ in range(3):
        clock.shift(1)
        programs.append(api_of(alice))
    assert not is_signed_in(browser)
    assert "Your session has ended" in browser.get("/sign-in/").content.decode()
    assert [one.get("auth/session").status_code for one in programs] == [200] * 3


def test_what_has_timed_out_takes_no_place(alice: Any, api_of: Any, clock: Any, settings: Any) -> None:
    api_of(alice)
    for _ in range(4):
        clock.shift(settings.SESSION_IDLE_SECONDS + settings.SESSION_NOTED_SECONDS + 1)
        in_a_browser(alice)
    assert UserSession.objects.get(user=alice, kind=SessionKind.API).ended_at is None
    assert not AuditEntry.objects.filter(action="SESSION_ENDED").exists()


def test_fewer_allowed_than_there_are_ends_them_at_the_next_sign_in(alice: Any, clock: Any, settings: Any) -> None:
    for _ in range(3):
        clock.shift(1)
        in_a_browser(alice)
    settings.MAX_SESSIONS = 1
    last = in_a_browser(alice)
    assert is_signed_in(last)
    assert still_open(alice) == 1
    assert AuditEntry.objects.get(action="SESSION_ENDED").details["sessions"] == 3


def test_the_profile_says_how_many(alice: Any) -> None:
    page = in_a_browser(alice).get("/profile/").content.decode()
    assert (
        "You can be signed in 3 times at once. After that, each sign-in ends the session you haven’t used for longest."
        in page
    )


def test_a_row_that_is_made_otherwise_counts_too(alice: Any) -> None:
    @own_transaction
    def begin() -> UserSession:
        lock(type(alice).objects).get(pk=alice.pk)
        return user_sessions.new_row(actor=alice, kind=SessionKind.API, origin=Origin())

    rows = [begin() for _ in range(5)]
    assert [row.pk for row in UserSession.objects.filter(ended_at__isnull=True).order_by("pk")] == [
        row.pk for row in rows[2:]
    ]
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=8))
    begin()
    assert AuditEntry.objects.filter(action="SESSION_ENDED").count() == 2
