"""Changing one's own password."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts import guesses, outbox
from accounts.concurrency import own_transaction
from accounts.models import User
from audit.actions import Action
from audit.context import client_ip
from audit.services import record


class WrongCurrentPassword(Exception):
    """The old password is not right; without it a stolen session could lock its owner out."""

    code = "wrong_password"


def change_password(request: HttpRequest, *, actor: User, old_password: str, new_password: str) -> None:
    """Set a new password. All other sessions of the user end; keep this one with `update_session_auth_hash`.

    Raises:
        WrongCurrentPassword
        TooOften: too many wrong old passwords, counted together with sign-in (R1.4).
        ValidationError: the new password is too weak, or is the old one.
    """
    right = guesses.counted(
        lambda: actor.check_password(old_password) or None, email=actor.email, ip=client_ip(request)
    )
    if not right:
        raise WrongCurrentPassword
    if new_password == old_password:
        raise ValidationError("The new password is the old one. Choose another.", code="password_unchanged")
    validate_password(new_password, actor)
    actor.set_password(new_password)  # hashed before the transaction: a slow hash must not hold a lock
    _save_password(actor)


@own_transaction
def _save_password(user: User) -> None:
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    record(Action.PASSWORD_CHANGED, actor=user, subject=user)
    outbox.tell("password_changed", user_id=user.pk)
