"""The PIN for apps: set, changed and removed by its owner, told to nobody (R1.4, R1.8)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import check_password
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone
from django.views.debug import SafeExceptionReporterFilter

from accounts.models import TotpDevice, User
from accounts.people import page_acts
from accounts.sign_in import pins
from accounts.sign_in.origin import Origin
from accounts.sign_in.pins import InvalidPin, check_pin
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import copy_of, hashing, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
PIN, OTHER = "805913", "271828"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(alice: Any, browser_of: Any, clock: Any) -> Any:
    return browser_of(alice)


def put(browser: Any, code: str, pin: str = PIN, again: str | None = None) -> Any:
    return browser.post("/profile/pin/", {"pin": pin, "pin_again": pin if again is None else again, "code": code})


def stored(user: Any) -> User:
    return User.objects.get(pk=user.pk)


def lock(user: Any) -> None:
    User.objects.filter(pk=user.pk).update(pin_failures=3, pin_locked_at=timezone.now())


def main_of(answer: Any) -> str:
    return answer.content.decode().partition("<main")[2].partition("</main")[0]


@proves("V11.4.2")
def test_a_pin_is_set_hashed_audited_and_told(alice: Any, browser: Any, code_of: Any) -> None:
    # R1.8
    answer = put(browser, code_of(alice))
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert "Your PIN for apps is set." in browser.get("/profile/").content.decode()
    user = stored(alice)
    assert user.has_pin
    assert user.pin_hash.startswith("argon2$")
    assert check_password(PIN, user.pin_hash)
    entry = AuditEntry.objects.get(action="PIN_CHANGED")
    assert (entry.actor_id, entry.subject_id, entry.details) == (alice.pk, str(alice.public_id), {})
    [mail] = mails(alice.email)
    assert mail.subject == "Your PIN for apps was set"
    assert PIN not in mail.message + mail.html_message + OutboxMessage.objects.get().payload


@proves("V7.2.4")
def test_setting_and_removing_it_signs_a_copy_of_the_cookie_out(
    alice: Any, browser: Any, code_of: Any, clock: Any
) -> None:
    # R1.8: like every change of a factor.
    for change in (put, lambda browser, code: browser.post("/profile/pin/remove/", {"code": code})):
        thief = copy_of(browser)
        assert is_signed_in(thief)
        assert change(browser, code_of(alice))["Location"] == "/profile/"
        assert not is_signed_in(thief)
        assert is_signed_in(browser)
        clock.shift(31)


def test_another_pin_replaces_it_and_the_count_of_wrong_ones_begins_again(
    alice: Any, browser: Any, code_of: Any, clock: Any
) -> None:
    # R1.4, R1.8
    put(browser, code_of(alice))
    User.objects.filter(pk=alice.pk).update(pin_failures=2)
    clock.shift(31)
    assert put(browser, code_of(alice), OTHER).status_code == 302
    user = stored(alice)
    assert (check_password(OTHER, user.pin_hash), check_password(PIN, user.pin_hash)) == (True, False)
    assert (user.pin_failures, user.pin_locked_at) == (0, None)


@in_one_world(
    "pin",
    [
        *("", " ", "12345", "8059131", "80591", "8059a3", "-80591", "+80591", "80.913", "805 13", "80591\n"),
        *("８０５９１３", "٨٠٥٩١٣", "80591²", "8059१3", "805913\x00", "9" * 24, "9" * 4000, "1e5000"),
    ],
)
def test_anything_except_six_digits_is_refused_at_its_field(alice: Any, browser: Any, code_of: Any, pin: str) -> None:
    # R1.8: digits of other scripts do not count here.
    code = code_of(alice)
    answer = put(browser, code, pin)
    assert answer.status_code == 200
    assert "pin" in answer.context["form"].errors
    assert not stored(alice).has_pin
    assert put(browser, code).status_code == 302, "the code is not used up"


@proves("V6.3.1")
@in_one_world(
    "pin",
    [
        *("000000", "999999", "123456", "987654", "678901", "432109", "246802", "975319"),
        *("121212", "909090", "123123", "801801", "112233", "665544", "123321", "804408"),
    ],
)
def test_a_pin_that_is_guessed_first_is_refused_in_plain_words(
    alice: Any, browser: Any, code_of: Any, pin: str
) -> None:
    # R1.8
    answer = put(browser, code_of(alice), pin)
    [error] = answer.context["form"].errors["pin"]
    assert error == "This is one of the first PINs that people try. Choose six digits without a pattern."
    assert "data-error-summary" in answer.content.decode()
    assert f'value="{pin}"' not in answer.content.decode()
    assert not stored(alice).has_pin


def test_few_pins_are_refused() -> None:
    # R1.8: a rule that refused many would make guessing easier.
    def is_refused(pin: str) -> bool:
        try:
            check_pin(pin)
        except InvalidPin:
            return True
        return False

    every_17th = range(0, 10**6, 17)
    assert 0 < sum(is_refused(f"{number:06d}") for number in every_17th) / len(every_17th) < 0.003


def test_both_fields_must_agree(alice: Any, browser: Any, code_of: Any) -> None:
    # R1.8
    answer = put(browser, code_of(alice), PIN, OTHER)
    assert answer.context["form"].errors == {"pin_again": ["The two PINs are not the same."]}
    assert PIN not in answer.content.decode()
    assert not stored(alice).has_pin


def test_without_a_fresh_code_nothing_changes(alice: Any, browser: Any, code_of: Any, clock: Any) -> None:
    # R1.8: a session left open is not enough; and no code works twice.
    code = code_of(alice)
    answer = put(browser, wrong_code_for(code))
    assert (answer.status_code, list(answer.context["form"].errors)) == (200, ["code"])
    assert not stored(alice).has_pin
    clock.shift(31)
    code = code_of(alice)
    assert put(browser, code).status_code == 302
    assert put(browser, code, OTHER).status_code == 200
    assert browser.post("/profile/pin/remove/", {"code": code}).status_code == 200
    assert check_password(PIN, stored(alice).pin_hash)
    assert AuditEntry.objects.filter(action="CODE_REFUSED").count() == 2


@in_one_world("path", ["/profile/pin/", "/profile/pin/remove/"])
def test_wrong_codes_lock_out_like_at_sign_in(
    path: str, alice: Any, browser: Any, code_of: Any, clock: Any, settings: Any
) -> None:
    # R1.4
    put(browser, code_of(alice))
    settings.AXES_FAILURE_LIMIT = 1
    clock.shift(31)
    fields = {"pin": OTHER, "pin_again": OTHER, "code": wrong_code_for(code_of(alice))}
    answer = browser.post(path, fields)
    assert answer.status_code == 200
    clock.shift(5)
    answer = browser.post(path, fields)
    assert answer.status_code == 429
    assert check_password(PIN, stored(alice).pin_hash)


def test_a_pin_is_removed_audited_and_told(alice: Any, browser: Any, code_of: Any, clock: Any) -> None:
    # R1.8
    put(browser, code_of(alice))
    assert 'href="/profile/pin/remove/"' in main_of(browser.get("/profile/pin/"))
    page = browser.get("/profile/pin/remove/")
    assert "Remove your PIN?" in main_of(page)
    assert stored(alice).has_pin
    clock.shift(31)
    answer = browser.post("/profile/pin/remove/", {"code": code_of(alice)})
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert stored(alice).pin_hash == ""
    entry = AuditEntry.objects.get(action="PIN_REMOVED")
    assert (entry.actor_id, entry.details) == (alice.pk, {})
    assert mails(alice.email)[-1].subject == "Your PIN for apps was removed"


def test_without_a_pin_there_is_nothing_to_remove(alice: Any, browser: Any, code_of: Any) -> None:
    # R1.8
    assert "/profile/pin/remove/" not in main_of(browser.get("/profile/pin/"))
    for answer in (browser.get("/profile/pin/remove/"), browser.post("/profile/pin/remove/", {"code": "1"})):
        assert answer["Location"] == "/profile/pin/"
    with pytest.raises(pins.NoPin):
        pins.remove_pin(actor=alice, code=code_of(alice), origin=Origin())


def test_a_locked_pin_waits_for_the_staff(alice: Any, browser: Any, code_of: Any, clock: Any) -> None:
    # R1.4: otherwise a guesser could reset the count through the owner's session.
    put(browser, code_of(alice))
    lock(alice)
    clock.shift(31)
    page = main_of(browser.get("/profile/pin/"))
    assert "Only our staff can unlock it" in page
    assert "<form" not in page
    assert put(browser, code_of(alice), OTHER)["Location"] == "/profile/pin/"
    assert browser.get("/profile/pin/remove/")["Location"] == "/profile/pin/"
    assert browser.post("/profile/pin/remove/", {"code": code_of(alice)})["Location"] == "/profile/pin/"
    user = stored(alice)
    for service, more in ((pins.set_pin, {"pin": OTHER}), (pins.remove_pin, {})):
        with pytest.raises(pins.PinLocked):
            service(actor=user, code=code_of(alice), origin=Origin(), **more)
    user = stored(alice)
    assert (check_password(PIN, user.pin_hash), user.pin_failures) == (True, 3)
    assert user.pin_locked_at is not None
    assert TotpDevice.objects.get(user=alice).verify_token(code_of(alice)), "no code was used up"


def test_what_happened_elsewhere_meanwhile_counts(
    alice: Any, browser: Any, code_of: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.4: locked or removed between the look and the write.
    def lock_meanwhile(*args: Any, **kwargs: Any) -> None:
        lock(alice)

    def remove_meanwhile(*args: Any, **kwargs: Any) -> None:
        User.objects.filter(pk=alice.pk).update(pin_hash="")

    put(browser, code_of(alice))
    monkeypatch.setattr(pins, "verify_fresh_code", remove_meanwhile)
    assert browser.post("/profile/pin/remove/", {"code": "1"})["Location"] == "/profile/pin/"
    monkeypatch.setattr(pins, "verify_fresh_code", lambda *args, **kwargs: None)
    put(browser, "1")
    monkeypatch.setattr(pins, "verify_fresh_code", lock_meanwhile)
    assert browser.post("/profile/pin/remove/", {"code": "1"})["Location"] == "/profile/pin/"
    User.objects.filter(pk=alice.pk).update(pin_locked_at=None)
    assert put(browser, "1", OTHER)["Location"] == "/profile/pin/"
    assert check_password(PIN, stored(alice).pin_hash)
    assert not AuditEntry.objects.filter(action="PIN_REMOVED").exists()


def test_the_hash_is_made_before_any_row_is_locked(alice: Any, browser: Any, code_of: Any) -> None:
    # R3.4: the hasher is slow on purpose; nobody must wait for it.
    depths: list[int] = []
    outside = len(connection.savepoint_ids)
    with hashing(before=lambda: depths.append(len(connection.savepoint_ids))) as runs:
        put(browser, code_of(alice))
    assert (runs, depths) == (["encode"], [outside])


def test_the_profile_says_whether_there_is_one(alice: Any, browser: Any, code_of: Any) -> None:
    # R1.8
    for words in (("Not set", "Set a PIN"), ("Set", "Change PIN"), ("Locked", "Ask for a PIN reset")):
        page = main_of(browser.get("/profile/"))
        assert all(f">{text}<" in page for text in words), words
        put(browser, code_of(alice)) if words[0] == "Not set" else lock(alice)


def test_the_page_says_what_the_pin_is_for(alice: Any, browser: Any) -> None:
    # R1.8
    page = main_of(browser.get("/profile/pin/"))
    assert "Apps that use the bank’s API may ask for your PIN, where the bank has switched that on." in page
    assert "It is never asked for on these pages" in page


def test_one_changes_ones_own_and_nobody_elses(alice: Any, charlie: Any, browser_of: Any, code_of: Any) -> None:
    # R1.7: the user is the only one who can be named, whatever else is sent.
    fields = {"pin": PIN, "pin_again": PIN, "code": code_of(charlie), "user": alice.pk, "user_id": alice.pk}
    assert browser_of(charlie).post("/profile/pin/", fields).status_code == 302
    assert (stored(charlie).has_pin, stored(alice).has_pin) == (True, False)
    answer = put(browser_of(alice), code_of(charlie))
    assert list(answer.context["form"].errors) == ["code"]
    assert not stored(alice).has_pin


def test_the_services_themselves_refuse_who_may_not(alice: Any) -> None:
    # R1.7
    alice.is_active = False
    with pytest.raises(PermissionDenied):
        pins.set_pin(actor=alice, pin=PIN, code="000000", origin=Origin())
    with pytest.raises(PermissionDenied):
        pins.remove_pin(actor=alice, code="000000", origin=Origin())


def test_the_service_itself_refuses_a_bad_pin(alice: Any) -> None:
    # R1.8: nothing depends on the form.
    for pin in ("12345", "123456"):
        with pytest.raises(InvalidPin):
            pins.set_pin(actor=alice, pin=pin, code="000000", origin=Origin())


def test_codes_are_shown_in_demo_mode_only(alice: Any, browser: Any, code_of: Any, settings: Any) -> None:
    # R9.1
    put(browser, code_of(alice))
    for path in ("/profile/pin/", "/profile/pin/remove/"):
        for settings.DEMO in (False, True):
            assert ("The code right now is" in browser.get(path).content.decode()) == settings.DEMO


@proves("V16.2.5")
def test_a_fault_shows_no_pin_in_its_report(
    alice: Any, browser: Any, code_of: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R9.5: Django's error report leaves out what a view names as sensitive.
    seen: list[Any] = []

    def fail(request: Any, **kwargs: Any) -> None:
        seen.append(request)
        raise RuntimeError("boom")

    monkeypatch.setattr(page_acts, "set_pin", fail)
    browser.raise_request_exception = False
    assert put(browser, code_of(alice)).status_code == 500
    cleansed = SafeExceptionReporterFilter().get_post_parameters(seen[0])
    assert PIN not in json.dumps(dict(cleansed))
