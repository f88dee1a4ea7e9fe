"""Locking a person out, and letting them in again (R1.4, R1.5)."""

import secrets

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from accounts.people.common import end_what_was_begun, locked_row, record_act, refuse_last_administrator, refuse_self
from accounts.permission import administrators
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from accounts.sign_in import guesses
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.pins import TRIES
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction


class LockedAlready(WrongStatus):
    text = "This person is locked already."


class NotLocked(WrongStatus):
    text = "This person is not locked: neither by the bank, nor after wrong passwords, codes or PINs."


class WrongAdminKey(Refusal):
    code = "wrong_admin_key"
    text = "This is not the administrators’ key."
    status = 422


def lock_user(*, actor: User, user: User, reason: str, code: str, origin: Origin, admin_key: str = "") -> None:
    """Lock a person out: their sessions end at once, and links in mails to them are worthless.

    A refusal that was known beforehand uses up no code.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongAdminKey, WrongCode, TryAgainIn, TooOften
        LockedAlready, LastAdministrator
    """
    require(actor, "accounts.lock_user")
    refuse_self(actor, user)
    kept_reason = checked_reason(reason)
    if user.locked_at is not None:
        raise LockedAlready
    _verify_admin_key(actor=actor, admin_key=admin_key, origin=origin)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _lock(actor, user, kept_reason)


@own_transaction
def _lock(actor: User, user: User, reason: str) -> None:
    row = locked_row(actor, "accounts.lock_user", user)
    if row.locked_at is not None:
        raise LockedAlready
    refuse_last_administrator(row)
    administrators.note_ended(row)
    row.locked_at = timezone.now()
    row.save(update_fields=["locked_at"])
    end_what_was_begun(row)
    record_act(Action.USER_LOCKED, actor, row, reason)
    outbox.tell("user_locked", user_id=row.pk)


def unlock_user(*, actor: User, user: User, reason: str, code: str, origin: Origin, admin_key: str = "") -> None:
    """Let a locked person in again: lift the bank's lock, the pause after wrong passwords and codes from any network,
    and the lock of the PIN (R1.4).

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongAdminKey, WrongCode, TryAgainIn, TooOften
        NotLocked
    """
    require(actor, "accounts.unlock_user")
    refuse_self(actor, user)
    kept_reason = checked_reason(reason)
    if not locks_of(user):
        raise NotLocked
    _verify_admin_key(actor=actor, admin_key=admin_key, origin=origin)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _unlock(actor, user, kept_reason)


@own_transaction
def _unlock(actor: User, user: User, reason: str) -> None:
    row = locked_row(actor, "accounts.unlock_user", user)
    lifted = locks_of(row)
    if not lifted:
        raise NotLocked
    row.locked_at = row.pin_locked_at = None
    row.pin_failures = 0
    row.save(update_fields=["locked_at", "pin_locked_at", "pin_failures"])
    administrators.note_returned(row)
    guesses.forgive_everywhere(email=row.email)
    record_act(Action.USER_UNLOCKED, actor, row, reason, lifted=lifted)
    outbox.tell("user_unlocked", user_id=row.pk)


def locks_of(user: User) -> list[str]:
    """Return which of the locks that `unlock_user()` lifts keep this person out: "lock", "guesses", "pin"."""
    locks = {
        "lock": user.locked_at is not None,
        "guesses": guesses.is_locked_anywhere(email=user.email),
        # Full without a lock: a server died while it checked a try, and never counted it.
        "pin": user.pin_locked_at is not None or user.pin_failures >= TRIES,
    }
    return [name for name, is_on in locks.items() if is_on]


def _verify_admin_key(*, actor: User, admin_key: str, origin: Origin) -> None:
    """Verify that `admin_key` is ADMIN_KEY, which all administrators of a bank share, in constant time: for acts for
    which one stolen user must not be enough (R1.5). Without ADMIN_KEY nothing is asked.

    Raises:
        WrongAdminKey
        TooOften: too many wrong keys, counted together with the actor's wrong codes and passwords (R1.4).
    """
    if not settings.ADMIN_KEY:
        return
    given, right = admin_key.encode("utf-8", "surrogatepass"), settings.ADMIN_KEY.encode()
    with guesses.counted(email=actor.email, ip=origin.ip) as guess:
        guess.was_right = secrets.compare_digest(given, right)
    if not guess.was_right:
        record(Action.ADMIN_KEY_REFUSED, actor=actor, subject=actor)
        raise WrongAdminKey
