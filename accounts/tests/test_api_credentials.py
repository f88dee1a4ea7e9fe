"""Password, PIN, recovery codes and authenticator through the API: each for what a stolen token lacks (R1.8, R7.1)."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.hashers import check_password, make_password

from accounts.models import RecoveryCode, TotpDevice, User
from accounts.programs import sessions as api_sessions
from accounts.programs.sessions import Tokens
from accounts.sign_in import authenticator, two_factor
from accounts.sign_in.sessions import rows as user_sessions
from audit.models import AuditEntry
from tests.acts import WRONG_PASSWORD, mails, wrong_code_for
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

INVALID = (401, "token_invalid")
NEW = "a sentence that only Alice thinks of"
PIN = "805913"


def fields(answer: Any) -> set[str]:
    """Return what was wrong in an invalid body."""
    assert told(answer) == (422, "invalid")
    return {error["field"] for error in answer.json()["errors"]}


def actions(user: Any) -> list[str]:
    return list(AuditEntry.objects.filter(actor_id=user.pk).order_by("id").values_list("action", flat=True))


def subjects(user: Any) -> list[str]:
    return [mail.subject for mail in mails(user.email)]


@pytest.fixture
def fresh_code(code_of: Any) -> Any:
    """Return a code as if half a minute had passed since the last one."""

    def code(user: Any) -> str:
        TotpDevice.objects.update(last_step=-1)
        return code_of(user)

    return code


# --- Another password ------------------------------------------------------------------------------------------


@proves("V6.2.3", "V7.2.4", "V7.4.3")
def test_another_password_ends_all_else_and_this_session_goes_on_with_new_tokens(
    alice: Any, api_of: Any, browser_of: Any
) -> None:
    # R1.8, R7.1: the old access token is refused on the next request, and so is everything that could renew it.
    here, other, browser = api_of(alice), api_of(alice), browser_of(alice)
    answer = here.post("profile/password", {"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 200
    tokens = answer.json()
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    for api in (here, other):
        assert told(api.get("profile")) == INVALID
        refreshed = ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})
        assert told(refreshed) == INVALID
    assert browser.get("/profile/").status_code == 302
    authorization = f"Bearer {tokens['access_token']}"
    sessions = ApiClient().get("auth/sessions", Authorization=authorization).json()["items"]
    assert [(one["id"], one["is_present"]) for one in sessions] == [(tokens["session"], True)]
    assert ApiClient().post("auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 200
    assert actions(alice) == ["LOGIN_SUCCESS"] * 2 + ["PASSWORD_CHANGED"]
    assert subjects(alice) == ["Your password was changed"]


def test_the_old_password_is_needed(alice: Any, api_of: Any) -> None:
    # A peer's fault: credentials changed without the old one.
    api = api_of(alice)
    wrong = {"current_password": WRONG_PASSWORD, "new_password": NEW}
    assert told(api.post("profile/password", wrong)) == (422, "wrong_password")
    assert fields(api.post("profile/password", {"new_password": NEW})) == {"current_password"}
    for _ in range(4):
        last = api.post("profile/password", wrong)
    assert told(last) == (422, "wrong_password")
    right = api.post("profile/password", {"current_password": PASSWORD, "new_password": NEW})
    assert told(right) == (429, "too_often"), "R1.4: guesses are counted with those at sign-in"
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@in_one_world("new", ["short", PASSWORD, "alice@example.com", "password123456", "x" * 257])
def test_a_weak_password_is_refused_at_its_field(new: str, alice: Any, api_of: Any) -> None:
    # R1.2
    api = api_of(alice)
    assert fields(api.post("profile/password", {"current_password": PASSWORD, "new_password": new})) == {"new_password"}
    assert api.get("profile").status_code == 200


def test_a_session_that_ended_meanwhile_changes_no_password(alice: Any, api_of: Any, monkeypatch: Any) -> None:
    # Its owner has just signed the thief out.
    from accounts.sign_in.passwords import change as passwords

    api = api_of(alice)
    original = passwords.choose_password

    def choose(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        user_sessions.mark_one_ended(api.tokens.session)

    monkeypatch.setattr(passwords, "choose_password", choose)
    assert told(api.post("profile/password", {"current_password": PASSWORD, "new_password": NEW})) == INVALID
    assert User.objects.get(pk=alice.pk).check_password(PASSWORD)
    assert "PASSWORD_CHANGED" not in actions(alice)


def test_a_cookie_that_comes_along_is_left_as_it_is(alice: Any, bob: Any, api_of: Any, browser_of: Any) -> None:
    # R8.2: a hash that is renewed on the way does not begin a session of the pages either.
    api, browser = api_of(alice), browser_of(bob)
    before = dict(browser.session)
    for client, cookies in ((browser, 1), (api.client, 0)):
        User.objects.filter(pk=alice.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
        api.client = client
        wrong = {"email": "a@new.example.com", "password": PASSWORD, "code": "000000"}
        assert told(api.post("profile/email", wrong)) in {(422, "wrong_code"), (429, "try_again_in")}
        assert User.objects.get(pk=alice.pk).password.startswith("argon2$"), "else the test would prove nothing"
        assert len([name for name in client.cookies if "session" in name]) == cookies
    assert dict(browser.session) == before
    assert browser.get("/profile/").status_code == 200


# --- A PIN -----------------------------------------------------------------------------------------------------


def test_a_pin_is_set_changed_and_removed_for_a_code_each(alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8
    api = api_of(alice)
    for pin in (PIN, "271827"):
        assert api.put("profile/pin", {"pin": pin, "code": fresh_code(alice)}).status_code == 204
        assert check_password(pin, User.objects.get(pk=alice.pk).pin_hash)
    assert api.get("profile").json()["has_pin"] is True
    assert api.delete("profile/pin", {"code": fresh_code(alice)}).status_code == 204
    assert api.get("profile").json()["has_pin"] is False
    assert told(api.delete("profile/pin", {"code": fresh_code(alice)})) == (409, "no_pin")
    assert actions(alice)[1:] == ["PIN_CHANGED", "PIN_CHANGED", "PIN_REMOVED"]
    assert len(mails(alice.email)) == 3
    assert not any(PIN in mail.message for mail in mails())


@proves("V7.5.1")
def test_no_pin_without_a_fresh_code(alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.8
    api, code = api_of(alice), code_of(alice)
    assert told(api.put("profile/pin", {"pin": PIN, "code": wrong_code_for(code)})) == (422, "wrong_code")
    assert told(api.put("profile/pin", {"pin": PIN, "code": code})) == (429, "try_again_in")
    assert fields(api.put("profile/pin", {"pin": PIN})) == {"code"}
    assert told(api.delete("profile/pin")) == (422, "invalid")
    assert not User.objects.get(pk=alice.pk).has_pin


@in_one_world("pin", ["12345", "1234567", "12345a", "٨٠٥٩١٣", "", 805913])
def test_a_pin_is_six_digits_as_text(pin: Any, alice: Any, api_of: Any, code_of: Any) -> None:
    assert fields(api_of(alice).put("profile/pin", {"pin": pin, "code": code_of(alice)})) == {"pin"}


def test_a_pin_that_all_try_first_uses_up_no_code(alice: Any, api_of: Any, code_of: Any) -> None:
    api, code = api_of(alice), code_of(alice)
    assert told(api.put("profile/pin", {"pin": "123456", "code": code})) == (422, "invalid_pin")
    assert api.put("profile/pin", {"pin": PIN, "code": code}).status_code == 204


def test_a_locked_pin_is_neither_replaced_nor_removed(alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.4: a guesser could go on guessing.
    User.objects.filter(pk=alice.pk).update(pin_hash=make_password(PIN), pin_locked_at=alice.created_at)
    api = api_of(alice)
    assert api.get("profile").json()["pin_is_locked"] is True
    assert told(api.put("profile/pin", {"pin": "271827", "code": fresh_code(alice)})) == (409, "pin_locked")
    assert told(api.delete("profile/pin", {"code": fresh_code(alice)})) == (409, "pin_locked")


# --- Recovery codes and authenticator --------------------------------------------------------------------------


def test_new_recovery_codes_are_told_once_and_void_the_old(alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8
    api = api_of(alice)
    old = api.post("profile/recovery-codes", {"code": fresh_code(alice)})
    assert old.status_code == 201
    new = api.post("profile/recovery-codes", {"code": fresh_code(alice)}).json()["recovery_codes"]
    assert len(set(new + old.json()["recovery_codes"])) == 20
    assert two_factor.use_recovery_code(alice, old.json()["recovery_codes"][0]) is None
    assert two_factor.use_recovery_code(alice, new[0]) is not None
    assert api.get("profile").json()["recovery_codes_left"] == 9
    assert subjects(alice)[:2] == ["You have new recovery codes"] * 2


@proves("V7.5.1")
@in_one_world("path", ["profile/recovery-codes", "profile/authenticator"])
def test_nothing_of_it_without_a_fresh_code(path: str, alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.8
    api = api_of(alice)
    assert told(api.post(path, {"code": wrong_code_for(code_of(alice))})) == (422, "wrong_code")
    assert told(api.post(path, {"code": code_of(alice)})) == (429, "try_again_in")
    assert fields(api.post(path, {"code": "!"})) == {"code"}
    assert fields(api.post(path, {})) == {"code"}
    assert not RecoveryCode.objects.exists()
    assert TotpDevice.objects.get(user=alice).confirmed


def begun(api: Any, code: str) -> Any:
    answer = api.post("profile/authenticator", {"code": code})
    assert answer.status_code == 201
    return answer.json()


def confirm(api: Any, token: str, code: str) -> Any:
    return api.post("profile/authenticator/confirm", {"replacement_token": token, "code": code})


def with_tokens_of(answer: Any) -> ApiClient:
    """Return a program that goes on with the tokens of this answer."""
    tokens = answer.json()
    return ApiClient(Tokens(UUID(tokens["session"]), tokens["access_token"], tokens["refresh_token"]))


def code_on_the_new_one(user: Any) -> str:
    return f"{TotpDevice.objects.get(user=user, confirmed=False).totp().token():06d}"


def test_another_app_takes_the_place_of_the_old_one(alice: Any, api_of: Any, code_of: Any, browser_of: Any) -> None:
    # R1.8: all other sessions end.
    api, other, browser = api_of(alice), api_of(alice), browser_of(alice)
    before = TotpDevice.objects.get(user=alice)
    new = begun(api, code_of(alice))
    assert new["secret"] in new["provisioning_uri"]
    assert new["expires_in"] == 600
    answer = confirm(api, new["replacement_token"], code_on_the_new_one(alice))
    assert answer.status_code == 200
    assert len(answer.json()["recovery_codes"]) == 10
    after = TotpDevice.objects.get(user=alice)
    assert (after.pk != before.pk, after.confirmed) == (True, True)
    old, api = api, with_tokens_of(answer)
    assert api.get("profile").json()["recovery_codes_left"] == 10
    assert told(other.get("profile")) == INVALID
    assert told(old.get("profile")) == INVALID
    assert browser.get("/profile/").status_code == 302
    assert "TWO_FACTOR_REPLACED" in actions(alice)
    assert len(mails(alice.email)) == 1
    again = confirm(api, new["replacement_token"], "123456")
    assert told(again) == (409, "nothing_to_replace")


@proves("V7.2.4")
def test_another_app_gives_new_tokens_and_ends_the_former_ones(alice: Any, api_of: Any, code_of: Any) -> None:
    # A copy of the former tokens opens nothing, and renews nothing.
    api = api_of(alice)
    new = begun(api, code_of(alice))
    answer = confirm(api, new["replacement_token"], code_on_the_new_one(alice))
    tokens = answer.json()
    assert tokens["session"] != str(api.tokens.session)
    assert told(api.get("auth/session")) == INVALID
    assert told(ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})) == INVALID
    assert with_tokens_of(answer).get("auth/session").json()["id"] == tokens["session"]
    assert ApiClient().post("auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 200


def test_a_session_that_ended_meanwhile_replaces_no_app(
    alice: Any, api_of: Any, code_of: Any, monkeypatch: Any
) -> None:
    api = api_of(alice)
    device = TotpDevice.objects.get(user=alice)
    new = begun(api, code_of(alice))
    original = authenticator.replace_by

    def replace_by(*args: Any, **kwargs: Any) -> Any:
        user_sessions.mark_one_ended(api.tokens.session)
        return original(*args, **kwargs)

    monkeypatch.setattr(authenticator, "replace_by", replace_by)
    assert told(confirm(api, new["replacement_token"], code_on_the_new_one(alice))) == INVALID
    assert TotpDevice.objects.get(user=alice, confirmed=True) == device
    assert "TWO_FACTOR_REPLACED" not in actions(alice)


def test_a_wrong_code_of_the_new_app_replaces_nothing(alice: Any, api_of: Any, code_of: Any) -> None:
    api = api_of(alice)
    token = begun(api, code_of(alice))["replacement_token"]
    assert told(confirm(api, token, wrong_code_for(code_on_the_new_one(alice)))) == (422, "wrong_code")
    assert TotpDevice.objects.filter(user=alice, confirmed=True).count() == 1


@proves("V9.2.2")
def test_the_token_is_of_its_session_its_user_and_its_use(alice: Any, charlie: Any, api_of: Any, code_of: Any) -> None:
    # R1.8: a thief who sees the answer of one session must not finish in another.
    api, other, stranger = api_of(alice), api_of(alice), api_of(charlie)
    token = begun(api, code_of(alice))["replacement_token"]
    nothing = (409, "nothing_to_replace")
    for client in (other, stranger):
        assert told(confirm(client, token, code_on_the_new_one(alice))) == nothing
    for no_token in ("nonsense", api.tokens.access_token):
        assert told(confirm(api, no_token, code_on_the_new_one(alice))) == nothing
    assert told(ApiClient().get("profile", Authorization=f"Bearer {token}")) == INVALID
    rows, recovery = two_factor.new_recovery_codes(alice)
    alice.recovery_codes.bulk_create(rows)
    begun(api, recovery[0])
    assert told(confirm(api, token, code_on_the_new_one(alice))) == nothing, "the last one begun counts"
    assert fields(confirm(api, "", "123456")) == {"replacement_token"}


@in_one_world("by_recovery_code", [True, False])
def test_after_a_recovery_code_money_to_strangers_waits_a_day(
    alice: Any, api_of: Any, code_of: Any, by_recovery_code: bool
) -> None:
    # R1.8: as on the pages, and the holder of the token cannot say otherwise.
    api = api_of(alice)
    rows, recovery = two_factor.new_recovery_codes(alice)
    alice.recovery_codes.bulk_create(rows)
    new = begun(api, recovery[0] if by_recovery_code else code_of(alice))
    assert confirm(api, new["replacement_token"], code_on_the_new_one(alice)).status_code == 200
    alice.refresh_from_db()
    assert (alice.hardened_at is not None) is by_recovery_code
    entry = AuditEntry.objects.get(action="TWO_FACTOR_REPLACED")
    assert entry.details == {"by": "recovery_code" if by_recovery_code else "app"}


def test_a_cookie_beside_the_token_is_left_as_it_is(
    alice: Any, bob: Any, browser_of: Any, api_of: Any, fresh_code: Any
) -> None:
    # R8.2: a form on another site cannot end a person's session with a token of its own.
    browser, api = browser_of(bob), api_of(alice)
    key = browser.session.session_key
    headers = {"Authorization": f"Bearer {api.tokens.access_token}"}
    body = {"code": fresh_code(alice)}
    answer = browser.post("/api/v1/profile/recovery-codes", body, content_type="application/json", headers=headers)
    assert answer.status_code == 201
    assert browser.session.session_key == key


@proves("V9.2.1")
def test_it_waits_ten_minutes(alice: Any, api_of: Any, code_of: Any) -> None:
    import time_machine
    from django.utils import timezone

    api = api_of(alice)
    token = begun(api, code_of(alice))["replacement_token"]
    with time_machine.travel(timezone.now().timestamp() + 601, tick=False):
        assert told(confirm(api, token, code_on_the_new_one(alice))) == (409, "nothing_to_replace")


# --- However requests fall ----------------------------------------------------------------------------------------


def test_tokens_are_renewed_for_an_open_session_of_ones_own_only(alice: Any, bob: Any, api_of: Any) -> None:
    from django.db import transaction

    from accounts.programs.tokens import TokenInvalid

    for session in (api_of(bob).tokens.session, uuid4()):
        with transaction.atomic(), pytest.raises(TokenInvalid):
            api_sessions.renew_all(actor=alice, session=session)
