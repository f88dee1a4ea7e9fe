"""Changing one's own password."""

import uuid
from collections.abc import Callable

from django.core.exceptions import ValidationError

from accounts.models import EmailChange, PasswordReset, User
from accounts.sign_in import enrolment_link, guesses
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords.rules import check_new_password
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.refusals import Refusal
from foundation.transactions import own_transaction


class WrongCurrentPassword(Refusal):
    """The old password is wrong; without this check a stolen session could lock its owner out."""

    code = "wrong_password"
    text = "This is not your password."
    detail = "The password is not right."
    status = 422


def check_own_password(
    *, actor: User, password: str, origin: Origin, on_new_hash: Callable[[], object] | None = None
) -> None:
    """Check that a signed-in person knows their password, for changes that a stolen session must not make.

    Args:
        on_new_hash: called if the password was right and its hash is renewed: a page's session carries a stamp of the
            old hash, tokens do not.

    Raises:
        WrongCurrentPassword
        TooOften: too many wrong passwords, counted together with sign-in (R1.4).
    """
    hash_before = actor.password
    with guesses.counted(email=actor.email, ip=origin.ip) as guess:
        guess.was_right = actor.check_password(password)
    if not guess.was_right:
        raise WrongCurrentPassword
    if on_new_hash is not None and actor.password != hash_before:
        on_new_hash()


def change_password(
    *,
    actor: User,
    old_password: str,
    new_password: str,
    kept_session: uuid.UUID,
    origin: Origin,
    on_new_hash: Callable[[], object] | None = None,
) -> None:
    """Set a new password. All sessions of the user except `kept_session` end.

    Args:
        on_new_hash: as in `check_own_password()`.

    Raises:
        As `choose_password()`.
    """
    choose_password(
        actor=actor, old_password=old_password, new_password=new_password, origin=origin, on_new_hash=on_new_hash
    )
    _change(actor, kept_session)


def choose_password(
    *,
    actor: User,
    old_password: str,
    new_password: str,
    origin: Origin,
    on_new_hash: Callable[[], object] | None = None,
) -> None:
    """Put the hash of a new password on `actor`, for `save_new_password()`; nothing is written yet.

    Args:
        on_new_hash: as in `check_own_password()`.

    Raises:
        WrongCurrentPassword
        TooOften: too many wrong old passwords, counted together with sign-in (R1.4).
        ValidationError: the new password is too weak, or is the old one.
    """
    check_own_password(actor=actor, password=old_password, origin=origin, on_new_hash=on_new_hash)
    if new_password == old_password:
        raise ValidationError("The new password is the old one. Choose another.", code="password_unchanged")
    check_new_password(new_password, actor)
    actor.set_password(new_password)  # hashed before the transaction: a slow hash must not hold a lock


@own_transaction
def _change(user: User, kept_session: uuid.UUID) -> None:
    save_new_password(user, action=Action.PASSWORD_CHANGED, kept_session=kept_session)


def save_new_password(user: User, *, action: Action, kept_session: uuid.UUID | None = None) -> None:
    """Write the hash that `user` carries, inside the caller's transaction, and end what began under the old one:
    sessions except the one kept, and links in mails."""
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    PasswordReset.objects.filter(user=user).delete()
    EmailChange.objects.filter(user=user).delete()
    enrolment_link.make_worthless(user)
    user_sessions.mark_ended(user, but=kept_session)
    record(action, actor=user, subject=user)
    outbox.tell("password_changed", user_id=user.pk)
