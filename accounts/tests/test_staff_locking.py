"""Administrators lock people out and let them in again (R1.4, R1.5)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.models import EmailChange, PasswordReset, User, UserSession
from accounts.people import LastAdministrator, LockedAlready, NotLocked
from accounts.people.locking import WrongAdminKey
from accounts.permission.reasons import ReasonUnreadable
from accounts.roles import Role
from accounts.sign_in import guesses
from accounts.sign_in.two_factor import WrongCode
from audit.models import AuditEntry
from foundation.limiter.limiter import TooOften
from foundation.refusals import NotYourself
from tests.acts import WRONG_PASSWORD, give_password, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON, an_origin, entry_of, fresh_code, stored
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

KEY = "the key of all administrators"


def lock(actor: Any, user: Any, **changes: Any) -> None:
    given = {"reason": REASON, "code": changes.get("code") or fresh_code(actor)} | changes
    people.lock_user(origin=an_origin(), actor=actor, user=stored(user), **given)


def unlock(actor: Any, user: Any, **changes: Any) -> None:
    given = {"reason": REASON, "code": changes.get("code") or fresh_code(actor)} | changes
    people.unlock_user(origin=an_origin(), actor=actor, user=stored(user), **given)


# --- Locking ------------------------------------------------------------------------------------------------


def test_a_locked_user_is_signed_out_at_the_next_request_and_stays_out(
    alice: Any, ada: Any, browser_of: Any, client: Client
) -> None:
    # R1.5
    browsers = [browser_of(alice), browser_of(alice)]
    assert all(is_signed_in(browser) for browser in browsers)
    lock(ada, alice)
    for browser in browsers:
        answer = browser.get("/password/")
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/sign-in/")
    assert not UserSession.objects.filter(user=alice, ended_at__isnull=True).exists()
    assert give_password(client, alice.email).status_code == 200
    assert stored(alice).locked_at is not None


def test_locking_is_audited_with_the_reason_and_told(alice: Any, ada: Any) -> None:
    # R6.1
    lock(ada, alice)
    entry = entry_of("USER_LOCKED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(alice.public_id), alice.pk)
    assert entry.details == {"reason": REASON}
    [mail] = mails(alice.email)
    assert mail.subject == "You are locked out of online banking"


def test_links_in_mails_are_worthless_after_a_lock(alice: Any, ada: Any) -> None:
    # R1.5: a reader of the mail must not come back in with it.
    soon = timezone.now() + timedelta(hours=1)
    PasswordReset.objects.create(user=alice, token_digest="a", expires_at=soon)
    EmailChange.objects.create(user=alice, email="new@example.com", token_digest="b", expires_at=soon)
    lock(ada, alice)
    assert not PasswordReset.objects.exists()
    assert not EmailChange.objects.exists()


def test_locking_twice_is_refused_before_a_code_is_used_up(alice: Any, ada: Any) -> None:
    lock(ada, alice)
    code = fresh_code(ada)
    with pytest.raises(LockedAlready, match="locked already"):
        lock(ada, alice, code=code)
    unlock(ada, alice, code=code)
    assert AuditEntry.objects.filter(action="USER_LOCKED").count() == 1


def test_a_page_that_was_open_for_long_is_told_that_somebody_was_faster(alice: Any, ada: Any) -> None:
    # The row is checked again under its lock.
    before = stored(alice)
    lock(ada, alice)
    with pytest.raises(LockedAlready):
        people.lock_user(origin=an_origin(), actor=ada, user=before, reason=REASON, code=fresh_code(ada))
    still_locked = stored(alice)
    unlock(ada, alice)
    with pytest.raises(NotLocked):
        people.unlock_user(origin=an_origin(), actor=ada, user=still_locked, reason=REASON, code=fresh_code(ada))


def test_after_too_many_wrong_codes_the_page_of_an_act_is_429(
    alice: Any, ada: Any, browser_of: Any, settings: Any
) -> None:
    # R1.4
    settings.AXES_FAILURE_LIMIT = 1
    browser, url = browser_of(ada), reverse("admin:accounts_user_act", args=[alice.pk, "lock"])
    tried = {"reason": REASON, "code": wrong_code_for(fresh_code(ada))}
    answers = [browser.post(url, tried) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].context["form"].errors == {"code": [WrongCode.text]}
    assert stored(alice).locked_at is None


def test_a_wrong_code_changes_nothing_and_counts_as_a_guess(alice: Any, ada: Any, settings: Any) -> None:
    # R1.4, R1.5
    for _ in range(settings.AXES_FAILURE_LIMIT):
        with pytest.raises(WrongCode):
            lock(ada, alice, code=wrong_code_for(fresh_code(ada)))
    with pytest.raises(TooOften):
        lock(ada, alice)
    assert stored(alice).locked_at is None
    assert not AuditEntry.objects.filter(action="USER_LOCKED").exists()


def test_nobody_locks_themselves(ada: Any) -> None:
    # R5.2
    with pytest.raises(NotYourself):
        lock(ada, ada)


@in_one_world("reason", ["\u202eevil", "a\x00b"])
def test_a_reason_that_cannot_be_shown_is_refused(reason: str, alice: Any, ada: Any) -> None:
    with pytest.raises(ReasonUnreadable):
        lock(ada, alice, reason=reason)


# --- The administrators' key --------------------------------------------------------------------------------


@proves("V7.5.3")
@in_one_world("act", [lock, unlock])
def test_where_the_bank_has_a_key_the_code_alone_is_not_enough(
    act: Callable, alice: Any, ada: Any, settings: Any
) -> None:
    # R1.5
    settings.ADMIN_KEY = KEY
    if act is unlock:
        User.objects.filter(pk=alice.pk).update(locked_at=timezone.now())
    before, code = stored(alice).locked_at, fresh_code(ada)
    for wrong in ("", KEY[:-1], KEY + " ", "ключ", "\udcff"):
        with pytest.raises(WrongAdminKey, match="key"):
            act(ada, alice, code=code, admin_key=wrong)
        guesses.forgive_everywhere(email=ada.email)
    assert stored(alice).locked_at == before
    act(ada, alice, code=code, admin_key=KEY)  # a wrong key uses up no code
    assert bool(stored(alice).locked_at) != bool(before)


def test_wrong_keys_are_audited_and_counted_like_wrong_codes(alice: Any, ada: Any, settings: Any) -> None:
    # R1.4: a stolen session must not try keys without end.
    settings.ADMIN_KEY = KEY
    for number in range(settings.AXES_FAILURE_LIMIT):
        with pytest.raises(WrongAdminKey):
            lock(ada, alice, admin_key=f"a guess {number}")
    with pytest.raises(TooOften):
        lock(ada, alice, admin_key=KEY)
    entries = AuditEntry.objects.filter(action="ADMIN_KEY_REFUSED", actor_id=ada.pk)
    assert [entry.details for entry in entries] == [{}] * settings.AXES_FAILURE_LIMIT


def test_without_an_admin_key_a_given_one_is_ignored(alice: Any, ada: Any) -> None:
    lock(ada, alice, admin_key="something")
    assert stored(alice).locked_at is not None


# --- One must be left ---------------------------------------------------------------------------------------


@pytest.fixture
def clerk_with_a_permission(sam: Any) -> Callable[[str], Any]:
    """Let a bank change its grants: then the actor need not be an administrator."""

    def give(codename: str) -> Any:
        Group.objects.get(name="Support").permissions.add(Permission.objects.get(codename=codename))
        return stored(sam)

    return give


def test_the_last_administrator_who_can_sign_in_is_not_locked(
    ada: Any, make_user: Any, clerk_with_a_permission: Any
) -> None:
    # R5.2: a locked, a deactivated and a two-group administrator cannot help.
    clerk = clerk_with_a_permission("lock_user")
    others = [make_user(name, Role.ADMIN) for name in ("Anna", "Anton", "Astrid")]
    User.objects.filter(pk=others[0].pk).update(locked_at=timezone.now())
    User.objects.filter(pk=others[1].pk).update(is_active=False)
    others[2].groups.add(Group.objects.get(name=Role.AUDITOR.value))
    with pytest.raises(LastAdministrator, match="last administrator"):
        lock(clerk, ada)
    assert stored(ada).locked_at is None
    others[2].groups.set([Group.objects.get(name=Role.ADMIN.value)])
    lock(clerk, ada)


# --- Unlocking ----------------------------------------------------------------------------------------------


def test_an_unlocked_user_signs_in_again(alice: Any, ada: Any, client: Client) -> None:
    # R1.5
    lock(ada, alice)
    unlock(ada, alice)
    assert stored(alice).can_sign_in
    assert give_password(client, alice.email).status_code == 302
    entry = entry_of("USER_UNLOCKED")
    assert (entry.actor_id, entry.concerns_id) == (ada.pk, alice.pk)
    assert entry.details == {"reason": REASON, "lifted": ["lock"]}
    assert mails(alice.email)[-1].subject == "You can sign in again"


def test_unlocking_lifts_the_lockout_after_wrong_passwords_from_everywhere(alice: Any, bob: Any, ada: Any) -> None:
    # R1.4
    for ip in ("192.0.2.1", "2001:db8::1"):
        for _ in range(5):
            give_password(Client(), alice.email, WRONG_PASSWORD, REMOTE_ADDR=ip)
            give_password(Client(), bob.email, WRONG_PASSWORD, REMOTE_ADDR=ip)
    assert people.locks_of(stored(alice)) == ["guesses"]
    unlock(ada, alice)
    for ip in ("192.0.2.1", "2001:db8::1"):
        assert give_password(Client(), alice.email, REMOTE_ADDR=ip).status_code == 302
        assert give_password(Client(), bob.email, REMOTE_ADDR=ip).status_code == 429
    assert not AccessAttempt.objects.filter(username=alice.email).exists()
    assert AccessAttempt.objects.filter(username=bob.email).exists()


def test_unlocking_lifts_the_lock_of_the_pin_and_keeps_the_pin(alice: Any, ada: Any) -> None:
    # R1.4
    User.objects.filter(pk=alice.pk).update(pin_hash="a hash", pin_failures=3, pin_locked_at=timezone.now())
    unlock(ada, alice)
    user = stored(alice)
    assert (user.pin_hash, user.pin_failures, user.pin_locked_at) == ("a hash", 0, None)
    assert entry_of("USER_UNLOCKED").details["lifted"] == ["pin"]


def test_who_is_not_locked_cannot_be_unlocked(alice: Any, ada: Any) -> None:
    give_password(Client(), alice.email, WRONG_PASSWORD)  # four more to go
    with pytest.raises(NotLocked, match="not locked"):
        unlock(ada, alice)
    assert not AuditEntry.objects.filter(action="USER_UNLOCKED").exists()
