"""Five failures in ten minutes by one e-mail from one address lock both together for ten minutes (R1.4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.test import Client

from accounts.models import RecoveryCode
from accounts.sign_in import guesses
from accounts.sign_in.axes import email_of
from accounts.sign_in.guesses import identity
from audit.models import AuditEntry
from foundation.models import RateWindow
from foundation.request_context import trusted_networks
from tests.acts import WRONG_PASSWORD, at_once, give_code, give_password, hashing, is_signed_in, wrong_code_for
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HERE, ELSEWHERE = "203.0.113.1", "198.51.100.2"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def fail(client: Client, email: str = "alice@example.com", times: int = 5, **extra: Any) -> Any:
    answer = None
    for _ in range(times):
        answer = give_password(client, email, WRONG_PASSWORD, **extra)
    return answer


def test_the_fifth_failure_locks_and_the_page_says_for_how_long(alice: Any, client: Client, clock: Any) -> None:
    # R1.4
    assert fail(client, times=4).status_code == 200
    answer = fail(client, times=1)
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    page = answer.content.decode()
    assert "Sign-in is paused" in page
    assert "10 minutes" in page
    clock.shift(timedelta(minutes=9, seconds=30))
    late = give_password(client, alice.email)
    assert (late.status_code, late["Retry-After"]) == (429, "30")
    assert "1 minute<" in late.content.decode()


def test_a_lockout_says_nothing_about_who_exists(alice: Any, clock: Any) -> None:
    # R1.2: an unknown address locks alike.
    pages = []
    for email in ("alice@example.com", "nobody@example.com"):
        answer = fail(Client(), email)
        pages.append((answer.status_code, answer["Retry-After"], answer.content.decode().replace(email, "")))
    assert pages[0] == pages[1]


def test_while_locked_not_even_the_right_password_is_looked_at(alice: Any, client: Client, clock: Any) -> None:
    # R1.4
    fail(client)
    with hashing() as runs:
        for _ in range(10):
            assert give_password(client, alice.email).status_code == 429
    assert runs == []
    assert not is_signed_in(client)


def test_it_ends_after_ten_minutes_and_trying_meanwhile_does_not_prolong_it(
    alice: Any, client: Client, clock: Any
) -> None:
    # R1.4: otherwise an attacker could keep a person out forever.
    fail(client)
    for _ in range(9):
        clock.shift(timedelta(minutes=1))
        assert give_password(client, alice.email).status_code == 429
    clock.shift(timedelta(seconds=61))
    assert give_password(client, alice.email)["Location"] == "/sign-in/code/"


def test_failures_older_than_ten_minutes_do_not_count(alice: Any, client: Client, clock: Any) -> None:
    # R1.4: five in ten minutes.
    fail(client, times=4)
    clock.shift(timedelta(minutes=10, seconds=1))
    assert fail(client, times=4).status_code == 200
    assert give_password(client, alice.email)["Location"] == "/sign-in/code/"


@proves("V6.1.1")
def test_another_address_and_another_person_are_not_locked(alice: Any, bob: Any, clock: Any) -> None:
    # R1.4: a stranger elsewhere must not lock a customer out, nor one customer another.
    fail(Client(), REMOTE_ADDR=HERE)
    assert give_password(Client(), alice.email, REMOTE_ADDR=HERE).status_code == 429
    assert give_password(Client(), alice.email, REMOTE_ADDR=ELSEWHERE)["Location"] == "/sign-in/code/"
    assert give_password(Client(), bob.email, REMOTE_ADDR=HERE)["Location"] == "/sign-in/code/"


def test_many_peoples_failures_from_one_place_lock_nobody_else(make_user: Any, bob: Any, clock: Any) -> None:
    # Issue shows 5: out of the box django-axes counts everybody under one name.
    for number in range(8):
        assert fail(Client(), f"user{number}@example.com", times=4).status_code == 200
    assert give_password(Client(), bob.email)["Location"] == "/sign-in/code/"


def test_a_network_of_version_6_is_one_place(alice: Any, bob: Any, clock: Any) -> None:
    # R1.4: one customer has a whole /64 of addresses to choose from.
    for number in range(5):
        answer = fail(Client(), times=1, REMOTE_ADDR=f"2001:db8:0:1::{number:x}")
    assert answer.status_code == 429
    assert give_password(Client(), alice.email, REMOTE_ADDR="2001:db8:0:2::1")["Location"] == "/sign-in/code/"


@in_one_world("spelling", ["Alice@Example.com", " alice@example.com ", "ALICE@EXAMPLE.COM"])
def test_two_spellings_of_an_address_share_one_counter(alice: Any, clock: Any, spelling: str) -> None:
    # R1.4
    fail(Client(), times=4)
    assert fail(Client(), spelling, times=1).status_code == 429


def test_a_forged_header_does_not_give_new_guesses(alice: Any, client: Client, clock: Any) -> None:
    # A peer's fault: rate limits that ignore the proxy, or believe everybody to be one.
    for number in range(5):
        answer = fail(client, times=1, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert answer.status_code == 429


@proves("V4.1.3")
def test_behind_the_proxy_each_visitor_has_a_counter(alice: Any, client: Client, clock: Any, settings: Any) -> None:
    # R1.4: and entries that the client writes left of the proxy's give no new one.
    settings.TRUSTED_PROXIES = trusted_networks(["127.0.0.1"])
    for number in range(5):
        answer = fail(client, times=1, HTTP_X_FORWARDED_FOR=f"1.2.3.{number}, {HERE}")
    assert answer.status_code == 429
    elsewhere = give_password(client, alice.email, HTTP_X_FORWARDED_FOR=ELSEWHERE)
    assert elsewhere["Location"] == "/sign-in/code/"


@proves("V6.3.1")
def test_wrong_codes_count_like_wrong_passwords(alice: Any, client: Client, code_of: Any, clock: Any) -> None:
    # R1.4: together, and axes records both.
    fail(client, times=2)
    give_password(client, alice.email)
    for _ in range(2):
        assert give_code(client, wrong_code_for(code_of(alice))).status_code == 200
        clock.shift(4)
    answer = give_code(client, wrong_code_for(code_of(alice)))
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert AccessAttempt.objects.get().failures_since_start == 5
    assert give_code(client, code_of(alice))["Location"] == "/sign-in/", "the password step is forgotten"
    assert give_password(client, alice.email).status_code == 429
    failures = AuditEntry.objects.filter(action="LOGIN_FAILURE")
    assert sorted(entry.details["step"] for entry in failures)[:5] == ["code", "code", "code", "password", "password"]


@proves("V6.1.1")
def test_a_code_sent_too_soon_after_a_wrong_one_is_not_a_guess(
    alice: Any, client: Client, code_of: Any, clock: Any
) -> None:
    # R1.4: it was not checked, so it is not counted; the person is told to wait.
    give_password(client, alice.email)
    give_code(client, wrong_code_for(code_of(alice)))
    for _ in range(10):
        answer = give_code(client, code_of(alice))
        assert "A short pause after a wrong code" in answer.content.decode()
    assert not is_signed_in(client)
    assert AccessAttempt.objects.get().failures_since_start == 1
    clock.shift(2)
    give_code(client, code_of(alice))
    assert is_signed_in(client)


def test_a_code_is_not_looked_at_once_locked(alice: Any, client: Client, code_of: Any, clock: Any) -> None:
    # R1.4: the lock came from another window, after the password was given here.
    give_password(client, alice.email)
    fail(Client())
    code = code_of(alice)
    assert give_code(client, code).status_code == 429
    assert not is_signed_in(client)
    clock.shift(timedelta(minutes=10, seconds=1))
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert is_signed_in(client)


@proves("V6.3.1")
def test_wrong_recovery_codes_count_too(alice: Any, client: Client, clock: Any) -> None:
    # R1.4
    give_password(client, alice.email)
    answers = [give_code(client, "ABCD-EFGH-JKMN").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]


@proves("V6.1.1")
def test_a_lockout_never_ends_a_running_session(alice: Any, browser_of: Any, clock: Any) -> None:
    # R1.4: or strangers could sign anyone out, from anywhere.
    browser = browser_of(alice)
    fail(Client())
    assert give_password(Client(), alice.email).status_code == 429
    assert is_signed_in(browser)
    clock.shift(timedelta(minutes=4))
    assert is_signed_in(browser)


@proves("V16.3.1")
def test_each_lockout_is_recorded_once(alice: Any, client: Client, clock: Any) -> None:
    # R6.1
    fail(client, times=8)
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1
    assert AuditEntry.objects.get(action="LOCKED_OUT").actor_label == "alice@example.com"
    failures = list(AuditEntry.objects.filter(action="LOGIN_FAILURE").order_by("id"))
    assert [entry.details["locked_out"] for entry in failures] == [False] * 4 + [True] * 4


def test_failures_spread_over_hours_do_not_add_up(alice: Any, client: Client, clock: Any) -> None:
    # R1.4: five in ten minutes, not five in a row.
    for _ in range(6):
        answer = fail(client, times=1)
        clock.shift(timedelta(minutes=9))
    assert answer.status_code == 200
    assert give_password(client, alice.email)["Location"] == "/sign-in/code/"


def test_the_limit_is_a_setting(alice: Any, client: Client, clock: Any, settings: Any) -> None:
    # R1.4
    settings.AXES_FAILURE_LIMIT = 2
    assert fail(client, times=1).status_code == 200
    assert fail(client, times=1).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_parallel_right_passwords_lock_nobody(alice: Any) -> None:
    # R1.4: a right one gives its place back.
    for _ in range(3):
        answers = at_once(*[lambda: give_password(Client(), alice.email).status_code] * 4)
        assert answers == [302] * 4
    assert guesses.seconds_locked(email=alice.email, ip="127.0.0.1") == 0
    assert [row.stamps for row in RateWindow.objects.all()] == [[], []], "of the person, and of the network"


@in_one_world(
    ("typed", "key"),
    [
        (" Alice@Example.COM", "alice@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("x" * 300, "x" * 255),
        ("", "-"),
        ("   ", "-"),
        (None, "-"),
        (5, "-"),
        (["alice@example.com"], "-"),
    ],
)
def test_the_key_of_an_address_is_one_and_fits_its_column(typed: Any, key: str) -> None:
    # R1.4
    assert identity(typed) == key


def test_axes_finds_the_address_under_either_name(rf: Any) -> None:
    # R1.4: forms pass username, programs email.
    assert email_of(None, {"username": "A@example.com"}) == "a@example.com"
    assert email_of(None, {"email": "A@example.com", "password": PASSWORD}) == "a@example.com"
    assert email_of(rf.post("/", {"email": "A@example.com"}), None) == "a@example.com"
    assert email_of(None, None) == "-"


def test_the_pause_after_wrong_codes_does_not_keep_a_recovery_code_waiting(
    alice: Any, client: Client, code_of: Any
) -> None:
    # R1.3: a person with only the password could otherwise block the owner's way back.
    RecoveryCode(user=alice, selector="ABCD", code_hash=make_password("EFGHJKMN")).save()
    give_password(client, alice.email)
    give_code(client, wrong_code_for(code_of(alice)))
    give_code(client, "ABCD-EFGH-JKMN")
    assert is_signed_in(client)


def test_a_failure_beside_a_sign_in_that_forgets_failures_does_no_harm(
    alice: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.4: its row was in the way when axes made one, and is gone when axes looks for it.
    tries: list[bool] = []
    record = AxesDatabaseHandler.user_login_failed

    def user_login_failed(self: Any, *args: Any, **kwargs: Any) -> None:
        tries.append(True)
        if len(tries) == 1:
            raise IntegrityError("duplicate key value")
        record(self, *args, **kwargs)

    monkeypatch.setattr(AxesDatabaseHandler, "user_login_failed", user_login_failed)
    assert fail(client, times=1).status_code == 200
    assert AccessAttempt.objects.get().failures_since_start == 1
    assert len(tries) == 2


def test_axes_records_from_where_and_by_what_page_but_nothing_that_was_typed(
    alice: Any, client: Client, api_of: Any
) -> None:
    # R1.4, R6.2
    given = {"REMOTE_ADDR": "198.51.100.7", "HTTP_USER_AGENT": "Browser 1", "HTTP_ACCEPT": "text/html"}
    give_password(client, alice.email, WRONG_PASSWORD, **given)
    api_of(None, **given).post("auth/login", {"email": alice.email, "password": WRONG_PASSWORD, "code": "123456"})
    [attempt] = AccessAttempt.objects.all()
    assert (attempt.username, attempt.ip_address, attempt.user_agent) == (alice.email, "198.51.100.7", "Browser 1")
    assert (attempt.path_info, attempt.http_accept) == ("/api/v1/auth/login", "text/html")
    assert attempt.failures_since_start == 2
    assert set(attempt.get_data + attempt.post_data) <= set("\n-")
