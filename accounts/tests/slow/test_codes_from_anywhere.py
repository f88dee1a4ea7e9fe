"""Codes: strangers learn nothing by them and keep nobody out, and all networks together get nowhere (R1.2 to R1.4)."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import User
from accounts.sign_in import guesses
from accounts.sign_in.guesses import Door
from accounts.tests.test_codes_from_anywhere import MOST, PIN
from tests.acts import at_once
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
def test_exactly_so_when_they_come_at_once(alice: Any) -> None:
    looked_at: list[str] = []

    def guess() -> None:
        with guesses.from_anywhere(guesses.Guess(), email=alice.email, door=Door.NOTHING):
            looked_at.append("wrong")

    for _ in range(4):
        at_once(*[guess] * 16)
    assert len(looked_at) == MOST
