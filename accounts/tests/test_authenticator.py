"""New recovery codes, and another authenticator app (R1.8)."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.test import Client

from accounts.models import RecoveryCode, TotpDevice
from accounts.sign_in import authenticator, two_factor
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from tests.acts import at_once, copy_of, give_code, give_password, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SHOWN = re.compile(r"<li>([2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4})</li>")


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(alice: Any, browser_of: Any, clock: Any) -> Any:
    return browser_of(alice)


def code_on(device: TotpDevice) -> str:
    totp = device.totp()
    totp.time = datetime.now(UTC).timestamp()
    return f"{totp.token():06d}"


def present(user: Any) -> TotpDevice:
    return TotpDevice.objects.get(user=user, confirmed=True)


def pending(user: Any) -> TotpDevice:
    return TotpDevice.objects.get(user=user, confirmed=False)


def renew(browser: Any, code: str) -> list[str]:
    return SHOWN.findall(browser.post("/profile/recovery-codes/", {"code": code}, follow=True).content.decode())


def test_ten_new_recovery_codes_and_the_old_ones_are_worthless(alice: Any, browser: Any, clock: Any) -> None:
    # R1.8
    old = renew(browser, code_on(present(alice)))
    clock.shift(31)
    new = renew(browser, code_on(present(alice)))
    assert (len(old), len(set(old + new))) == (10, 20)
    assert two_factor.use_recovery_code(alice, old[0]) is None
    client = Client()
    give_password(client, alice.email)
    give_code(client, new[0])
    assert is_signed_in(client)
    assert is_signed_in(browser)
    assert RecoveryCode.objects.filter(user=alice).count() == 10
    assert browser.get("/profile/").context["recovery_codes_left"] == 9
    assert AuditEntry.objects.filter(action="RECOVERY_CODES_RENEWED", actor_id=alice.pk).count() == 2
    assert [mail.subject for mail in mails(alice.email)][:2] == ["You have new recovery codes"] * 2


@proves("V7.5.1")
@in_one_world("path", ["/profile/recovery-codes/", "/profile/authenticator/"])
def test_nothing_happens_without_a_fresh_code(path: str, alice: Any, browser: Any, clock: Any) -> None:
    # R1.8
    code = code_on(present(alice))
    for wrong in ("", "!", wrong_code_for(code)):
        answer = browser.post(path, {"code": wrong})
        assert (answer.status_code, set(answer.context["form"].errors)) == (200, {"code"})
    assert "A short pause" in browser.post(path, {"code": code}).content.decode()
    assert not RecoveryCode.objects.exists()
    assert TotpDevice.objects.filter(user=alice).count() == 1
    assert AuditEntry.objects.filter(action="CODE_REFUSED").count() == 1


@in_one_world("path", ["/profile/recovery-codes/", "/profile/authenticator/"])
def test_guesses_are_counted_together_with_sign_in(path: str, alice: Any, browser: Any, clock: Any) -> None:
    # R1.4
    for _ in range(5):
        browser.post(path, {"code": wrong_code_for(code_on(present(alice)))})
        clock.shift(40)
    answer = browser.post(path, {"code": code_on(present(alice))})
    assert (answer.status_code, answer["Retry-After"]) == (429, "560")
    page = answer.content.decode()
    # A signed-in person stays signed in, in the bank's own frame.
    assert "Try again in <strong>10 minutes</strong>" in page
    assert page.count('href="/profile/"') > 1
    for absent in ("Sign-in is paused", "Back to sign-in", 'class="entrance"'):
        assert absent not in page
    assert "Sign-in is paused" in give_password(Client(), alice.email).content.decode()
    assert give_password(Client(), alice.email).status_code == 429


def test_a_recovery_code_makes_no_new_ones(alice: Any, browser: Any) -> None:
    # R1.8: a finder of the paper must not keep the key to the bank.
    codes = renew(browser, code_on(present(alice)))
    assert renew(browser, codes[0]) == []


@proves("V7.2.4")
def test_new_recovery_codes_are_not_shown_to_a_copy_of_the_cookie(alice: Any, browser: Any) -> None:
    # R1.8, ASVS V7.2.4: a thief of the session waits for its owner to make new ones.
    thief = copy_of(browser)
    assert is_signed_in(thief)
    row = browser.session["user_session"]
    answer = browser.post("/profile/recovery-codes/", {"code": code_on(present(alice))}, follow=True)
    assert len(SHOWN.findall(answer.content.decode())) == 10
    assert thief.get("/two-factor/recovery-codes/")["Location"].startswith("/sign-in/")
    assert is_signed_in(browser)
    assert browser.session["user_session"] == row, "to the profile it is the session that it was"


@proves("V7.2.4")
def test_nor_is_the_secret_of_another_app(alice: Any, browser: Any) -> None:
    # R1.8
    thief = copy_of(browser)
    browser.post("/profile/authenticator/", {"code": code_on(present(alice))})
    assert thief.get("/profile/authenticator/new/")["Location"].startswith("/sign-in/")
    thief = copy_of(browser)  # a quicker thief sees that secret, but not the codes that come with it
    answer = browser.post("/profile/authenticator/new/", {"code": code_on(pending(alice))}, follow=True)
    assert len(SHOWN.findall(answer.content.decode())) == 10
    assert thief.get("/two-factor/recovery-codes/")["Location"].startswith("/sign-in/")
    assert is_signed_in(browser)


def test_a_wrong_code_changes_no_session(alice: Any, browser: Any) -> None:
    key = browser.session.session_key
    browser.post("/profile/recovery-codes/", {"code": wrong_code_for(code_on(present(alice)))})
    assert browser.session.session_key == key


def test_another_app_takes_the_place_of_the_first(alice: Any, browser: Any, browser_of: Any, clock: Any) -> None:
    # R1.8
    elsewhere, old = browser_of(alice), present(alice)
    assert browser.post("/profile/authenticator/", {"code": code_on(old)})["Location"] == "/profile/authenticator/new/"
    page = browser.get("/profile/authenticator/new/")
    assert two_factor.secret_text(pending(alice)) in page.content.decode()
    assert is_signed_in(elsewhere), "nothing is replaced yet"
    answer = browser.post("/profile/authenticator/new/", {"code": code_on(pending(alice))}, follow=True)
    codes = SHOWN.findall(answer.content.decode())
    assert len(codes) == 10
    new = TotpDevice.objects.get(user=alice)
    assert (new.confirmed, new.pk == old.pk) == (True, False)
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    clock.shift(31)
    client = Client()
    give_password(client, alice.email)
    give_code(client, code_on(new))
    assert is_signed_in(client)
    assert AuditEntry.objects.get(action="TWO_FACTOR_REPLACED").actor_id == alice.pk
    assert "Your authenticator app was replaced" in [mail.subject for mail in mails(alice.email)]
    assert browser.get("/profile/authenticator/new/")["Location"] == "/profile/authenticator/", "shown no more"


@proves("V6.5.6")
def test_the_old_app_is_worthless_then(alice: Any, browser: Any, clock: Any) -> None:
    # R1.8
    old = present(alice)
    browser.post("/profile/authenticator/", {"code": code_on(old)})
    browser.post("/profile/authenticator/new/", {"code": code_on(pending(alice))})
    clock.shift(31)
    assert two_factor.verify_totp(alice, code_on(old)) is None


def test_a_recovery_code_replaces_the_app_on_a_lost_phone(alice: Any, browser: Any) -> None:
    # R1.8
    codes = renew(browser, code_on(present(alice)))
    assert browser.post("/profile/authenticator/", {"code": codes[3]}).status_code == 302
    browser.post("/profile/authenticator/new/", {"code": code_on(pending(alice))})
    assert AuditEntry.objects.get(action="TWO_FACTOR_REPLACED").details == {"by": "recovery_code"}


@proves("V2.3.2")
@in_one_world("by_recovery_code", [True, False])
def test_after_a_recovery_code_money_to_strangers_waits_a_day(
    alice: Any, browser: Any, clock: Any, by_recovery_code: bool
) -> None:
    # R1.8: the finder of the paper now has a phone of their own, but not the money.
    codes = renew(browser, code_on(present(alice)))
    clock.shift(31)
    page = browser.get("/profile/authenticator/").content.decode()
    assert "cash withdrawals wait 24 hours" in page
    browser.post("/profile/authenticator/", {"code": codes[0] if by_recovery_code else code_on(present(alice))})
    alice.refresh_from_db()
    assert alice.hardened_at is None, "nothing is replaced yet"
    browser.post("/profile/authenticator/new/", {"code": code_on(pending(alice))})
    alice.refresh_from_db()
    assert alice.hardened_at == (datetime.now(UTC) if by_recovery_code else None)
    (mail,) = [one for one in mails(alice.email) if one.subject == "Your authenticator app was replaced"]
    for text in (mail.message, mail.html_message):
        assert ("withdrawals wait 24 hours" in " ".join(text.split())) is by_recovery_code


def test_staff_who_have_no_money_here_are_told_nothing_of_it(sam: Any, browser_of: Any, clock: Any) -> None:
    browser = browser_of(sam)
    codes = renew(browser, code_on(present(sam)))
    assert "withdrawals" not in browser.get("/profile/authenticator/").content.decode()
    browser.post("/profile/authenticator/", {"code": codes[0]})
    browser.post("/profile/authenticator/new/", {"code": code_on(pending(sam))})
    assert "withdrawals" not in mails(sam.email)[-1].message


def test_a_wrong_code_of_the_new_app_replaces_nothing(alice: Any, browser: Any) -> None:
    # R1.8
    old = present(alice)
    browser.post("/profile/authenticator/", {"code": code_on(old)})
    answer = browser.post("/profile/authenticator/new/", {"code": wrong_code_for(code_on(pending(alice)))})
    assert (answer.status_code, set(answer.context["form"].errors)) == (200, {"code"})
    assert present(alice).pk == old.pk
    assert not RecoveryCode.objects.exists()


def test_the_proof_lasts_ten_minutes_and_is_this_sessions(
    alice: Any, browser: Any, browser_of: Any, clock: Any, settings: Any
) -> None:
    # R1.8
    settings.SESSION_IDLE_SECONDS = 3600
    browser.post("/profile/authenticator/", {"code": code_on(present(alice))})
    other = browser_of(alice)
    assert other.get("/profile/authenticator/new/")["Location"] == "/profile/authenticator/"
    code = {"code": code_on(pending(alice))}
    assert other.post("/profile/authenticator/new/", code)["Location"] == "/profile/authenticator/"
    clock.shift(600)
    assert browser.get("/profile/authenticator/new/").status_code == 200
    clock.shift(1)
    code = {"code": code_on(pending(alice))}
    assert browser.post("/profile/authenticator/new/", code)["Location"] == "/profile/authenticator/"
    assert TotpDevice.objects.filter(user=alice, confirmed=True).count() == 1


def test_the_device_of_somebody_else_is_not_shown(alice: Any, charlie: Any, browser: Any, browser_of: Any) -> None:
    # R1.7
    browser.post("/profile/authenticator/", {"code": code_on(present(alice))})
    stranger = browser_of(charlie)
    session = stranger.session
    session["new_authenticator"] = browser.session["new_authenticator"]
    session.save()
    assert stranger.get("/profile/authenticator/new/")["Location"] == "/profile/authenticator/"


@pytest.mark.django_db(transaction=True)
def test_two_windows_at_once_replace_it_once(alice: Any) -> None:
    # R1.8
    from accounts.models import UserSession

    session = UserSession.objects.create(user=alice).public_id
    device = two_factor.new_device(alice)
    rows = [[RecoveryCode(user=alice, selector=f"{letter}{n}", code_hash="x") for n in range(10)] for letter in "AB"]
    results = at_once(
        *[lambda r=row: authenticator._replace(alice, device, r, session, by_recovery_code=False) for row in rows]
    )
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "NothingToReplace"]
    assert RecoveryCode.objects.filter(user=alice).count() == 10
    assert TotpDevice.objects.get(user=alice).pk == device.pk


def test_codes_are_shown_in_demo_mode_only(alice: Any, browser: Any, settings: Any) -> None:
    # R9.1
    for settings.DEMO in (False, True):
        page = browser.get("/profile/authenticator/").content.decode()
        assert ("The code right now is" in page) == settings.DEMO
    browser.post("/profile/authenticator/", {"code": code_on(present(alice))})
    assert browser.get("/profile/authenticator/new/").context["demo_code"] == code_on(pending(alice))


def test_the_services_themselves_refuse_who_may_not(alice: Any) -> None:
    # R1.7
    alice.is_active = False
    for service in (authenticator.renew_recovery_codes, authenticator.new_pending_device):
        with pytest.raises(PermissionDenied):
            service(actor=alice, code="000000", origin=Origin())
    waiting = two_factor.new_device(alice)
    with pytest.raises(PermissionDenied):
        authenticator.replace_by(
            waiting, actor=alice, code=code_on(waiting), kept_session=uuid4(), by_recovery_code=False
        )
