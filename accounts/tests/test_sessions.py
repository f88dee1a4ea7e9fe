"""Sessions end on the server: after five idle minutes, after eight hours, at sign-out, with a lock (R1.6)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.models import TotpDevice, User, UserSession
from accounts.sign_in.sessions.engine import SessionStore
from audit.models import AuditEntry
from tests.acts import give_code, give_password, is_signed_in
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 3, 8, tzinfo=UTC)
# The five minutes, and for how long later use is not noted.
OVER = 301 + 15


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(alice: Any, code_of: Any, clock: Any) -> Client:
    """Alice's browser, signed in the way people are."""
    client = Client()
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert is_signed_in(client)
    return client


@proves("V7.3.1")
def test_five_idle_minutes_end_it_and_activity_renews_it(browser: Client, clock: Any) -> None:
    # R1.6
    for _ in range(3):
        clock.shift(299)
        assert is_signed_in(browser)
    clock.shift(OVER)
    assert not is_signed_in(browser)


@proves("V7.3.1")
@in_one_world("came_after", [0, 0.9, 1, 7, 14, 14.9, 15, 15.1, 200])
def test_it_never_ends_before_five_minutes_without_a_request_are_over(
    browser: Client, clock: Any, came_after: float
) -> None:
    # R1.6: whenever within the fifteen seconds the use was, and whether it was noted or not.
    clock.shift(came_after)
    assert is_signed_in(browser)
    clock.shift(300)
    assert is_signed_in(browser)


@proves("V7.3.1")
def test_nor_does_it_go_on_for_longer_than_is_not_noted(browser: Client, clock: Any) -> None:
    # R1.6
    clock.shift(14)
    assert is_signed_in(browser)
    clock.shift(OVER - 14)
    assert not is_signed_in(browser)


def test_with_the_clock_noted_at_each_second_it_ends_to_the_second(browser: Client, clock: Any, settings: Any) -> None:
    # R1.6
    settings.SESSION_NOTED_SECONDS = 1
    for _ in range(3):
        clock.shift(301)
        assert is_signed_in(browser)
    clock.shift(302)
    assert not is_signed_in(browser)


def test_the_person_is_told_why_and_can_go_on_where_they_were(browser: Client, clock: Any) -> None:
    # R1.6
    clock.shift(OVER)
    answer = browser.get("/dashboard/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/dashboard/")
    page = browser.get(answer["Location"]).content.decode()
    assert "Your session has ended. Please sign in again." in page
    assert "Your session has ended" not in browser.get("/sign-in/").content.decode(), "told once"
    assert AuditEntry.objects.filter(action="SESSION_EXPIRED", actor_label="alice@example.com").count() == 1


def test_a_form_sent_too_late_moves_nothing_and_is_not_repeated(browser: Client, clock: Any) -> None:
    # R1.6: only a page can be returned to.
    clock.shift(OVER)
    answer = browser.post("/accounts/open/", {"kind": "checking"})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")


