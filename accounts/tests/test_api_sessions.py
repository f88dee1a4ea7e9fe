"""The tokens of the API: what they are, how they are renewed, and that they end at once (R7.1, R1.5, R1.8)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine
from django.conf import settings as bank
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import ApiRefreshToken, TotpDevice, User, UserSession
from accounts.programs import sessions as api_sessions
from accounts.programs import tokens as api_tokens
from accounts.programs.tokens import TokenInvalid, Use
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from tests.acts import cleaned_up, mails
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import agree, fresh_code
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 3, 8, tzinfo=UTC)
INVALID = (401, "token_invalid")


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


def is_in(api: ApiClient) -> bool:
    answer = api.get("auth/session")
    assert answer.status_code == 200 or told(answer) == INVALID
    return answer.status_code == 200


def renewed(api: ApiClient) -> Any:
    return api_sessions.refresh(refresh_token=api.tokens.refresh_token)  # type: ignore[union-attr]


# --- What an access token is ------------------------------------------------------------------------------------


@proves("V9.2.4", "V10.3.3")
def test_an_access_token_says_who_for_whom_and_for_how_long(alice: Any, api_of: Any, clock: Any) -> None:
    # R7.1
    token = api_of(alice).tokens.access_token
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "k1", "typ": "at+jwt"}
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(MORNING.timestamp())
    assert claims.pop("jti") != claims.pop("sid")
    assert claims == {
        "iss": "http://testserver",
        "aud": "http://testserver/api/v1/",
        "sub": str(alice.public_id),
        "iat": now,
        "nbf": now - 24 * 3600,
        "exp": now + 900,
    }


def test_it_lasts_fifteen_minutes(alice: Any, api_of: Any, clock: Any) -> None:
    # R7.1
    api = api_of(alice)
    clock.shift(899)
    assert is_in(api)
    clock.shift(1)
    assert not is_in(api)


def test_a_clock_that_is_set_back_signs_nobody_out(alice: Any, api_of: Any, clock: Any) -> None:
    """R7.1: the codes of phones, whose clocks are right, would let nobody in again. The worker asked has not seen the
    token before."""
    api = api_of(alice)
    clock.shift(-3600)
    api_tokens._read_lately.clear()
    assert is_in(api)
    assert renewed(api).access_token


def forged(api: ApiClient, **changes: Any) -> str:
    """Return the token of `api`, signed as the bank signs, with other claims."""
    claims = jwt.decode(api.tokens.access_token, options={"verify_signature": False})  # type: ignore[union-attr]
    kid, key = next(iter(bank.TOKEN_KEYS.items()))
    header, key = {"kid": kid, "typ": "at+jwt"} | changes.pop("header", {}), changes.pop("key", key)
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, key, algorithm="HS256", headers=header)


def with_header(api: ApiClient, **changes: Any) -> str:
    """Return the token of `api` under another header, which its signature does not cover, or without any."""
    claims, signature = api.tokens.access_token.split(".")[1:]  # type: ignore[union-attr]
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "k1"} | changes
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{text}.{claims}.{'' if header['alg'] == 'none' else signature}"


FORGERIES: dict[str, Any] = {
    "no signature at all": lambda api: with_header(api, alg="none"),
    "another key": lambda api: forged(api, key=b"another key of thirty-two bytes!"),
    "an unknown key": lambda api: forged(api, header={"kid": "k9"}),
    "no key id": lambda api: with_header(api, kid=None),
    "a list for a key id": lambda api: with_header(api, kid=["k1"]),
    "another algorithm": lambda api: with_header(api, alg="HS512"),
    "another audience": lambda api: forged(api, aud="http://testserver/api/v2/"),
    "two audiences": lambda api: forged(api, aud=["http://testserver/api/v1/", "x"]),
    "another issuer": lambda api: forged(api, iss="http://evil.example"),
    "another type": lambda api: forged(api, header={"typ": "JWT"}),
    "from the future": lambda api: forged(api, nbf=int(timezone.now().timestamp()) + 60),
    "no end": lambda api: forged(api, exp=None),
    "no id": lambda api: forged(api, jti=None),
    "no session": lambda api: forged(api, sid=None),
    "another session": lambda api: forged(api, sid=str(uuid4())),
    "a session that is no id": lambda api: forged(api, sid="1 OR 1=1"),
    "another user": lambda api: forged(api, sub=str(uuid4())),
    "a user that is no id": lambda api: forged(api, sub="1"),
    "a refresh token": lambda api: api.tokens.refresh_token,
    "nothing": lambda api: "",
    "nonsense": lambda api: "a.b.c",
    "letters of another script": lambda api: "é.é.é",
    "a very long one": lambda api: "x" * 100_000,
}


@proves("V6.8.2", "V9.1.1", "V9.1.2", "V9.1.3", "V9.2.1", "V9.2.3", "V10.3.1")
@in_one_world("forgery", FORGERIES)
def test_a_token_that_the_bank_did_not_make_so_opens_nothing(forgery: str, alice: Any, api_of: Any) -> None:
    # R7.1
    api = api_of(alice)
    token = FORGERIES[forgery](api)
    answer = ApiClient().get("auth/session", Authorization=f"Bearer {token}")
    assert told(answer) == INVALID
    assert answer["WWW-Authenticate"] == "Bearer"
    assert is_in(api), "else the test would prove nothing"


@proves("V9.1.1")
def test_another_users_session_opens_nothing(alice: Any, bob: Any, api_of: Any) -> None:
    hers, his = api_of(alice), api_of(bob)
    token = forged(hers, sid=str(his.tokens.session))
    assert told(ApiClient().get("auth/session", Authorization=f"Bearer {token}")) == INVALID


def test_a_session_of_the_pages_is_not_one_of_the_api(alice: Any, api_of: Any) -> None:
    # R1.11
    api = api_of(alice)
    row = UserSession.objects.create(user=alice)
    token = forged(api, sid=str(row.public_id))
    assert told(ApiClient().get("auth/session", Authorization=f"Bearer {token}")) == INVALID


def test_an_old_key_still_opens_what_it_signed(alice: Any, api_of: Any, settings: Any) -> None:
    # R8.1
    api = api_of(alice)
    settings.TOKEN_KEYS = {"k2": b"2" * 32} | settings.TOKEN_KEYS
    assert is_in(api)
    assert jwt.get_unverified_header(renewed(api).access_token)["kid"] == "k2"
    settings.TOKEN_KEYS = {"k2": b"2" * 32}
    assert not is_in(api)


@proves("V14.2.2")
def test_recent_reads_are_not_kept_forever(alice: Any, api_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "_KEPT", 2)
    api_tokens._read_lately.clear()
    for _ in range(5):
        api = api_of(alice)
        assert is_in(api)
        assert is_in(api)  # this time it is known
        assert len(api_tokens._read_lately) <= 2
    assert not any(api.tokens.access_token in str(known) for known in api_tokens._read_lately)


@proves("V3.5.1")
@in_one_world("header", ["", "Bearer", "Basic YTpi", "Token {}", "Bearer  {}", "{}"])
def test_only_a_bearer_token_is_looked_at(header: str, alice: Any, api_of: Any) -> None:
    token = api_of(alice).tokens.access_token
    assert told(ApiClient().get("auth/session", Authorization=header.format(token))) == INVALID


@proves("V8.3.2")
def test_a_request_asks_for_session_user_and_role_in_one_statement(
    alice: Any, api_of: Any, django_assert_num_queries: Any
) -> None:
    token = api_of(alice).tokens.access_token
    with django_assert_num_queries(1):
        user, _ = api_sessions.user_of(token)
        assert user.role == "Customer"


# --- Renewing ---------------------------------------------------------------------------------------------------


def test_a_refresh_token_gives_new_tokens_once(alice: Any, api_of: Any) -> None:
    # R7.1
    api = api_of(alice)
    answer = ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})
    assert answer.status_code == 200
    new = answer.json()
    assert new["session"] == str(api.tokens.session)
    assert new["refresh_token"] != api.tokens.refresh_token
    assert ApiClient().get("auth/session", Authorization=f"Bearer {new['access_token']}").status_code == 200


@proves("V10.4.5")
def test_used_again_it_ends_the_session_and_all_tokens_of_it(alice: Any, api_of: Any) -> None:
    # R7.1
    api, other = api_of(alice), api_of(alice)
    second = renewed(api)
    third = api_sessions.refresh(refresh_token=second.refresh_token)
    again = ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})
    assert told(again) == INVALID
    for tokens in (api.tokens, second, third):
        assert not is_in(ApiClient(tokens))
        with pytest.raises(TokenInvalid):
            api_sessions.refresh(refresh_token=tokens.refresh_token)
    assert is_in(other), "another sign-in is another family"
    [entry] = AuditEntry.objects.filter(action="API_TOKEN_REUSED")
    assert (entry.actor_id, entry.concerns_id) == (None, alice.pk)
    assert [mail.subject for mail in mails(alice.email)] == ["A program of yours was signed out"]


def test_it_lasts_seven_days(alice: Any, api_of: Any, clock: Any) -> None:
    # R7.1
    api, other = api_of(alice), api_of(alice)
    clock.shift(timedelta(days=7, seconds=-1))
    new = renewed(api)
    clock.shift(1)
    with pytest.raises(TokenInvalid):
        renewed(other)
    assert is_in(ApiClient(new))


@proves("V7.3.2", "V10.4.8")
def test_ninety_days_after_signing_in_it_ends_however_often_it_was_renewed(
    alice: Any, api_of: Any, clock: Any, settings: Any
) -> None:
    # R1.6, ASVS V7.3.2: a program that was robbed, too, has to give both factors again.
    assert settings.API_SESSION_DAYS == 90
    api = api_of(alice)
    for _ in range(15):
        clock.shift(timedelta(days=6))
        api = ApiClient(renewed(api))
    assert is_in(api), "ninety days to the second"
    clock.shift(timedelta(seconds=1))
    refused = ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})
    assert told(refused) == INVALID
    over(api)
    assert UserSession.objects.get(public_id=api.tokens.session).ended_at == MORNING + timedelta(days=90, seconds=1)
    [entry] = AuditEntry.objects.filter(action="SESSION_EXPIRED")
    assert (entry.actor_id, entry.details) == (alice.pk, {"by": "api"})
    assert not AuditEntry.objects.filter(action="API_TOKEN_REUSED").exists()
    assert is_in(api_of(alice)), "signing in begins anew"


def test_one_that_is_too_old_is_not_listed(alice: Any, api_of: Any, clock: Any, settings: Any) -> None:
    settings.API_SESSION_DAYS = 2
    api_of(alice)
    clock.shift(timedelta(days=2, seconds=1))
    assert len(api_of(alice).get("auth/sessions").json()["items"]) == 1


@in_one_world("token", ["", "nonsense", "x" * 2001])
def test_anything_except_a_refresh_token_gives_nothing(token: str) -> None:
    assert told(ApiClient().post("auth/refresh", {"refresh_token": token}))[0] in {401, 422}


@proves("V9.2.2")
def test_an_access_token_refreshes_nothing(alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    assert told(api.post("auth/refresh", {"refresh_token": api.tokens.access_token})) == INVALID
    assert is_in(api)


def test_a_token_whose_row_is_gone_refreshes_nothing(alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    ApiRefreshToken.objects.all().delete()
    with pytest.raises(TokenInvalid):
        renewed(api)
    assert is_in(api)


# --- The end ----------------------------------------------------------------------------------------------------


def over(api: ApiClient) -> None:
    """Check that neither token works any more, on the next request already."""
    assert not is_in(api)
    with pytest.raises(TokenInvalid):
        renewed(api)


@proves("V7.4.1")
def test_signing_out_ends_it(alice: Any, api_of: Any) -> None:
    # R7.1
    api, other = api_of(alice), api_of(alice)
    assert api.post("auth/logout").status_code == 204
    over(api)
    assert is_in(other)
    assert AuditEntry.objects.filter(action="LOGOUT", actor_id=alice.pk).count() == 1


@proves("V7.4.2")
def test_a_locked_or_deactivated_user_is_out_at_once(alice: Any, api_of: Any) -> None:
    # A peer's fault: a locked user's old token still working.
    for change in ({"locked_at": MORNING}, {"is_active": False}):
        User.objects.filter(pk=alice.pk).update(locked_at=None, is_active=True)
        api = api_of(alice)
        User.objects.filter(pk=alice.pk).update(**change)
        over(api)


@proves("V7.4.5", "V8.3.2")
def test_what_staff_do_to_a_person_ends_it(alice: Any, ada: Any, api_of: Any, code_of: Any, make_user: Any) -> None:
    # R1.5, R1.7: and unlocking the user does not bring it back.
    from accounts.people import locking, role
    from accounts.roles import Role

    def act(verb: Any, **more: Any) -> None:
        TotpDevice.objects.update(last_step=-1)
        alice.refresh_from_db()
        given = {"reason": "A reason long enough", "code": code_of(ada), "origin": Origin()}
        verb(actor=ada, user=alice, **given, **more)

    api = api_of(alice)
    act(locking.lock_user)
    act(locking.unlock_user)
    over(api)
    api = api_of(alice)
    act(role.change_role, role=Role.SUPPORT)
    assert is_in(api)
    agree(make_user("Adam", Role.ADMIN))
    over(api)


@proves("V7.4.3")
def test_another_password_ends_it(alice: Any, api_of: Any, browser_of: Any) -> None:
    # R1.8
    api, browser, new = api_of(alice), browser_of(alice), "a sentence that only Alice thinks of"
    browser.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)
    over(api)


def test_a_role_taken_behind_the_services_back_opens_nothing(ada: Any, api_of: Any) -> None:
    # R1.7: the role is read on every request.
    token = api_of(ada).tokens.access_token
    ada.groups.set(Group.objects.none())
    user, _ = api_sessions.user_of(token)
    assert user.role is None


def test_who_must_change_the_password_does_that_first(alice: Any, api_of: Any) -> None:
    # R9.2
    api = api_of(alice)
    User.objects.filter(pk=alice.pk).update(must_change_password=True)
    assert told(api.get("auth/session")) == (403, "password_change_required")
    with pytest.raises(TokenInvalid):
        renewed(api)


# --- In the list of sessions ------------------------------------------------------------------------------------


@proves("V7.5.2", "V10.4.9")
def test_the_profile_lists_it_and_ends_it(alice: Any, api_of: Any, browser_of: Any) -> None:
    # R1.8
    api, browser = api_of(alice), browser_of(alice)
    page = browser.get("/profile/").content.decode()
    assert "through the API" in page
    browser.post(f"/profile/sessions/{api.tokens.session}/end/", {"code": fresh_code(alice)})
    over(api)
    again = api_of(alice)
    browser.post("/profile/sessions/end-others/", {"code": fresh_code(alice)})
    over(again)


@proves("V7.5.2", "V10.4.9")
def test_the_api_lists_sessions_and_ends_them(alice: Any, api_of: Any, browser_of: Any) -> None:
    # R1.8
    browser, other, api = browser_of(alice), api_of(alice), api_of(alice)
    shown = api.get("auth/sessions").json()["items"]
    assert [(one["kind"], one["is_present"]) for one in shown] == [("api", True), ("api", False), ("pages", False)]
    assert shown[0] == api.get("auth/session").json()
    assert shown[0]["created_at"].endswith("Z")
    assert api.delete(f"auth/sessions/{other.tokens.session}", {"code": fresh_code(alice)}).status_code == 204
    over(other)
    pages = next(one for one in shown if one["kind"] == "pages")
    assert api.delete(f"auth/sessions/{pages['id']}", {"code": fresh_code(alice)}).status_code == 204
    assert browser.get("/profile/").status_code == 302
    assert api.delete(f"auth/sessions/{api.tokens.session}").status_code == 204, "one's own needs no code"
    over(api)


@proves("V7.5.2")
@in_one_world("who", ["charlie", "sam", "ada"])
def test_nobody_ends_a_session_of_somebody_else(who: str, request: Any, alice: Any, api_of: Any) -> None:
    # R1.7
    person = request.getfixturevalue(who)
    hers, stranger = api_of(alice), api_of(person)
    for public_id in (hers.tokens.session, uuid4()):
        for body in (None, {"code": fresh_code(person)}):
            assert told(stranger.delete(f"auth/sessions/{public_id}", body)) == (404, "session_not_found")
    assert told(stranger.delete("auth/sessions/1")) == (404, "not_found")
    assert is_in(hers)


def test_one_that_nobody_refreshed_in_time_is_not_listed(alice: Any, api_of: Any, clock: Any) -> None:
    api_of(alice)
    clock.shift(timedelta(hours=9))
    here = api_of(alice)
    assert len(here.get("auth/sessions").json()["items"]) == 2, "idle hours do not end it, as they do on the pages"
    clock.shift(timedelta(days=7))
    assert len(api_of(alice).get("auth/sessions").json()["items"]) == 2


def test_last_use_is_noted_once_a_minute(alice: Any, api_of: Any, clock: Any) -> None:
    # Not a write for each request.
    api = api_of(alice)
    for seconds, noted in ((59, 0), (1, 60)):
        clock.shift(seconds)
        assert is_in(api)
        assert UserSession.objects.get().last_seen_at == MORNING + timedelta(seconds=noted)


def test_last_use_is_noted_by_a_clock_that_was_set_back(alice: Any, api_of: Any, clock: Any) -> None:
    # R1.8
    api = api_of(alice)
    clock.shift(-3600)
    assert is_in(api)
    assert UserSession.objects.get().last_seen_at == timezone.now()


def test_a_cookie_of_the_api_session_opens_no_page(alice: Any, api_of: Any, browser_of: Any) -> None:
    # R1.11
    browser, api = browser_of(alice), api_of(alice)
    session = browser.session
    session["user_session"] = str(api.tokens.session)
    session.save()
    assert browser.get("/profile/").status_code == 302


def test_expired_refresh_tokens_are_forgotten(alice: Any, api_of: Any, clock: Any) -> None:
    api_of(alice)
    clock.shift(timedelta(days=7, seconds=1))
    api_of(alice)
    assert "expired API refreshes: 1" in cleaned_up()
    assert ApiRefreshToken.objects.count() == 1


def test_a_token_without_a_session_is_refused() -> None:
    token = api_tokens.sign(Use.ACCESS, user=uuid4(), jti="x", now=timezone.now(), lasts=timedelta(minutes=1))
    with pytest.raises(TokenInvalid):
        _ = api_tokens.read(Use.ACCESS, token).session


@proves("V3.5.1")
def test_the_api_ignores_the_cookies_of_a_browser(alice: Any, browser_of: Any) -> None:
    # R8.2: no form of another site can ask in her name.
    browser: Client = browser_of(alice)
    assert told(browser.get("/api/v1/auth/session")) == INVALID
    assert told(browser.post("/api/v1/auth/logout")) == INVALID
    assert UserSession.objects.filter(user=alice, ended_at__isnull=True).count() == 1, "the page's is as it was"
