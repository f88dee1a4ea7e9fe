"""Signing in with a password and then a code; one message for every failure (R1.2)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from django.utils import timezone

from accounts.models import TotpDevice, User
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions.pending import SECONDS
from accounts.sign_in.two_factor import WrongCode
from audit.models import AuditEntry
from foundation.models import RateWindow
from tests.acts import WRONG_PASSWORD, at_once, give_code, give_password, hashing, is_signed_in, wrong_code_for
from tests.api_client import ApiClient
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
GENERIC = "E-mail or password is not right."


def test_password_and_code_sign_in(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2
    first = give_password(client, " Alice@Example.COM ")
    assert (first.status_code, first["Location"]) == (302, "/sign-in/code/")
    assert not is_signed_in(client), "the password alone opens nothing"
    assert "alice@example.com" in client.get("/sign-in/code/").content.decode()
    second = give_code(client, code_of(alice))
    assert (second.status_code, second["Location"]) == (302, "/")
    assert is_signed_in(client)
    entry = AuditEntry.objects.get(action="LOGIN_SUCCESS")
    assert (entry.actor_id, entry.ip) == (alice.pk, "127.0.0.1")
    alice.refresh_from_db()
    assert alice.last_login is not None


def test_someone_without_a_second_factor_goes_to_enrol(make_user: Any, client: Client) -> None:
    # R1.3
    dora = make_user("Dora", two_factor=False)
    assert give_password(client, dora.email)["Location"] == "/two-factor/enrol/"
    assert client.get("/sign-in/code/")["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_somebody_signed_in_is_sent_home(alice: Any, browser_of: Any) -> None:
    # R1.10
    browser = browser_of(alice)
    assert browser.get("/sign-in/")["Location"] == "/"
    assert give_password(browser, alice.email)["Location"] == "/"


def failures(make_user: Any) -> list[tuple[str, str]]:
    inactive, locked = make_user("Inactive"), make_user("Locked")
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    User.objects.filter(pk=locked.pk).update(locked_at=timezone.now())
    make_user("Alice")
    return [
        ("alice@example.com", WRONG_PASSWORD),
        ("alice@example.com", PASSWORD + " "),
        ("alice@example.com", PASSWORD.upper()),
        ("unknown@example.com", PASSWORD),
        ("inactive@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
    ]


@proves("V6.3.8")
def test_every_failure_looks_the_same_and_costs_the_hasher_the_same(make_user: Any) -> None:
    # R1.2: one generic message, equal work for unknown users.
    pages, work = set(), set()
    for email, password in failures(make_user):
        browser = Client()
        with hashing() as runs:
            answer = give_password(browser, email, password)
        text = answer.content.decode().replace(email, "[address]")
        pages.add((answer.status_code, "\n".join(line for line in text.splitlines() if "csrf" not in line)))
        work.add(len(runs))
        assert GENERIC in text
        assert password not in text
        assert not is_signed_in(browser)
        assert browser.get("/sign-in/code/")["Location"] == "/sign-in/"
    assert len(pages) == 1
    assert work == {1}


@proves("V16.2.5", "V16.3.1")
def test_failures_are_recorded_without_what_was_typed_by_mistake(alice: Any, client: Client) -> None:
    # R6.1, R6.2: people type their password into the e-mail field.
    give_password(client, alice.email, WRONG_PASSWORD)
    give_password(client, "My-Secret-Passw0rd", "x")
    labels = list(AuditEntry.objects.filter(action="LOGIN_FAILURE").values_list("actor_label", flat=True))
    assert labels == ["alice@example.com"], "what is no address never reaches the service"
    from accounts.sign_in.signing_in import SignInRefused, verify_password

    with pytest.raises(SignInRefused):
        verify_password(email="My-Secret-Passw0rd", password="x", origin=Origin())
    assert AuditEntry.objects.filter(action="LOGIN_FAILURE").latest("id").actor_label == "unknown"


@proves("V7.6.2")
@in_one_world(
    "data",
    [
        {},  # not one of our forms: those carry a token
        {"email": "alice@example.com"},
        {"password": PASSWORD},
        {"email": "alice@example.com", "password": ""},
        {"email": "", "password": PASSWORD},
        {"username": "alice@example.com", "password": PASSWORD},
        {"email": "alice@example.com", "password[]": PASSWORD},
    ],
)
def test_a_missing_credential_never_signs_in(alice: Any, client: Client, data: dict[str, str]) -> None:
    # A peer's fault: sign-in with a missing credential.
    answer = client.post("/sign-in/", data)
    assert answer.status_code == 200
    assert answer.context["form"].errors or not data
    assert "pending_sign_in" not in client.session
    assert not is_signed_in(client)


@proves("V15.3.5")
@in_one_world("value", [None, True, 0, 1, [], ["x"], {}, {"$ne": ""}])
def test_credentials_of_another_type_are_refused(alice: Any, value: Any) -> None:
    # A peer's fault: any code that calls authenticate() with parsed JSON.
    from django.contrib.auth import authenticate
    from django.test import RequestFactory

    request = RequestFactory().post("/")
    assert authenticate(request, username=alice.email, password=value) is None
    assert authenticate(request, username=value, password=PASSWORD) is None
    assert authenticate(request, username=alice.email, password=PASSWORD) == alice


def test_a_json_body_is_not_read(alice: Any, client: Client) -> None:
    # R1.11: pages take forms; programs have the API.
    body = json.dumps({"email": alice.email, "password": PASSWORD})
    answer = client.post("/sign-in/", body, content_type="application/json")
    assert answer.status_code == 200
    assert "pending_sign_in" not in client.session


@in_one_world("code", ["", "abc", "12345", "1234567", "１２３４５６", "NaN", "<b>", "000000 OR 1=1", "9" * 30])
def test_anything_except_a_code_is_answered_at_the_field(alice: Any, client: Client, code: str) -> None:
    # R1.2
    give_password(client, alice.email)
    answer = give_code(client, code)
    assert answer.status_code == 200
    assert answer.context["form"].errors["code"]
    assert not is_signed_in(client)


def test_a_code_may_have_a_space(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2: apps show 123 456.
    give_password(client, alice.email)
    code = code_of(alice)
    give_code(client, f" {code[:3]} {code[3:]} ")
    assert is_signed_in(client)


def test_the_code_of_another_user_does_not_help(alice: Any, bob: Any, client: Client, code_of: Any) -> None:
    # R1.3
    give_password(client, alice.email)
    answer = give_code(client, code_of(bob))
    assert "This code is not right" in answer.content.decode()
    assert not is_signed_in(client)


def test_a_refused_code_mentions_the_phones_clock(alice: Any, client: Client, api_of: Any, code_of: Any) -> None:
    # S4: a clock that is a minute off was told only "not right, or was used already".
    hint = "check that your phone’s clock is right"
    give_password(client, alice.email)
    wrong = wrong_code_for(code_of(alice))
    assert hint in give_code(client, wrong).content.decode()
    given = {"email": alice.email, "password": PASSWORD, "code": wrong}
    assert hint in ApiClient().post("auth/login", given).json()["detail"]
    assert hint in WrongCode.text


def test_a_code_without_a_password_leads_back_to_the_start(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2: nothing depends on the order of steps.
    for answer in (give_code(client, code_of(alice)), client.get("/sign-in/code/")):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not is_signed_in(client)


def test_a_pending_sign_in_ends_after_ten_minutes(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2
    with time_machine.travel(NOON, tick=False) as clock:
        give_password(client, alice.email)
        clock.shift(SECONDS - 1)
        assert client.get("/sign-in/code/").status_code == 200
        clock.shift(2)
        assert client.get("/sign-in/code/")["Location"] == "/sign-in/"
        assert give_code(client, code_of(alice))["Location"] == "/sign-in/"
        assert not is_signed_in(client)


@in_one_world("change", ["password", "locked", "inactive", "deleted"])
def test_a_pending_sign_in_dies_with_what_it_rests_on(
    make_user: Any, client: Client, code_of: Any, change: str
) -> None:
    # R1.2, R1.5
    dora = make_user("Dora")
    give_password(client, dora.email)
    code = code_of(dora)
    if change == "password":
        dora.set_password("another long password")
        dora.save()
    elif change == "locked":
        User.objects.filter(pk=dora.pk).update(locked_at=timezone.now())
    elif change == "inactive":
        User.objects.filter(pk=dora.pk).update(is_active=False)
    else:
        dora.delete()
    assert client.get("/sign-in/code/")["Location"] == "/sign-in/"
    assert give_code(client, code)["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_a_lock_between_the_page_and_the_code_is_seen(
    alice: Any, client: Client, code_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.5: the service decides, not the page before it.
    from accounts.sign_in import signing_in

    alice.locked_at = timezone.now()
    with pytest.raises(signing_in.SignInRefused):
        signing_in.verify_code(user=alice, code=code_of(alice), origin=Origin())


@in_one_world("target", ["/dashboard/", "/transfer/send/?from=1"])
def test_one_goes_on_to_the_page_one_wanted(alice: Any, client: Client, code_of: Any, target: str) -> None:
    # R1.10
    assert f'value="{target}"' in client.get("/sign-in/", {"next": target}).content.decode()
    client.post("/sign-in/", {"email": alice.email, "password": PASSWORD, "next": target})
    assert give_code(client, code_of(alice))["Location"] == target


@proves("V3.7.2")
@in_one_world(
    "target",
    [
        "https://evil.example/",
        "http://testserver/dashboard/",
        "dashboard/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:///evil.example",
        "http://testserver@evil.example/",
        "http://testserver.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "\x08//evil.example",
        "",
        "/",
    ],
)
def test_one_is_never_sent_to_another_site(alice: Any, client: Client, code_of: Any, target: str) -> None:
    # R8.3: no open redirect.
    assert "evil" not in client.get("/sign-in/", {"next": target}).content.decode()
    client.post(f"/sign-in/?next={target}", {"email": alice.email, "password": PASSWORD, "next": target})
    assert give_code(client, code_of(alice))["Location"] == "/"


@proves("V7.2.2", "V7.2.4")
def test_the_session_key_changes_at_each_step(alice: Any, client: Client, code_of: Any) -> None:
    # ASVS 7.2: a key planted before signing in must not become a signed-in one.
    client.get("/sign-in/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key or ""
    keys = [session.session_key]
    give_password(client, alice.email)
    keys.append(client.session.session_key)
    give_code(client, code_of(alice))
    keys.append(client.session.session_key)
    assert len(set(keys)) == 3
    planted = Client()
    planted.cookies["sessionid"] = keys[0] or ""
    assert not is_signed_in(planted)


@proves("V11.4.2")
def test_argon2_hashes_new_passwords_and_pbkdf2_still_verifies(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2
    assert alice.password.startswith("argon2$argon2id$")
    alice.password = PBKDF2PasswordHasher().encode(PASSWORD, "0123456789abcdef", iterations=1000)
    alice.save()
    assert give_password(client, alice.email, WRONG_PASSWORD).status_code == 200
    assert give_password(client, alice.email)["Location"] == "/sign-in/code/"
    alice.refresh_from_db()
    assert alice.password.startswith("argon2$"), "hashed anew while the password is at hand"


def test_the_upgrade_of_a_hash_does_not_end_the_sign_in(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2: the pending sign-in remembers the hash; it must remember the new one.
    alice.password = PBKDF2PasswordHasher().encode(PASSWORD, "0123456789abcdef", iterations=1000)
    alice.save()
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert is_signed_in(client)


def test_demo_mode_offers_people_and_codes_and_nothing_else_does(alice: Any, client: Client, settings: Any) -> None:
    # R9.1
    assert "alder-demo-2026" not in client.get("/sign-in/").content.decode()
    give_password(client, alice.email)
    assert client.get("/sign-in/code/").context["demo_code"] is None
    settings.DEMO = True
    page = client.get("/sign-in/code/")
    assert page.context["demo_code"] in page.content.decode()
    assert "alder-demo-2026" in Client().get("/sign-in/").content.decode()
    give_code(client, page.context["demo_code"])
    assert is_signed_in(client)


def test_a_code_works_once_however_often_it_is_sent(alice: Any, client: Client, code_of: Any) -> None:
    # R1.3
    code = code_of(alice)
    give_password(client, alice.email)
    give_code(client, code)
    other = Client()
    give_password(other, alice.email)
    assert "was used already" in give_code(other, code).content.decode()
    assert not is_signed_in(other)


@proves("V6.5.1")
@pytest.mark.django_db(transaction=True)
def test_eight_windows_with_one_right_code_make_one_session(alice: Any, code_of: Any) -> None:
    # R1.3, issue shows 5
    browsers = [Client(REMOTE_ADDR=f"203.0.113.{number}") for number in range(8)]
    for number, browser in enumerate(browsers):
        give_password(browser, alice.email, REMOTE_ADDR=f"203.0.113.{number}")
    code = code_of(alice)
    answers = at_once(*[lambda b=browser: give_code(b, code).status_code for browser in browsers])
    assert sorted(answers) == [200] * 7 + [302], answers  # type: ignore[type-var]
    assert [is_signed_in(browser) for browser in browsers].count(True) == 1
    assert AuditEntry.objects.filter(action="LOGIN_SUCCESS").count() == 1


def test_a_wrong_code_keeps_the_password_step(alice: Any, client: Client, code_of: Any) -> None:
    # R1.2: after one slip nobody has to begin again; the app's throttle asks for only one second.
    with time_machine.travel(NOON, tick=False) as clock:
        give_password(client, alice.email)
        give_code(client, wrong_code_for(code_of(alice)))
        clock.shift(timedelta(seconds=2))
        give_code(client, code_of(alice))
        assert is_signed_in(client)


def test_signing_in_forgets_earlier_failures(alice: Any, client: Client, code_of: Any) -> None:
    # R1.4
    for _ in range(4):
        give_password(client, alice.email, WRONG_PASSWORD)
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert not RateWindow.objects.filter(key__startswith="guess:").exists()
    assert TotpDevice.objects.get(user=alice).throttling_failure_count == 0


def test_the_right_password_alone_forgets_nothing(alice: Any, client: Client, code_of: Any) -> None:
    # R1.4: otherwise a person with the password could try codes forever, five between two passwords.
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(4):
            assert give_password(client, alice.email).status_code == 302
            assert give_code(client, wrong_code_for(code_of(alice))).status_code == 200
            clock.shift(20)
        assert give_password(client, alice.email).status_code == 302
        assert give_code(client, wrong_code_for(code_of(alice))).status_code == 429
        assert give_password(client, alice.email).status_code == 429