@in_one_world(
    ("referer", "next_page"),
    [
        ("http://testserver/accounts/open/?a=1", "?next=/accounts/open/%3Fa%3D1"),
        ("http://elsewhere.example/accounts/open/", ""),
        ("//elsewhere.example/", ""),
        ("http://testserver@elsewhere.example/", ""),
        ("javascript:alert(1)", ""),
        ("/accounts/open/", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_after_a_form_sent_too_late_one_is_led_back_to_its_page(
    browser: Client, clock: Any, referer: str, next_page: str
) -> None:
    # R1.6: so that the typed text can be put back. Only to one of our pages.
    clock.shift(OVER)
    answer = browser.post("/session/extend/", headers={"Referer": referer})
    assert answer["Location"] == f"/sign-in/{next_page}"


@proves("V7.3.2")
def test_eight_hours_end_it_however_busy_one_is(browser: Client, clock: Any, settings: Any) -> None:
    # R1.6: a longer idle time keeps this test short.
    settings.SESSION_IDLE_SECONDS = 3600
    for _ in range(8):
        clock.shift(timedelta(hours=1, seconds=-1))
        assert is_signed_in(browser)
    clock.shift(8)
    assert is_signed_in(browser)
    clock.shift(1)
    assert not is_signed_in(browser)


@proves("V7.3.1")
def test_the_session_is_gone_from_the_server(browser: Client, clock: Any) -> None:
    # R1.6: the cookie's age is a courtesy; a client that keeps it gets nothing.
    key = browser.session.session_key or ""
    assert SessionStore().exists(key)
    clock.shift(OVER)
    is_signed_in(browser)
    assert not SessionStore().exists(key)
    clock.move_to(MORNING)
    thief = Client()
    thief.cookies["sessionid"] = key
    assert not is_signed_in(thief)


@proves("V7.4.1")
def test_signing_out_ends_the_session_on_the_server(browser: Client, alice: Any) -> None:
    # R1.6
    key = browser.session.session_key or ""
    answer = browser.post("/sign-out/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not SessionStore().exists(key)
    thief = Client()
    thief.cookies["sessionid"] = key
    assert not is_signed_in(thief)
    assert AuditEntry.objects.get(action="LOGOUT").actor_id == alice.pk


def _sign_out(browser: Client, clock: Any) -> Any:
    return browser.post("/sign-out/")


def _expire(browser: Client, clock: Any) -> Any:
    clock.shift(OVER)
    return browser.get("/dashboard/")


def _expire_on_an_open_page(browser: Client, clock: Any) -> Any:
    clock.shift(OVER)
    return browser.get("/session/")


def _expire_with_a_form(browser: Client, clock: Any) -> Any:
    clock.shift(OVER)
    return browser.post("/payees/")


def _be_ended_elsewhere(browser: Client, clock: Any) -> Any:
    UserSession.objects.update(ended_at=MORNING)
    return browser.get("/dashboard/")


@proves("V14.3.1")
@in_one_world("end", [_sign_out, _expire, _expire_on_an_open_page, _expire_with_a_form, _be_ended_elsewhere])
def test_however_a_session_ends_the_browser_forgets_its_pages(browser: Client, clock: Any, end: Any) -> None:
    assert "Clear-Site-Data" not in browser.get("/dashboard/")
    # Not "storage" or "cookies": the chosen scheme and the known device stay.
    assert end(browser, clock)["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in browser.get("/sign-in/"), "once"


@proves("V7.4.1")
@in_one_world("method", ["get", "head", "put"])
def test_only_a_form_signs_out(browser: Client, method: str) -> None:
    # R1.6, a peer's fault: a state change by GET. A picture on another site must not sign anyone out.
    assert getattr(browser, method)("/sign-out/").status_code == 405
    assert is_signed_in(browser)


def test_signing_out_without_being_signed_in_is_harmless(client: Client) -> None:
    # R1.6
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert not AuditEntry.objects.exists()


@proves("V7.2.1")
def test_a_session_that_our_sign_in_did_not_begin_is_refused(alice: Any) -> None:
    # R1.6: fail closed.
    client = Client()
    client.force_login(alice, backend="accounts.sign_in.axes.CountedPasswordBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = TotpDevice.objects.get(user=alice).persistent_id
    session.save()
    assert not is_signed_in(client)


@in_one_world("missing", ["auth_at", "user_session"])
def test_both_clocks_must_run(browser: Client, missing: str) -> None:
    # R1.6: the time of the idle minutes is in the row.
    session = browser.session
    del session[missing]
    session.save()
    assert not is_signed_in(browser)


@proves("V6.3.3")
def test_the_password_alone_opens_no_page(make_user: Any, browser_of: Any) -> None:
    # R1.3: a session without a verified device.
    browser = browser_of(make_user("Dora", two_factor=False))
    for path in ("/dashboard/", "/password/", "/accounts/open/", "/admin/"):
        answer = browser.get(path)
        assert answer.status_code == 302
        assert "/sign-in/" in answer["Location"] or "/admin/login/" in answer["Location"]
    assert browser.get("/sign-in/").status_code == 200


@proves("V7.2.1")
def test_the_device_of_another_user_verifies_nobody(alice: Any, bob: Any, browser_of: Any) -> None:
    # R1.3
    browser = browser_of(alice)
    session = browser.session
    session[DEVICE_ID_SESSION_KEY] = TotpDevice.objects.get(user=bob).persistent_id
    session.save()
    assert not is_signed_in(browser)


@proves("V7.4.2", "V7.4.5")
@in_one_world("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_a_lock_ends_every_running_session_at_once(browser: Client, alice: Any, state: dict[str, Any]) -> None:
    # R1.5, a peer's fault: a locked user's old token still working.
    User.objects.filter(pk=alice.pk).update(**state)
    assert not is_signed_in(browser)
    assert browser.post("/accounts/open/", {"kind": "checking"})["Location"] == "/sign-in/"


def test_a_session_that_a_lock_ended_is_not_recorded_as_expired(browser: Client, alice: Any, clock: Any) -> None:
    # R6.1: the lock ended it; no session is recorded as run out.
    User.objects.filter(pk=alice.pk).update(locked_at=timezone.now())
    clock.shift(OVER)
    assert not is_signed_in(browser)
    assert not AuditEntry.objects.filter(action="SESSION_EXPIRED").exists()


def test_a_deleted_device_ends_the_session(browser: Client, alice: Any) -> None:
    # R1.3
    TotpDevice.objects.filter(user=alice).delete()
    assert not is_signed_in(browser)


def left(browser: Client) -> int:
    return browser.get("/session/").json()["seconds_left"]


@proves("V7.3.2")
def test_requests_that_the_page_makes_by_itself_are_not_activity(browser: Client, alice: Any, clock: Any) -> None:
    # R1.6: an open page without a person must not keep its session alive.
    seen = UserSession.objects.get().last_seen_at
    assert left(browser) == 301
    for expected in (202, 103, 4):
        clock.shift(99)
        assert left(browser) == expected
    clock.shift(4)
    assert browser.get("/session/").json() == {"seconds_left": 0, "spare_seconds": 15, "can_extend": True}
    clock.shift(14)
    assert browser.get("/session/").json() == {"seconds_left": 0, "spare_seconds": 1, "can_extend": True}
    assert UserSession.objects.get().last_seen_at == seen
    clock.shift(1)
    assert browser.get("/session/").json() == {"seconds_left": 0, "spare_seconds": 0, "can_extend": False}
    assert not is_signed_in(browser)


def test_one_click_begins_the_five_minutes_again(browser: Client, clock: Any) -> None:
    # R1.6
    clock.shift(290)
    answer = browser.post("/session/extend/").json()
    assert answer == {"seconds_left": 301, "spare_seconds": 15, "can_extend": True}
    clock.shift(299)
    assert is_signed_in(browser)


def test_who_extends_can_still_send_the_form(browser: Client) -> None:
    # R1.6, R8.2: the cookie against forged requests lives an hour only.
    assert browser.post("/session/extend/").cookies["csrftoken"]["max-age"] == 3600


def test_extending_a_session_that_is_over_leads_to_signing_in(browser: Client, clock: Any) -> None:
    # R1.6
    clock.shift(OVER)
    assert browser.post("/session/extend/")["Location"] == "/sign-in/"


def test_polling_and_extending_cannot_outlive_the_absolute_end(browser: Client, clock: Any, settings: Any) -> None:
    # R1.6: eight hours, of which forty minutes are simulated here.
    settings.SESSION_ABSOLUTE_SECONDS = 40 * 60
    can_extend = []
    for _ in range(40 * 60 // 240):
        clock.shift(240)
        assert left(browser) > 0
        can_extend.append(browser.post("/session/extend/").json()["can_extend"])
    assert can_extend == [True] * 8 + [False, False], "in the last five minutes nothing puts the end off"
    assert left(browser) == 1
    clock.shift(1)
    assert left(browser) == 0
    assert not is_signed_in(browser)


def test_a_page_knows_how_long_it_has(browser: Client, clock: Any) -> None:
    # R1.6: near the eight hours that is less than five minutes.
    assert 'data-seconds-left="300"' in browser.get("/dashboard/").content.decode()
    clock.shift(14)
    assert 'data-seconds-left="300"' in browser.get("/dashboard/").content.decode(), "from now, though not noted"
    session = browser.session
    session["auth_at"] -= 8 * 3600 - 114
    session.save()
    assert 'data-seconds-left="101"' in browser.get("/dashboard/").content.decode()


@in_one_world("path", ["/session/", "/sign-in/", "/nowhere/"])
def test_nobody_is_asked_who_is_not_signed_in(client: Client, path: str) -> None:
    # R1.6, R1.3: with only a password there is no session to keep either.
    answer = client.get(path)
    assert b"session-dialog" not in answer.content
    assert b"kept-typing-key" not in answer.content
    if path == "/session/":
        assert answer.json()["seconds_left"] == 0


@in_one_world(("method", "path"), [("post", "/session/"), ("get", "/session/extend/")])
def test_asking_is_a_get_and_extending_a_post(browser: Client, method: str, path: str) -> None:
    assert getattr(browser, method)(path).status_code == 405


@proves("V14.3.3")
def test_what_is_typed_is_sealed_for_each_person_alone(alice: Any, bob: Any, browser_of: Any) -> None:
    # R1.6: the next person to sign in in this browser has another key.
    keys = {
        re.findall(r'data-kept-typing-key="([^"]{44})"', browser_of(user).get("/dashboard/").content.decode())[0]
        for user in (alice, bob)
    }
    assert len(keys) == 2


def test_the_timeouts_are_settings(browser: Client, clock: Any, settings: Any) -> None:
    # R1.6
    settings.SESSION_IDLE_SECONDS, settings.SESSION_NOTED_SECONDS = 60, 10
    clock.shift(70)
    assert browser.get("/session/").json()["spare_seconds"] == 1
    clock.shift(1)
    assert not is_signed_in(browser)
