"""Signing in through the API: password or PIN, always with the code, and one answer for every failure (R7.1, R1.4)."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import ApiRefreshToken, KnownDevice, TotpDevice, User, UserSession
from accounts.sign_in import two_factor
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from foundation.request_context import trusted_networks
from tests.acts import WRONG_PASSWORD, give_password, mails, wrong_code_for
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

PIN = "805913"
REFUSED = (401, "sign_in_refused")


def by_password(user: Any, code: str, **changes: Any) -> dict[str, Any]:
    return {"email": user.email, "password": PASSWORD, "code": code} | changes


def by_pin(user: Any, code: str, **changes: Any) -> dict[str, Any]:
    return {"email": user.email, "pin": PIN, "code": code} | changes


@pytest.fixture(autouse=True)
def _often(settings: Any) -> None:
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def with_pin(alice: Any, settings: Any) -> Any:
    settings.API_PIN_LOGIN = True
    alice.pin_hash = make_password(PIN)
    alice.save()
    return alice


def test_password_and_code_give_two_tokens(alice: Any, api_of: Any, code_of: Any) -> None:
    # R7.1
    answer = api_of(None).post("auth/login", by_password(alice, code_of(alice)), User_Agent="curl/8.0")
    tokens = answer.json()
    assert answer.status_code == 200
    assert (tokens["token_type"], tokens["expires_in"], tokens["refresh_expires_in"]) == ("Bearer", 900, 604_800)
    session = UserSession.objects.get()
    assert (session.kind, session.user_agent, session.ip) == ("api", "curl/8.0", "127.0.0.1")
    assert UUID(tokens["session"]) == session.public_id
    [entry] = AuditEntry.objects.filter(action="LOGIN_SUCCESS")
    assert (entry.actor_id, entry.details) == (alice.pk, {"by": "api"})
    alice.refresh_from_db()
    assert alice.last_login is not None


@proves("V14.2.4")
def test_no_token_is_kept(alice: Any, api_of: Any, code_of: Any) -> None:
    # R7.1: a read of the database yields none, nor the id of one.
    tokens = api_of(None).post("auth/login", by_password(alice, code_of(alice))).json()
    row = ApiRefreshToken.objects.get()
    assert len(row.jti_digest) == 64
    assert row.jti_digest not in tokens["refresh_token"]
    assert str(row).startswith("alice@example.com since 20")


def test_a_recovery_code_will_do(alice: Any, api_of: Any) -> None:
    # R1.3
    rows, codes = two_factor.new_recovery_codes(alice)
    alice.recovery_codes.bulk_create(rows)
    assert api_of(None).post("auth/login", by_password(alice, codes[0])).status_code == 200
    assert told(api_of(None).post("auth/login", by_password(alice, codes[0]))) == REFUSED


@proves("V6.3.8")
def test_every_failure_gives_the_same_answer(alice: Any, make_user: Any, api_of: Any, code_of: Any) -> None:
    # R1.2: which of them it was is not told.
    locked, gone, bare = make_user("Lou"), make_user("Greta"), make_user("Dora", two_factor=False)
    User.objects.filter(pk=locked.pk).update(locked_at=locked.created_at)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    api, right = api_of(None), code_of(alice)
    tries = [
        by_password(alice, right, email="nobody@example.com"),
        by_password(alice, right, password=WRONG_PASSWORD),
        by_password(alice, wrong_code_for(right)),
        by_password(locked, code_of(locked)),
        by_password(gone, code_of(gone)),
        by_password(bare, "123456"),
    ]
    answers = [api.post("auth/login", data) for data in tries]
    assert {told(answer) for answer in answers} == {REFUSED}
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert all(answer["WWW-Authenticate"] == "Bearer" for answer in answers)
    assert not UserSession.objects.exists()


@proves("V6.3.1", "V6.3.4")
def test_guesses_count_together_with_those_on_the_pages(alice: Any, client: Any, api_of: Any, code_of: Any) -> None:
    # R1.4
    for _ in range(3):
        give_password(client, alice.email, WRONG_PASSWORD)
    for _ in range(1):
        api_of(None).post("auth/login", by_password(alice, "123456", password=WRONG_PASSWORD))
    last = api_of(None).post("auth/login", by_password(alice, "123456", password=WRONG_PASSWORD))
    assert told(last) == (429, "locked_out")
    assert int(last["Retry-After"]) in range(590, 601)
    assert told(api_of(None).post("auth/login", by_password(alice, code_of(alice)))) == (429, "locked_out")
    elsewhere = api_of(None, REMOTE_ADDR="203.0.113.9").post("auth/login", by_password(alice, code_of(alice)))
    assert elsewhere.status_code == 200


@proves("V6.3.1")
def test_six_in_a_minute_from_one_network_are_one_too_many(
    alice: Any, api_of: Any, code_of: Any, settings: Any
) -> None:
    # R7.4: right ones count too.
    settings.API_LOGINS_PER_MINUTE = 5
    api, left = api_of(None), []
    for number in range(5):
        answer = api.post("auth/login", by_password(alice, "123456", email=f"nobody{number}@example.com"))
        left.append(answer["RateLimit"])
        assert answer["RateLimit-Policy"] == '"login";q=5;w=60'
    assert left == [f'"login";r={number};t=60' for number in (4, 3, 2, 1, 0)]
    sixth = api.post("auth/login", by_password(alice, code_of(alice)))
    assert told(sixth) == (429, "too_often")
    assert 0 < int(sixth["Retry-After"]) <= 60
    assert sixth["RateLimit"] == f'"login";r=0;t={sixth["Retry-After"]}'
    elsewhere = api_of(None, REMOTE_ADDR="203.0.113.9").post("auth/login", by_password(alice, code_of(alice)))
    assert elsewhere.status_code == 200


@proves("V4.1.3")
@in_one_world("client", ["203.0.113.{}:4711", "[2001:db8:{}::1]:4711", "[2001:db8:{}::1]"])
def test_clients_of_a_proxy_that_writes_ports_are_counted_apart(
    client: str, alice: Any, api_of: Any, code_of: Any, settings: Any
) -> None:
    """R1.4, F2: they were one, so five sign-ins a minute were all that the whole bank had."""
    settings.API_LOGINS_PER_MINUTE = 5
    settings.TRUSTED_PROXIES = trusted_networks(["127.0.0.1"])
    wrong = by_password(alice, "123456", email="nobody@example.com")
    for number in range(6):
        through = api_of(None, REMOTE_ADDR="::ffff:127.0.0.1", HTTP_X_FORWARDED_FOR=client.format(number))
        assert told(through.post("auth/login", wrong)) == REFUSED
    assert told([through.post("auth/login", wrong) for _ in range(5)][-1]) == (429, "too_often")


def test_who_must_change_the_password_is_sent_to_do_so(make_user: Any, api_of: Any, code_of: Any) -> None:
    # R9.2
    user = make_user("Mona", must_change_password=True)
    answer = api_of(None).post("auth/login", by_password(user, code_of(user)))
    assert told(answer) == (403, "password_change_required")
    assert not UserSession.objects.exists()


@proves("V6.3.5")
def test_a_program_not_seen_before_is_told_by_mail(alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.8: the same words from the same network are the same program; the first sign-in is not told.
    def sign_in(agent: str, address: str) -> None:
        TotpDevice.objects.update(last_step=-1)
        api = api_of(None, REMOTE_ADDR=address)
        assert api.post("auth/login", by_password(alice, code_of(alice)), User_Agent=agent).status_code == 200

    sign_in("curl/8.0", "192.0.2.1")
    sign_in("curl/8.0", "192.0.2.1")
    assert mails(alice.email) == []
    sign_in("curl/8.0", "192.0.2.2")
    sign_in("Wget/1.21", "192.0.2.1")
    assert len(mails(alice.email)) == 2
    assert "API: curl" in mails(alice.email)[0].message
    assert KnownDevice.objects.count() == 3


# --- By PIN ---------------------------------------------------------------------------------------------------


def test_a_pin_signs_in_with_the_code_where_the_bank_allows_it(
    with_pin: Any, api_of: Any, code_of: Any, settings: Any
) -> None:
    # R1.4
    settings.API_PIN_LOGIN = False
    assert told(api_of(None).post("auth/login", by_pin(with_pin, code_of(with_pin)))) == (403, "pin_login_off")
    settings.API_PIN_LOGIN = True
    assert api_of(None).post("auth/login", by_pin(with_pin, code_of(with_pin))).status_code == 200


def test_three_wrong_pins_lock_the_pin_and_not_the_password(with_pin: Any, api_of: Any, code_of: Any) -> None:
    # R1.4: each with a right code.
    def sign_in(data: dict[str, Any]) -> Any:
        TotpDevice.objects.update(last_step=-1)
        return api_of(None).post("auth/login", data)

    for _ in range(3):
        assert told(sign_in(by_pin(with_pin, code_of(with_pin), pin="314159"))) == REFUSED
    with_pin.refresh_from_db()
    assert with_pin.pin_locked_at is not None
    assert told(sign_in(by_pin(with_pin, code_of(with_pin)))) == REFUSED
    # Wrong ones count as guesses too: seen from elsewhere, where none were made.
    TotpDevice.objects.update(last_step=-1)
    elsewhere = api_of(None, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.post("auth/login", by_password(with_pin, code_of(with_pin))).status_code == 200


@proves("V6.1.1")
def test_without_a_right_code_nobody_can_lock_a_pin(with_pin: Any, api_of: Any, code_of: Any) -> None:
    # R1.4: otherwise strangers could lock anybody's.
    for _ in range(4):
        answer = api_of(None).post("auth/login", by_pin(with_pin, wrong_code_for(code_of(with_pin)), pin="314159"))
        assert told(answer) == REFUSED
    with_pin.refresh_from_db()
    assert (with_pin.pin_failures, with_pin.pin_locked_at) == (0, None)


def test_the_answer_does_not_say_whether_the_pin_was_wrong(with_pin: Any, bob: Any, api_of: Any, code_of: Any) -> None:
    # R1.2: unknown, without a PIN, or locked out as a guesser.
    assert told(api_of(None).post("auth/login", by_pin(bob, code_of(bob)))) == REFUSED
    unknown = by_pin(bob, "123456", email="nobody@example.com")
    answers = [told(api_of(None).post("auth/login", unknown)) for _ in range(6)]
    assert answers == [REFUSED] * 4 + [(429, "locked_out")] * 2
    assert AuditEntry.objects.filter(action="LOGIN_FAILURE", actor_label="nobody@example.com").count() == 6


@in_one_world("extra", [{}, {"password": PASSWORD, "pin": PIN}])
def test_it_is_either_a_password_or_a_pin(extra: dict[str, str], alice: Any, api_of: Any) -> None:
    data = {"email": alice.email, "code": "123456"} | extra
    assert told(api_of(None).post("auth/login", data)) == (422, "invalid")


def test_a_user_locked_between_password_and_code_gets_no_session(alice: Any) -> None:
    # R1.5: an act that ends sessions is seen by a session that begins.
    from accounts.programs import sessions as api_sessions
    from accounts.sign_in.signing_in import SignInRefused

    device = TotpDevice.objects.get(user=alice)
    for change in ({"locked_at": alice.created_at}, {"locked_at": None, "password": "another"}):
        User.objects.filter(pk=alice.pk).update(**change)
        with pytest.raises(SignInRefused):
            api_sessions.begin(user=alice, device=device, origin=Origin())
    User.objects.filter(pk=alice.pk).update(password=alice.password)
    TotpDevice.objects.all().delete()
    with pytest.raises(SignInRefused):
        api_sessions.begin(user=alice, device=device, origin=Origin())
    assert not UserSession.objects.exists()
