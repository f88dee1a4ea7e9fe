"""Three wrong PINs lock a PIN until staff unlock it, however many are tried at once (R1.4)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password

from accounts import people
from accounts.models import User
from accounts.sign_in import pins
from accounts.sign_in.passwords import hashing as password_hashing
from accounts.sign_in.pins import PinBusy, PinLocked, WrongPin, verify_pin
from audit.models import AuditEntry
from tests.acts import at_once, hashing, mails
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
PIN, WRONG = "805913", "271828"


@pytest.fixture
def alice(alice: Any) -> Any:
    return with_pin(alice, make_password(PIN))


def with_pin(user: Any, pin_hash: str, **more: Any) -> Any:
    User.objects.filter(pk=user.pk).update(pin_hash=pin_hash, **more)
    user.refresh_from_db()
    return user


def state_of(user: Any) -> tuple[int, bool]:
    row = User.objects.get(pk=user.pk)
    return row.pin_failures, row.pin_locked_at is not None


def guess(user: Any, pin: str = WRONG, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(WrongPin):
            verify_pin(user=user, pin=pin)


def actions() -> list[str]:
    return list(AuditEntry.objects.filter(action__startswith="PIN_").order_by("id").values_list("action", flat=True))


def test_a_right_pin_passes_and_resets_the_count(alice: Any) -> None:
    guess(alice, times=2)
    assert state_of(alice) == (2, False)
    verify_pin(user=alice, pin=PIN)
    assert state_of(alice) == (0, False)
    guess(alice, times=2)
    assert state_of(alice) == (2, False)


@proves("V6.3.1")
def test_the_third_wrong_one_locks_is_recorded_and_told_once(alice: Any) -> None:
    guess(alice, times=2)
    with pytest.raises(WrongPin):
        verify_pin(user=alice, pin=WRONG, at=NOON)
    assert User.objects.get(pk=alice.pk).pin_locked_at == NOON
    with hashing() as runs:
        for pin in (WRONG, PIN):
            with pytest.raises(PinLocked):
                verify_pin(user=alice, pin=pin)
    assert runs == []
    assert actions() == ["PIN_REFUSED"] * 3 + ["PIN_LOCKED"]
    entry = AuditEntry.objects.get(action="PIN_LOCKED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (None, str(alice.public_id), alice.pk)
    [mail] = mails(alice.email)
    assert mail.subject == "Your PIN for apps is locked"
    assert not any(pin in mail.message + mail.html_message for pin in (PIN, WRONG))


@in_one_world("pin", ["", "80591", "805913 ", "８０５９１３", "x" * 10_000, "\x00", "half \ud800"])
def test_anything_except_a_pin_is_a_wrong_one(alice: Any, pin: str) -> None:
    guess(alice, pin if pin != "８０５９１３" else "８０５９１４")
    assert state_of(alice) == (1, False)


def test_somebody_without_a_pin_and_nobody_cost_the_same_work(alice: Any, bob: Any) -> None:
    for user in (alice, bob, None):
        with hashing() as runs:
            guess(user)
        assert runs == ["verify"]
    assert state_of(bob) == (0, False)
    assert AuditEntry.objects.get(action="PIN_REFUSED", concerns_id=bob.pk).details == {"has_pin": False}


def test_one_persons_wrong_pins_lock_nobody_else(alice: Any, bob: Any) -> None:
    with_pin(bob, make_password(PIN))
    guess(alice, times=3)
    verify_pin(user=bob, pin=PIN)


@pytest.mark.django_db(transaction=True)
def test_parallel_right_pins_lock_nobody(alice: Any) -> None:
    for _ in range(3):
        results = at_once(*[lambda: verify_pin(user=User.objects.get(pk=alice.pk), pin=PIN)] * 6)
        assert {type(result) for result in results} <= {type(None), PinBusy}
        assert type(None) in {type(result) for result in results}
        assert state_of(alice) == (0, False)


# --- What happens between the look and the verdict ----------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Let `act` happen after the try was taken, before the hasher has its result."""
    original = password_hashing.check_and_renew

    def check(*args: Any, **kwargs: Any) -> bool:
        act()
        return original(*args, **kwargs)

    monkeypatch.setattr(pins.hashing, "check_and_renew", check)


def test_a_wrong_guess_that_came_later_goes_on_counting_when_a_right_one_is_found(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess(alice)
    meanwhile(monkeypatch, lambda: User.objects.filter(pk=alice.pk).update(pin_failures=3))
    verify_pin(user=alice, pin=PIN)
    assert state_of(alice) == (1, False), "its own place and the one before are given back, not the third"


def test_a_right_one_is_refused_if_it_was_locked_meanwhile(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: with_pin(alice, alice.pin_hash, pin_locked_at=NOON, pin_failures=3))
    with pytest.raises(PinLocked):
        verify_pin(user=alice, pin=PIN)
    assert state_of(alice) == (3, True)


def test_the_last_wrong_one_does_not_lock_a_pin_that_was_set_meanwhile(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess(alice, times=2)
    meanwhile(monkeypatch, lambda: with_pin(alice, make_password("483920"), pin_failures=0))
    guess(alice)
    assert state_of(alice) == (0, False)


def test_an_old_pin_does_not_pass_once_another_was_set(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: with_pin(alice, make_password("483920"), pin_failures=0))
    guess(alice, PIN)


def test_a_pin_removed_since_the_user_was_read_is_a_wrong_one(alice: Any) -> None:
    User.objects.filter(pk=alice.pk).update(pin_hash="")
    assert alice.has_pin
    guess(alice, PIN)
    assert state_of(alice) == (0, False)


def test_a_server_that_dies_with_the_last_try_leaves_no_fourth(alice: Any) -> None:
    User.objects.filter(pk=alice.pk).update(pin_failures=3)
    with hashing() as runs, pytest.raises(PinBusy):
        verify_pin(user=alice, pin=PIN)
    assert runs == []


def test_an_old_hash_is_renewed_by_a_right_pin(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    with_pin(alice, make_password(PIN, hasher="pbkdf2_sha256"))
    guess(alice)
    assert User.objects.get(pk=alice.pk).pin_hash == alice.pin_hash
    verify_pin(user=alice, pin=PIN)
    assert User.objects.get(pk=alice.pk).pin_hash.startswith("argon2$")
    verify_pin(user=alice, pin=PIN)


@in_one_world("fault", [MemoryError, SystemExit])
def test_a_check_that_dies_in_the_hasher_does_not_count(
    alice: Any, monkeypatch: pytest.MonkeyPatch, fault: type
) -> None:
    # R1.4: three of them were "busy" forever, with no lock for staff to lift.
    def die(*args: Any, **kwargs: Any) -> bool:
        raise fault

    guess(alice)
    with monkeypatch.context() as patch:
        patch.setattr(password_hashing, "check_and_renew", die)
        for _ in range(4):
            with pytest.raises(fault):
                verify_pin(user=alice, pin=PIN)
    assert state_of(alice) == (1, False), "the wrong one of before still counts"
    verify_pin(user=alice, pin=PIN)
    assert state_of(alice) == (0, False)


def test_staff_see_and_lift_tries_that_a_dead_server_took_with_it(alice: Any) -> None:
    # R1.4: the try could not even be given back.
    with_pin(alice, alice.pin_hash, pin_failures=pins.TRIES)
    with pytest.raises(PinBusy):
        verify_pin(user=alice, pin=PIN)
    assert people.locks_of(alice) == ["pin"]
