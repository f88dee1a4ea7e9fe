"""Codes: strangers learn nothing by them and keep nobody out, and all networks together get nowhere (R1.2 to R1.4)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import RecoveryCode, TotpDevice, User
from accounts.sign_in import guesses
from tests.acts import give_code, give_password, is_signed_in, wrong_code_for
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HERE = "203.0.113.9"
PIN = "805913"
MOST = 50
# Where a full count is only the beginning of a test.
FEW = 8


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.API_PIN_LOGIN = True
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Allow this many codes an hour, instead of fifty."""
    monkeypatch.setattr(guesses, "_CODES_FROM_ANYWHERE", replace(guesses._CODES_FROM_ANYWHERE, times=FEW))
    return FEW


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def alice(alice: Any) -> Any:
    User.objects.filter(pk=alice.pk).update(pin_hash=make_password(PIN))
    alice.refresh_from_db()
    return alice


def right_code(user: Any) -> str:
    totp = TotpDevice.objects.get(user=user).totp()
    totp.time = timezone.now().timestamp()
    return f"{totp.token():06d}"


def by_api(api_of: Any, email: str, code: str, ip: str = HERE, **secret: str) -> Any:
    secret = secret or {"pin": PIN}
    return api_of(None, REMOTE_ADDR=ip).post("auth/login", {"email": email, "code": code} | secret)


def wrong_ones(api_of: Any, user: Any, times: int, **secret: str) -> list[Any]:
    """Give wrong codes, four from each network, so that no lockout stops them."""
    return [
        by_api(api_of, user.email, wrong_code_for(right_code(user)), f"10.{number // 4}.{len(secret)}.1", **secret)
        for number in range(times)
    ]


def from_a_browser(user: Any, browser: Client | None = None) -> Client:
    """Return a person with password and code, in a new browser if none is given."""
    browser = browser or Client(REMOTE_ADDR=HERE)
    give_password(browser, user.email)
    give_code(browser, right_code(user))
    return browser


def test_known_and_unknown_addresses_are_answered_alike_however_often(alice: Any, api_of: Any, clock: Any) -> None:
    # R1.2
    answers = []
    for number, email in enumerate((alice.email, "nobody@example.com")):
        answers.append([told(by_api(api_of, email, "111111", f"198.51.100.{number}")) for _ in range(7)])
    assert answers[0] == answers[1]
    assert answers[0] == [(401, "sign_in_refused")] * 4 + [(429, "locked_out")] * 3


def test_also_once_the_wide_count_is_full(alice: Any, api_of: Any, clock: Any, few: int) -> None:
    # R1.2: it is counted as a wrong one of that network, and not told.
    wrong_ones(api_of, alice, few)
    answers = [told(by_api(api_of, alice.email, right_code(alice), "198.51.100.1")) for _ in range(5)]
    assert answers == [(401, "sign_in_refused")] * 4 + [(429, "locked_out")]


def test_a_password_that_is_right_shows_in_no_count_either(alice: Any, api_of: Any, clock: Any) -> None:
    # R1.2: a wrong code after a right password counts each time, as a wrong password does.
    answers = []
    for number, password in enumerate((PASSWORD, "not the password at all")):
        ip = f"198.51.100.{number}"
        answers.append([told(by_api(api_of, alice.email, "111111", ip, password=password)) for _ in range(6)])
    assert answers[0] == answers[1]


@in_one_world("secret", [{"pin": PIN}, {"password": PASSWORD}])
def test_strangers_never_keep_her_right_code_from_being_looked_at(
    alice: Any, api_of: Any, clock: Any, secret: dict[str, str]
) -> None:
    # R1.4: from a new browser, in the same second as their guesses.
    for number in range(20):
        for network in range(2):
            ip = f"10.{number % 10}.{network}.1"
            by_api(api_of, alice.email, wrong_code_for(right_code(alice)), ip, **secret)
        assert is_signed_in(from_a_browser(alice))
        clock.shift(timedelta(seconds=61))


