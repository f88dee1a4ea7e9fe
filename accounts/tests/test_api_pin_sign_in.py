"""A PIN signs in only where the bank says so, always with the code, and three wrong ones lock it (R1.4, R7.1)."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import TotpDevice, User, UserSession
from audit.models import AuditEntry
from tests.acts import mails
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

PIN, WRONG = "805913", "271828"
REFUSED = (401, "sign_in_refused")


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.API_PIN_LOGIN = True
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def alice(alice: Any) -> Any:
    User.objects.filter(pk=alice.pk).update(pin_hash=make_password(PIN))
    alice.refresh_from_db()
    return alice


def sign_in(api: Any, user: Any, code: str | None, pin: str = PIN) -> Any:
    TotpDevice.objects.update(last_step=-1)
    body = {"email": user.email, "pin": pin} | ({} if code is None else {"code": code})
    return api.post("auth/login", body)


def test_one_that_was_set_through_the_api_signs_in(bob: Any, api_of: Any, code_of: Any) -> None:
    # R1.8
    assert told(sign_in(api_of(None), bob, code_of(bob))) == REFUSED
    TotpDevice.objects.update(last_step=-1)
    assert api_of(bob).put("profile/pin", {"pin": PIN, "code": code_of(bob)}).status_code == 204
    assert sign_in(api_of(None), bob, code_of(bob)).status_code == 200
    [entry, *_] = AuditEntry.objects.filter(action="LOGIN_SUCCESS").order_by("-id")
    assert entry.actor_id == bob.pk


@proves("V6.3.3")
def test_never_without_the_code(alice: Any, api_of: Any) -> None:
    # R7.1
    for code in (None, "", "12345"):
        answer = sign_in(api_of(None), alice, code)
        assert told(answer) == (422, "invalid")
        assert [error["field"] for error in answer.json()["errors"]] == ["code"]
    assert told(sign_in(api_of(None), alice, "000000")) == REFUSED
    assert not UserSession.objects.exists()


@proves("V6.3.4")
def test_switched_off_it_is_refused_and_looked_at_by_nobody(
    alice: Any, api_of: Any, code_of: Any, settings: Any
) -> None:
    # R7.1: right or wrong, known or not; nothing is counted.
    settings.API_PIN_LOGIN = False
    for _ in range(4):
        for pin in (PIN, WRONG):
            assert told(sign_in(api_of(None), alice, code_of(alice), pin)) == (403, "pin_login_off")
    alice.refresh_from_db()
    assert (alice.pin_failures, alice.pin_locked_at) == (0, None)
    TotpDevice.objects.update(last_step=-1)
    login = {"email": alice.email, "password": PASSWORD, "code": code_of(alice)}
    assert api_of(None).post("auth/login", login).status_code == 200


def test_a_right_one_resets_the_count(alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.4
    for pins in ((WRONG, WRONG, PIN), (WRONG, WRONG, PIN)):
        statuses = [sign_in(api_of(None), alice, code_of(alice), pin).status_code for pin in pins]
        assert statuses == [401, 401, 200]
    alice.refresh_from_db()
    assert (alice.pin_failures, alice.pin_locked_at) == (0, None)


def test_the_third_wrong_one_locks_until_staff_unlock(alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.4: from any network; recorded and told once.
    for number in range(3):
        api = api_of(None, REMOTE_ADDR=f"203.0.{number}.9")
        assert told(sign_in(api, alice, code_of(alice), WRONG)) == REFUSED
    api = api_of(None, REMOTE_ADDR="198.51.100.9")
    assert told(sign_in(api, alice, code_of(alice))) == REFUSED
    alice.refresh_from_db()
    assert alice.pin_locked_at is not None
    assert AuditEntry.objects.filter(action="PIN_REFUSED", concerns_id=alice.pk).count() == 3
    assert AuditEntry.objects.filter(action="PIN_LOCKED", concerns_id=alice.pk).count() == 1
    assert [mail.subject for mail in mails(alice.email)] == ["Your PIN for apps is locked"]
    assert not UserSession.objects.exists()
