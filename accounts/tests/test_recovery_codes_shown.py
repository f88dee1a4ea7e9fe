"""New recovery codes survive a reload, for ten minutes, and are never readable in the session (R1.3, R8.1)."""

from datetime import timedelta
from typing import Any

import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tests.acts import give_password, held_in

PAGE = "/two-factor/recovery-codes/"


def enrol(client: Client, user: Any, code_of: Any) -> list[str]:
    give_password(client, user.email)
    client.get("/two-factor/enrol/")
    return client.post("/two-factor/enrol/", {"code": code_of(user)}, follow=True).context["codes"]


def test_a_reload_shows_the_same_codes_until_ten_minutes_are_over(client: Client, make_user: Any, code_of: Any) -> None:
    codes = enrol(client, make_user("Dora", two_factor=False), code_of)
    assert len(codes) == 10
    assert client.get(PAGE).context["codes"] == codes
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        assert client.get(PAGE).context["codes"] == codes
    with time_machine.travel(timezone.now() + timedelta(minutes=8)):
        client.get(PAGE)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert client.get(PAGE)["Location"] == "/"


def test_they_lie_sealed_in_the_session(client: Client, make_user: Any, code_of: Any) -> None:
    codes = enrol(client, make_user("Dora", two_factor=False), code_of)
    stored = [held_in(session) for session in Session.objects.all()]
    assert any("new_recovery_codes" in session for session in stored)
    assert not any(code in str(session) for session in stored for code in codes)


def test_who_made_none_sees_none(alice: Any, browser_of: Any) -> None:
    assert browser_of(alice).get(PAGE)["Location"] == "/"


def test_they_are_nobody_elses(
    alice: Any, bob: Any, browser_of: Any, client: Client, make_user: Any, code_of: Any
) -> None:
    enrol(client, make_user("Dora", two_factor=False), code_of)
    browser = browser_of(bob)
    session = browser.session
    session["new_recovery_codes"] = client.session["new_recovery_codes"]
    session.save()
    assert browser.get(PAGE)["Location"] == "/"
