"""Three wrong PINs lock a PIN until staff unlock it, however many are tried at once (R1.4)."""

import time
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import User
from accounts.sign_in.pins import PinBusy, PinLocked, WrongPin, verify_pin
from accounts.tests.test_pin_checks import PIN, WRONG, actions, state_of, with_pin
from tests.acts import at_once, hashing, mails
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(alice: Any) -> Any:
    return with_pin(alice, make_password(PIN))


@proves("V6.3.1")
@pytest.mark.django_db(transaction=True)
def test_of_forty_parallel_wrong_pins_three_reach_the_hasher(alice: Any) -> None:
    # Slowed to what the hasher takes in production, so that the guesses do overlap.
    with hashing(before=lambda: time.sleep(0.2)) as runs:
        results = at_once(*[lambda: verify_pin(user=User.objects.get(pk=alice.pk), pin=WRONG)] * 40)
    assert runs == ["verify"] * 3
    assert [type(result) for result in results].count(WrongPin) == 3
    assert {type(result) for result in results} <= {WrongPin, PinBusy, PinLocked}
    assert state_of(alice) == (3, True)
    assert sorted(actions()) == ["PIN_LOCKED"] + ["PIN_REFUSED"] * 3
    assert len(mails(alice.email)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_right_one_among_many_wrong_ones_gives_three_more_at_most(alice: Any) -> None:
    """Two wrong ones may come before it and three after it, as they would one after another."""

    def guess_one(pin: str) -> Any:
        return lambda: verify_pin(user=User.objects.get(pk=alice.pk), pin=pin)

    with hashing(before=lambda: time.sleep(0.05)) as runs:
        results = at_once(guess_one(PIN), *[guess_one(WRONG)] * 20)
    kinds = [type(result) for result in results]
    assert kinds.count(WrongPin) <= 5
    assert len(runs) <= 6
    assert kinds.count(WrongPin) == actions().count("PIN_REFUSED")