@proves("V6.1.1")
def test_who_fills_one_door_closes_no_other(alice: Any, api_of: Any, clock: Any, few: int) -> None:
    # R1.4: strangers, and those who also have her password; she uses a browser of hers.
    browser = from_a_browser(alice)
    browser.post("/sign-out/")
    wrong_ones(api_of, alice, few)
    clock.shift(timedelta(seconds=31))
    assert is_signed_in(from_a_browser(alice)), "with the password, from a new browser"
    answers = wrong_ones(api_of, alice, few, password=PASSWORD)
    assert {told(answer) for answer in answers} == {(401, "sign_in_refused")}
    clock.shift(timedelta(seconds=31))
    fresh = Client(REMOTE_ADDR=HERE)
    give_password(fresh, alice.email)
    refused = give_code(fresh, right_code(alice))
    assert (refused.status_code, int(refused["Retry-After"]) > 600) == (429, True)
    assert is_signed_in(from_a_browser(alice, browser)), "where she has signed in before"


def test_a_recovery_code_opens_every_door(alice: Any, api_of: Any, clock: Any, few: int) -> None:
    # R1.3
    RecoveryCode(user=alice, selector="ABCD", code_hash=make_password("EFGHJKMN")).save()
    wrong_ones(api_of, alice, few, password=PASSWORD)
    browser = Client(REMOTE_ADDR=HERE)
    give_password(browser, alice.email)
    give_code(browser, "ABCD-EFGH-JKMN")
    assert is_signed_in(browser)


@proves("V6.3.1")
def test_all_networks_together_get_fifty_an_hour_looked_at(
    alice: Any, api_of: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.4: 1,200 a day, of which one is right with a chance of 0.36 %.
    looked_at: list[str] = []

    def verify(self: TotpDevice, token: str) -> bool:
        looked_at.append(token)
        return False

    monkeypatch.setattr(TotpDevice, "verify_token", verify)
    for secret in ({}, {"password": PASSWORD}):
        looked_at.clear()
        wrong_ones(api_of, alice, MOST + 6, **secret)
        assert len(looked_at) == MOST
    clock.shift(timedelta(hours=1, seconds=1))
    wrong_ones(api_of, alice, 4, password=PASSWORD)
    assert len(looked_at) == MOST + 4


def test_right_codes_do_not_add_up(alice: Any, api_of: Any, clock: Any, few: int) -> None:
    for _ in range(few + 5):
        TotpDevice.objects.update(last_step=-1)
        assert by_api(api_of, alice.email, right_code(alice)).status_code == 200


@proves("V6.3.1")
def test_a_stolen_session_gets_no_more(alice: Any, browser_of: Any, clock: Any, few: int) -> None:
    # R1.8: by changing networks; the count is of sessions, and closes no way in.
    thief = browser_of(alice)
    statuses = [
        thief.post(
            "/profile/recovery-codes/", {"code": wrong_code_for(right_code(alice))}, REMOTE_ADDR=f"10.{number}.0.1"
        ).status_code
        for number in range(few + 5)
    ]
    assert statuses == [200] * few + [429] * 5
    assert is_signed_in(from_a_browser(alice))


def test_staff_unlock_what_is_closed_everywhere(alice: Any, api_of: Any, clock: Any, few: int) -> None:
    # R1.4
    wrong_ones(api_of, alice, few, password=PASSWORD)
    clock.shift(timedelta(minutes=11))
    assert people.locks_of(alice) == ["guesses"]
    guesses.forgive_everywhere(email=alice.email)
    assert people.locks_of(alice) == []
    assert by_api(api_of, alice.email, right_code(alice), password=PASSWORD).status_code == 200


@proves("V6.1.1")
def test_the_pause_after_a_wrong_code_is_of_her_network_alone(alice: Any, clock: Any) -> None:
    there, here = Client(REMOTE_ADDR="198.51.100.1"), Client(REMOTE_ADDR=HERE)
    for browser in (there, here):
        give_password(browser, alice.email)
    give_code(there, wrong_code_for(right_code(alice)))
    assert "A short pause" in give_code(there, right_code(alice)).content.decode()
    give_code(here, right_code(alice))
    assert is_signed_in(here)
