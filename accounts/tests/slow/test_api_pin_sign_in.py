"""A PIN signs in only where the bank says so, always with the code, and three wrong ones lock it (R1.4, R7.1)."""

import time
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import RecoveryCode, User
from accounts.sign_in import pins, two_factor
from accounts.tests.test_api_pin_sign_in import PIN, REFUSED, WRONG
from audit.models import AuditEntry
from tests.acts import at_once
from tests.api_client import told
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.API_PIN_LOGIN = True
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def alice(alice: Any) -> Any:
    User.objects.filter(pk=alice.pk).update(pin_hash=make_password(PIN))
    alice.refresh_from_db()
    return alice


@proves("V6.3.1")
@pytest.mark.django_db(transaction=True)
def test_of_forty_wrong_pins_at_once_three_are_looked_at(alice: Any, api_of: Any, monkeypatch: Any) -> None:
    # R1.4: each from its own network and with its own recovery code, so that only the PIN's count stops them; and
    # slowed, so that they overlap.
    codes: list[str] = []
    for _ in range(4):
        rows, more = two_factor.new_recovery_codes(alice)
        RecoveryCode.objects.bulk_create(rows)
        codes += more
    looked_at: list[str] = []
    original = pins.hashing.check_and_renew

    def check(pin_hash: str, pin: str, **kwargs: Any) -> bool:
        looked_at.append(pin)
        time.sleep(0.5)
        return original(pin_hash, pin, **kwargs)

    monkeypatch.setattr(pins.hashing, "check_and_renew", check)

    def guess(number: int, code: str) -> Any:
        api = api_of(None, REMOTE_ADDR=f"10.{number}.0.1")
        return lambda: api.post("auth/login", {"email": alice.email, "pin": WRONG, "code": code})

    answers = at_once(*[guess(number, code) for number, code in enumerate(codes)])
    assert len(answers) == 40
    assert {told(answer) for answer in answers} == {REFUSED}
    assert looked_at == [WRONG] * 3
    alice.refresh_from_db()
    assert (alice.pin_failures, alice.pin_locked_at is not None) == (3, True)
    assert AuditEntry.objects.filter(action="PIN_REFUSED").count() == 3
    assert AuditEntry.objects.filter(action="PIN_LOCKED").count() == 1
