"""A sign-in in a browser not seen before is told by mail; the cookie that knows a browser opens nothing (R1.8)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import KnownDevice, TotpDevice, User
from accounts.people.common import end_what_was_begun
from accounts.sign_in import devices
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from tests.acts import at_once, cleaned_up, give_code, give_password, is_signed_in, mails
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
SUBJECT = "You signed in on a new device"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sign_in(code_of: Any, clock: Any) -> Any:
    """Sign in the way people do, in this browser or a new one; each time half a minute later, since a code works
    once."""

    def go(user: Any, client: Client | None = None, **extra: Any) -> Client:
        clock.shift(31)
        browser = client or Client(headers={"User-Agent": FIREFOX})
        browser.post("/sign-out/")
        give_password(browser, user.email, **extra)
        give_code(browser, code_of(user), **extra)
        assert is_signed_in(browser)
        return browser

    return go


def told(user: Any) -> list[Any]:
    return [mail for mail in mails(user.email) if mail.subject == SUBJECT]


def test_the_first_sign_in_of_all_is_told_to_nobody_and_the_next_in_that_browser_neither(
    alice: Any, sign_in: Any
) -> None:
    browser = sign_in(alice)
    sign_in(alice, browser)
    assert told(alice) == []
    assert KnownDevice.objects.filter(user=alice).count() == 1
    assert not AuditEntry.objects.filter(action="DEVICE_NEW").exists()


@proves("V6.3.5")
def test_another_browser_is_told_with_time_device_and_network(alice: Any, sign_in: Any) -> None:
    sign_in(alice)
    sign_in(alice, REMOTE_ADDR="2001:db8:0:1::7")
    [mail] = told(alice)
    for text in (mail.message, mail.html_message):
        assert "3 November 2026, 12:01 UTC" in text
        assert "Firefox on Linux" in text
        assert "2001:db8:0:1::/64" in text, "coarse: one customer has a whole /64"
        assert "http://testserver/profile/" in text
        assert "http://testserver/help/" in text
    entry = AuditEntry.objects.get(action="DEVICE_NEW")
    assert (entry.actor_id, entry.details) == (alice.pk, {"device": "Firefox on Linux"})


@proves("V6.3.5")
def test_two_people_who_share_a_browser_are_each_told_once(alice: Any, bob: Any, sign_in: Any) -> None:
    # And no row reveals that they share one.
    for user in (alice, bob):
        sign_in(user)
    shared = sign_in(alice)
    for user in (bob, alice, bob):
        sign_in(user, shared)
    assert (len(told(alice)), len(told(bob))) == (1, 1)
    digests = [row.token_digest for row in KnownDevice.objects.all()]
    assert len(set(digests)) == 4


def test_the_cookie_is_out_of_reach_and_lasts_half_a_year(alice: Any, client: Client, sign_in: Any) -> None:
    # R8.2
    sign_in(alice, client)
    cookie = client.cookies["bank-device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert cookie["max-age"] == 180 * 24 * 3600
    assert len(cookie.value) == 43
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_knowndevice")
        assert cookie.value not in repr(cursor.fetchall())


def test_over_https_it_is_secure(settings: Any) -> None:
    # R8.2
    settings.SESSION_COOKIE_SECURE, settings.DEVICE_COOKIE_NAME = True, "__Host-bank-device"
    cookie = devices.kept_by(HttpResponse(), "x" * 43).cookies["__Host-bank-device"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


@proves("V6.3.5")
def test_it_opens_nothing(alice: Any, client: Client, sign_in: Any) -> None:
    # It decides about a mail, and about nothing else.
    sign_in(alice, client)
    thief = Client()
    thief.cookies["bank-device"] = client.cookies["bank-device"].value
    assert not is_signed_in(thief)
    assert give_password(thief, alice.email)["Location"] == "/sign-in/code/"
    assert not is_signed_in(thief)


@in_one_world("value", ["", "x", "x" * 44, "x" * 5000, "é" * 43, "' OR 1=1 --" + "x" * 32, "\n" * 43])
def test_a_value_that_cannot_be_ours_is_replaced(alice: Any, client: Client, sign_in: Any, value: str) -> None:
    sign_in(alice)
    client.cookies["bank-device"] = value
    sign_in(alice, client)
    assert len(told(alice)) == 1
    assert client.cookies["bank-device"].value != value
    sign_in(alice, client)
    assert len(told(alice)) == 1


def test_a_browser_unseen_for_half_a_year_is_new_again(alice: Any, sign_in: Any, clock: Any) -> None:
    browser, other = sign_in(alice), sign_in(alice)
    clock.shift(timedelta(days=179))
    sign_in(alice, other)
    clock.shift(timedelta(days=2))
    sign_in(alice, browser)
    sign_in(alice, other)
    assert len(told(alice)) == 2
    assert KnownDevice.objects.filter(user=alice).count() == 2


def test_what_is_long_unseen_is_swept(alice: Any, sign_in: Any, clock: Any) -> None:
    sign_in(alice)
    assert str(KnownDevice.objects.get()) == "a browser of alice@example.com, last seen 2026-11-03"
    clock.shift(timedelta(days=180))
    assert "browsers long unseen: 0" in cleaned_up()
    clock.shift(timedelta(days=1))
    assert "browsers long unseen: 1" in cleaned_up()


def test_what_the_bank_does_to_a_person_makes_all_browsers_new(alice: Any, sign_in: Any) -> None:
    # A lock, a reset, another role: an impostor may have signed in with one of them.
    browser = sign_in(alice)
    end_what_was_begun(alice)
    sign_in(alice, browser)
    assert len(told(alice)) == 1


def test_enrolment_keeps_the_browser_too(make_user: Any, client: Client) -> None:
    dora = make_user("Dora", two_factor=False)
    give_password(client, dora.email)
    client.get("/two-factor/enrol/")
    code = f"{TotpDevice.objects.get(user=dora).totp().token():06d}"
    assert client.post("/two-factor/enrol/", {"code": code}).cookies["bank-device"].value
    assert [mail.subject for mail in mails(dora.email)] == ["Two-factor sign-in is on"]


@in_one_world("agent", ["", "x" * 5000, "<script>alert(1)</script>", "Zoë"])
def test_any_browser_can_sign_in_and_is_told(alice: Any, code_of: Any, agent: str) -> None:
    # It is text that a stranger chose.
    User.objects.filter(pk=alice.pk).update(last_login=timezone.now())
    client = Client(headers={"User-Agent": agent.encode().decode("latin-1")})
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    [mail] = told(alice)
    assert "<script" not in mail.html_message


def test_one_mail_even_when_the_same_browser_signs_in_twice_at_once(alice: Any) -> None:
    origin = Origin(device_token="x" * 43)
    for _ in range(2):
        devices.meet(actor=alice, is_first_sign_in=False, origin=origin)
    assert len(told(alice)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_race_of_one_browser_leaves_one_row_and_one_mail(alice: Any) -> None:
    def go() -> None:
        devices.meet(actor=alice, is_first_sign_in=False, origin=Origin(device_token="x" * 43))

    assert at_once(*[go] * 6) == [None] * 6
    assert KnownDevice.objects.count() == 1
    assert len(told(alice)) == 1
