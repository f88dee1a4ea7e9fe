"""The sessions one has open, and ending them (R1.8)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import selectors
from accounts.models import RecoveryCode, User, UserSession
from accounts.sign_in import two_factor
from accounts.sign_in.devices import device_label
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import ending
from accounts.sign_in.sessions import rows as user_sessions
from accounts.sign_in.sessions.engine import SessionStore
from audit.models import AuditEntry
from tests.acts import copy_of, give_code, give_password, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.staff_acts import fresh_code
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

OTHERS = "/profile/sessions/end-others/"
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sign_in(code_of: Any, clock: Any) -> Any:
    """Sign in the way people do; each time half a minute later, since a code works once."""

    def go(user: Any, agent: str = FIREFOX, **extra: Any) -> Client:
        clock.shift(31)
        client = Client(headers={"User-Agent": agent}, **extra)
        give_password(client, user.email)
        give_code(client, code_of(user))
        assert is_signed_in(client)
        return client

    return go


def rows_of(user: Any) -> list[UserSession]:
    return list(UserSession.objects.filter(user=user, ended_at__isnull=True).order_by("id"))


@proves("V7.5.2")
def test_the_profile_lists_open_sessions_with_device_and_address(alice: Any, sign_in: Any) -> None:
    # R1.8
    sign_in(alice, IPHONE, REMOTE_ADDR="198.51.100.7")
    here = sign_in(alice)
    answer = here.get("/profile/")
    shown = [(one.device, one.ip, one.is_present) for one in answer.context["sessions"]]
    assert shown == [("Firefox on Linux", "127.0.0.1", True), ("Safari on iOS", "198.51.100.7", False)]
    page = answer.content.decode()
    assert "Safari on iOS" in page
    assert page.count("/end/") == 1, "one does not end the session one looks from"


def test_an_ended_session_is_signed_out_at_its_next_request(alice: Any, sign_in: Any) -> None:
    # R1.8
    there, here = sign_in(alice), sign_in(alice)
    row = rows_of(alice)[0]
    end = f"/profile/sessions/{row.public_id}/end/"
    assert "Sign out Firefox on Linux?" in here.get(end).content.decode()
    assert here.post(end, {"code": fresh_code(alice)})["Location"] == "/profile/"
    assert "That session is signed out." in here.get("/profile/").content.decode()
    key = there.session.session_key or ""
    assert SessionStore().exists(key)
    answer = there.get("/dashboard/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/dashboard/")
    assert "Your session has ended" in there.get("/sign-in/").content.decode()
    assert not SessionStore().exists(key)
    assert is_signed_in(here)
    entry = AuditEntry.objects.get(action="SESSION_ENDED")
    assert (entry.actor_id, entry.details) == (alice.pk, {"sessions": 1})
    assert not AuditEntry.objects.filter(action="SESSION_EXPIRED").exists()
    assert mails(alice.email)[-1].subject == "A session of yours was ended"


def test_a_form_sent_from_an_ended_session_does_nothing(alice: Any, sign_in: Any) -> None:
    # R1.8
    there = sign_in(alice)
    user_sessions.mark_one_ended(rows_of(alice)[0].public_id)
    mallorys = {"phone": "+49 30 1", "address": "Mallory's", "code": fresh_code(alice)}
    assert there.post("/profile/details/", mallorys)["Location"] == "/sign-in/"
    assert User.objects.get(pk=alice.pk).address == alice.address


@proves("V7.5.2")
def test_all_others_are_ended_at_once(alice: Any, bob: Any, sign_in: Any) -> None:
    # R1.8
    others, here, bobs = [sign_in(alice), sign_in(alice)], sign_in(alice), sign_in(bob)
    here.post(OTHERS, {"code": fresh_code(alice)})
    assert not any(is_signed_in(other) for other in others)
    assert is_signed_in(here)
    assert is_signed_in(bobs)
    assert AuditEntry.objects.get(action="SESSION_ENDED").details == {"sessions": 2}
    assert "2 sessions of yours were signed out" in mails(alice.email)[-1].message
    here.post(OTHERS, {"code": fresh_code(alice)})
    assert "There was no other session." in here.get("/profile/").content.decode()
    assert AuditEntry.objects.filter(action="SESSION_ENDED").count() == 1


@proves("V7.2.4")
def test_a_copy_of_the_present_cookie_is_signed_out_with_them(alice: Any, sign_in: Any) -> None:
    # R1.8: a person who presses that button thinks that an intruder is in.
    here = sign_in(alice)
    thief, row = copy_of(here), rows_of(alice)[0]
    assert is_signed_in(thief)
    here.post(OTHERS, {"code": fresh_code(alice)})
    assert thief.get("/profile/")["Location"] == "/sign-in/?next=/profile/"
    assert is_signed_in(here)
    assert rows_of(alice) == [row]


@proves("V7.5.2")
@in_one_world("who", ["charlie", "sam", "ada"])
def test_nobody_ends_a_session_of_somebody_else(who: str, request: Any, alice: Any, browser_of: Any) -> None:
    # R1.7: another person's is answered like one that does not exist.
    person = request.getfixturevalue(who)
    hers, stranger = browser_of(alice), browser_of(person)
    for public_id in (rows_of(alice)[0].public_id, uuid4()):
        for code in ("", "123456", fresh_code(person)):
            assert stranger.post(f"/profile/sessions/{public_id}/end/", {"code": code}).status_code == 404
        assert stranger.get(f"/profile/sessions/{public_id}/end/").status_code == 404
    stranger.post(OTHERS, {"code": fresh_code(person)})
    assert is_signed_in(hers)
    assert not AuditEntry.objects.filter(action="SESSION_ENDED").exists()


def test_only_a_form_ends_a_session(alice: Any, browser_of: Any) -> None:
    # A peer's fault: a state change by GET.
    there, here = browser_of(alice), browser_of(alice)
    code = {"code": fresh_code(alice)}
    assert here.get(f"/profile/sessions/{rows_of(alice)[0].public_id}/end/", code).status_code == 200
    assert here.get(OTHERS, code).status_code == 200
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = here.cookies
    assert strict.post(OTHERS, code).status_code == 403
    assert is_signed_in(there)


@proves("V7.5.2")
@pytest.mark.parametrize("code", ["", "wrong"])
@pytest.mark.parametrize("which", ["one", "others"])
def test_a_stolen_session_signs_nobody_out(
    alice: Any, sign_in: Any, code_of: Any, clock: Any, code: str, which: str
) -> None:
    # C5, R1.8: a thief without a code could sign the owner out.
    owner, thief = sign_in(alice), sign_in(alice)
    clock.shift(31)
    given = wrong_code_for(code_of(alice)) if code else ""
    path = OTHERS if which == "others" else f"/profile/sessions/{rows_of(alice)[0].public_id}/end/"
    answer = thief.post(path, {"code": given})
    assert answer.status_code == 200
    assert answer.context["form"].errors["code"]
    assert is_signed_in(owner)
    assert len(rows_of(alice)) == 2
    assert not AuditEntry.objects.filter(action="SESSION_ENDED").exists()
    assert AuditEntry.objects.filter(action="CODE_REFUSED").count() == bool(code)


@proves("V7.5.2")
def test_a_recovery_code_ends_sessions_too(alice: Any, sign_in: Any) -> None:
    # The phone may be what was stolen.
    there, here = sign_in(alice), sign_in(alice)
    rows, codes = two_factor.new_recovery_codes(alice)
    RecoveryCode.objects.bulk_create(rows)
    assert here.post(f"/profile/sessions/{rows_of(alice)[0].public_id}/end/", {"code": codes[0]}).status_code == 302
    assert not is_signed_in(there)
    there = sign_in(alice)
    here.post(OTHERS, {"code": codes[1]})
    assert not is_signed_in(there)
    assert is_signed_in(here)


def test_a_session_that_ends_while_the_code_is_typed_is_not_found(
    alice: Any, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = sign_in(alice), sign_in(alice)
    row = rows_of(alice)[0]
    original = ending.verify_fresh_code

    def verify(**given: Any) -> None:
        original(**given)
        there.post("/sign-out/")

    monkeypatch.setattr(ending, "verify_fresh_code", verify)
    answer = here.post(f"/profile/sessions/{row.public_id}/end/", {"code": fresh_code(alice)})
    assert answer.status_code == 404
    assert not AuditEntry.objects.filter(action="SESSION_ENDED").exists()


def test_the_session_one_looks_from_is_signed_out_in_the_header(alice: Any, sign_in: Any) -> None:
    here = sign_in(alice)
    path = f"/profile/sessions/{rows_of(alice)[0].public_id}/end/"
    assert here.get(path)["Location"] == here.post(path)["Location"] == "/profile/"
    assert is_signed_in(here)


@proves("V6.3.1")
def test_wrong_codes_here_are_counted_with_those_at_sign_in(alice: Any, sign_in: Any, code_of: Any, clock: Any) -> None:
    here = sign_in(alice)
    wrong = wrong_code_for(code_of(alice))
    for _ in range(5):
        assert here.post(OTHERS, {"code": wrong}).status_code == 200
        clock.shift(3)
    assert here.post(OTHERS, {"code": wrong}).status_code == 429
    assert is_signed_in(here)


def test_signing_out_and_timing_out_close_the_row(alice: Any, sign_in: Any, clock: Any) -> None:
    # R1.8, R1.6
    out, idle = sign_in(alice), sign_in(alice)
    out.post("/sign-out/")
    assert len(rows_of(alice)) == 1
    clock.shift(316)
    assert not is_signed_in(idle)
    assert rows_of(alice) == []


def test_a_session_nobody_came_back_to_is_not_listed(alice: Any, sign_in: Any, clock: Any, settings: Any) -> None:
    # R1.8: its row is open, since no request reported its end.
    sign_in(alice)
    clock.shift(settings.SESSION_IDLE_SECONDS + settings.SESSION_NOTED_SECONDS + 1)
    here = sign_in(alice)
    assert len(here.get("/profile/").context["sessions"]) == 1
    present, code = rows_of(alice)[-1].public_id, fresh_code(alice)
    assert ending.end_others(actor=alice, present=present, code=code, origin=Origin()) == 0


def test_a_new_password_closes_the_rows_of_all_others(alice: Any, sign_in: Any) -> None:
    # R1.8
    from tests.plugin import PASSWORD

    sign_in(alice)
    here, new = sign_in(alice), "a sentence that only Alice thinks of"
    here.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert is_signed_in(here), "also under its new session key"
    assert [one.is_present for one in here.get("/profile/").context["sessions"]] == [True]


def test_last_use_is_noted_once_in_fifteen_seconds(alice: Any, sign_in: Any, clock: Any) -> None:
    # R1.6, R1.8: not a write for each page.
    browser = sign_in(alice)
    began = rows_of(alice)[0].last_seen_at
    for seconds in (14, 0.9):
        clock.shift(seconds)
        browser.get("/profile/")
        assert rows_of(alice)[0].last_seen_at == began
    clock.shift(0.1)
    browser.get("/profile/")
    assert rows_of(alice)[0].last_seen_at == began + timedelta(seconds=15)


@proves("V7.3.1")
def test_of_requests_at_once_one_notes_it_and_none_sets_it_back(alice: Any, sign_in: Any, clock: Any) -> None:
    # R1.6: they all read the row before one of them wrote it; the last to write is not the last that came.
    sign_in(alice)
    read, now = rows_of(alice)[0], rows_of(alice)[0].last_seen_at + timedelta(seconds=40)
    for later in (20, 0, -20, 14.9):
        user_sessions.note_seen(read, now=now + timedelta(seconds=later))
        assert rows_of(alice)[0].last_seen_at == now + timedelta(seconds=20)


def test_a_clock_that_was_set_back_lets_no_session_idle_for_longer(alice: Any, sign_in: Any, clock: Any) -> None:
    # R1.6: later use is noted by the new clock, and so is its absence.
    browser = sign_in(alice)
    clock.shift(-3600)
    assert is_signed_in(browser)
    assert rows_of(alice)[0].last_seen_at == timezone.now()
    clock.shift(301 + 15)
    assert not is_signed_in(browser)


@proves("V7.3.1")
@pytest.mark.parametrize("waited", [0, 16])
def test_what_another_request_keeps_in_the_session_meanwhile_stays(
    alice: Any, sign_in: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, waited: int
) -> None:
    # R1.6: moving the clock writes nothing that the session holds; a slow page does not endanger a draft.
    browser = sign_in(alice)
    other = copy_of(browser)
    clock.shift(waited)
    recent_sign_ins = selectors.recent_sign_ins

    def be_slow(user: Any) -> Any:
        session = other.session
        session["draft"] = "of the other tab"
        session.save()
        return recent_sign_ins(user)

    monkeypatch.setattr(selectors, "recent_sign_ins", be_slow)
    assert browser.get("/profile/").status_code == 200
    assert browser.session["draft"] == "of the other tab"


@in_one_world("value", [None, "7c9e6679-7425-40de-944b-e07fc1f90ae7"])
def test_a_session_without_its_row_is_refused(alice: Any, browser_of: Any, value: str | None) -> None:
    # R1.8: fail closed.
    browser = browser_of(alice)
    session = browser.session
    session["user_session"] = value
    session.save()
    assert not is_signed_in(browser)


@proves("V7.2.1")
def test_the_row_of_somebody_else_opens_nothing(alice: Any, bob: Any, browser_of: Any) -> None:
    # R1.8
    browser, _ = browser_of(alice), browser_of(bob)
    session = browser.session
    session["user_session"] = str(rows_of(bob)[0].public_id)
    session.save()
    assert not is_signed_in(browser)


def test_rows_that_ended_long_ago_are_swept(alice: Any, sign_in: Any, clock: Any) -> None:
    sign_in(alice)
    clock.shift(timedelta(days=31))
    sign_in(alice)
    assert UserSession.objects.count() == 1
    assert str(UserSession.objects.get()).startswith("alice@example.com since 2026-12-04")


def test_recent_sign_ins_and_failed_tries_are_shown(alice: Any, bob: Any, sign_in: Any, code_of: Any) -> None:
    # R1.8
    elsewhere = Client(REMOTE_ADDR="203.0.113.5")
    give_password(elsewhere, alice.email, "wrong")
    give_password(elsewhere, alice.email)
    give_code(elsewhere, wrong_code_for(code_of(alice)))
    give_password(Client(), bob.email, "wrong")
    give_password(Client(), "nobody@example.com", "wrong")
    browser = sign_in(alice)
    shown = [(one.ip, one.succeeded) for one in browser.get("/profile/").context["sign_ins"]]
    assert shown[0] == ("127.0.0.1", True)
    assert sorted(shown[1:]) == [("203.0.113.5", False)] * 2
    for _ in range(12):
        sign_in(alice)
    assert len(selectors.recent_sign_ins(alice)) == 10


def test_the_list_costs_two_queries_however_long_it_is(alice: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        selectors.recent_sign_ins(alice)
    with django_assert_num_queries(1):
        selectors.open_sessions(alice, present=None)


@in_one_world(
    ("agent", "label"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iOS"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
         "Safari/537.36", "Chrome on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
         "Safari/605.1.15", "Safari on macOS"),
        ("curl/8.0", "curl"),
        ("(X11; Linux x86_64)", "A browser on Linux"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("x" * 100_000, "Unknown device"),
    ],
)  # fmt: skip
def test_devices_have_names_in_plain_words(agent: str, label: str) -> None:
    # R1.8
    assert device_label(agent) == label


@in_one_world("agent", ["x" * 5000, "Zoë\u200b", ""])
def test_any_user_agent_can_sign_in(agent: str, alice: Any, sign_in: Any) -> None:
    # R1.8: it is text that a stranger chose.
    browser = sign_in(alice, agent.encode().decode("latin-1"))
    assert len(rows_of(alice)[0].user_agent) <= 200
    assert browser.get("/profile/").status_code == 200
