"""Floods of strangers fill neither disk, mail queue nor audit log without bound (issue 20).

Hundreds of requests each, with low bounds; the rows that they left are counted. docs/operations.md has the bounds.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import EmailChange, PasswordReset, Registration
from accounts.people import registration
from accounts.sign_in import signing_in
from accounts.sign_in.passwords import reset
from audit.models import AuditEntry
from bankproject.operations.housekeeping import clean_up
from foundation.models import OutboxMessage, RateWindow
from tests.acts import WRONG_PASSWORD, give_password, mails, register
from tests.asvs import proves

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
MANY = 300


@pytest.fixture(autouse=True)
def _noon(db: None) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def sizes() -> dict[str, int]:
    """Return the number of rows in each table that has any."""
    counts = {model._meta.label: model._base_manager.count() for model in apps.get_models()}
    return {label: count for label, count in counts.items() if count}


class Growth:
    """The rows that came since it was made, by table."""

    def __init__(self) -> None:
        self._before = sizes()

    def of(self) -> dict[str, int]:
        now = sizes()
        return {
            label: now.get(label, 0) - self._before.get(label, 0)
            for label in now | self._before
            if now.get(label, 0) != self._before.get(label, 0)
        }


# --- Signing in -----------------------------------------------------------------------------------------------------


@proves("V16.3.1", "V15.2.2")
def test_a_flood_at_sign_in_from_one_network_leaves_what_its_limits_let_through(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GUESSES_PER_NETWORK = 12
    monkeypatch.setattr(signing_in._UNSEEN, "each", 7)
    growth, client = Growth(), Client()
    for number in range(MANY):
        give_password(client, f"somebody{number}@example.com", WRONG_PASSWORD, HTTP_USER_AGENT=f"agent {number}")
    assert growth.of() == {
        "audit.AuditEntry": 12 + 1 + 7,  # checked, the network's lockout, unseen
        "axes.AccessAttempt": 12,
        "foundation.RateWindow": 12 + 1,  # of each address, of the network
    }
    failures = AuditEntry.objects.filter(action="LOGIN_FAILURE").order_by("id")
    assert len(failures) == 12 + 7
    assert [place for place, one in enumerate(failures) if "further" in one.details] == [18]
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1


@proves("V15.2.2")
def test_a_flood_at_one_address_leaves_what_the_lockout_lets_through(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_in._UNSEEN, "each", 7)
    client = Client()
    for number in range(MANY):
        give_password(client, alice.email, WRONG_PASSWORD, HTTP_USER_AGENT=f"agent {number}")
    assert AuditEntry.objects.filter(action="LOGIN_FAILURE").count() == 5 + 7
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1
    assert AccessAttempt.objects.count() == 5
    assert len(mails(alice.email)) == 1


@proves("V15.2.2")
def test_a_flood_at_sign_in_from_everywhere_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in._CHECKED, "in_all", 40)
    client = Client()
    for number in range(MANY):
        give_password(client, f"s{number}@example.com", WRONG_PASSWORD, REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
    failures = AuditEntry.objects.filter(action="LOGIN_FAILURE").order_by("id")
    assert len(failures) == 40
    assert [place for place, one in enumerate(failures) if "further" in one.details] == [39]


@proves("V15.2.2")
def test_a_flood_at_the_apis_sign_in_leaves_what_its_minute_lets_through(api_of: Any, settings: Any) -> None:
    settings.API_LOGINS_PER_MINUTE = 4
    growth = Growth()
    for number in range(MANY):
        who = {"email": f"somebody{number}@example.com", "password": WRONG_PASSWORD, "code": "123456"}
        api_of(None).post("auth/login", who)
    assert growth.of() == {"audit.AuditEntry": 4, "axes.AccessAttempt": 4, "foundation.RateWindow": 4 + 1 + 1}


@proves("V15.2.2")
def test_visitors_who_only_look_and_made_up_cookies_leave_no_row() -> None:
    growth = Growth()
    for number in range(MANY // 5):
        for path in ("/", "/sign-in/", "/register/", "/password/forgot/", "/password/reset/x/"):
            Client(headers={"cookie": f"sessionid={number:032d}"}).get(path)
    assert growth.of() == {}


def test_what_axes_and_the_limiter_keep_goes_with_its_time(alice: Any) -> None:
    for number in range(20):
        give_password(Client(), f"somebody{number}@example.com", WRONG_PASSWORD)
    AccessLog.objects.create(username=alice.email, attempt_time=NOON)
    with time_machine.travel(NOON + timedelta(days=31)):
        clean_up()
    assert (AccessAttempt.objects.count(), AccessLog.objects.count(), RateWindow.objects.count()) == (0, 0, 0)


# --- Registering and resetting --------------------------------------------------------------------------------------


@proves("V15.2.2")
def test_a_flood_of_registrations_from_one_network(settings: Any) -> None:
    settings.REGISTRATIONS_PER_HOUR = 5
    growth = Growth()
    for number in range(MANY):
        register(Client(), email=f"somebody{number}@example.com")
    assert growth.of() == {
        "accounts.Registration": 5,
        "audit.AuditEntry": 5,
        "foundation.OutboxMessage": 5,
        "foundation.RateWindow": 1 + 2 * 5,  # of the network; of each address, in an hour and in a day
        "sessions.Session": 5,
    }
    with time_machine.travel(NOON + timedelta(days=2, hours=1)):
        clean_up()
    assert (Registration.objects.count(), Session.objects.count(), RateWindow.objects.count()) == (0, 0, 0)


@proves("V15.2.2")
def test_a_flood_of_registrations_from_everywhere_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration._REGISTRATIONS, "each", 10)
    for number in range(40):
        client = Client(REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
        answer = register(client, email=f"somebody{number}@example.com")
        assert (answer.status_code, b"Too many" in answer.content) == ((302, False) if number < 10 else (200, True))
    rows = (Registration, OutboxMessage, Session)
    assert [model._default_manager.count() for model in rows] == [10, 10, 10]


@proves("V15.2.2")
def test_a_flood_of_resets_from_one_network_and_from_everywhere(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_RESETS_PER_HOUR = 5
    growth = Growth()
    for number in range(MANY):
        Client().post("/password/forgot/", {"email": f"somebody{number}@example.com"})
    assert growth.of() == {
        "audit.AuditEntry": 5, "foundation.OutboxMessage": 5, "foundation.RateWindow": 11, "sessions.Session": 5,
    }  # fmt: skip
    monkeypatch.setattr(reset._RESETS, "each", 10)
    for number in range(MANY):
        client = Client(REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
        client.post("/password/forgot/", {"email": f"other{number}@example.com"})
    assert (OutboxMessage.objects.count(), Session.objects.count()) == (10, 10)
    assert AuditEntry.objects.filter(action="PASSWORD_RESET_REQUESTED").count() == 10


@proves("V15.2.2")
def test_a_victim_gets_twenty_mails_a_day_whoever_asks_from_wherever(alice: Any) -> None:
    for hour in range(24):
        with time_machine.travel(NOON + timedelta(hours=hour, minutes=5)):
            for number in range(10):
                client = Client(REMOTE_ADDR=f"2001:db8:{hour:x}:{number:x}::1")
                client.post("/password/forgot/", {"email": alice.email.upper()})
                register(client, email=alice.email)
    assert OutboxMessage.objects.count() == 20
    with time_machine.travel(NOON + timedelta(days=1, hours=2)):
        assert len(mails(alice.email)) <= 20
        Client().post("/password/forgot/", {"email": alice.email})
    assert OutboxMessage.objects.count() == 21, "another day"


def test_expired_links_go_without_another_of_their_kind(alice: Any) -> None:
    PasswordReset(user=alice).issue(lasts=timedelta(minutes=1))
    EmailChange(user=alice, email="new@example.com").issue(lasts=timedelta(minutes=1))
    with time_machine.travel(NOON + timedelta(hours=1)):
        clean_up()
    assert (PasswordReset.objects.count(), EmailChange.objects.count()) == (0, 0)
