"""Editing somebody's name, e-mail address, phone, and whether they are active (R5.1, R1.8)."""

import hashlib
import json
from typing import Any

from django.db import IntegrityError

from accounts.models import User, normalise_email
from accounts.people.common import (
    end_what_was_begun,
    locked_row,
    record_act,
    refuse_last_administrator,
    refuse_self,
    write_changes,
)
from accounts.people.names import check_name
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from accounts.sign_in.addresses import user_by_email
from accounts.sign_in.authenticator import harden
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from foundation import outbox
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction


class ChangedMeanwhile(WrongStatus):
    code = "changed_meanwhile"
    text = "These details were changed meanwhile. Look at them again before you change them."


class AddressInUse(Refusal):
    code = "email_taken"
    text = "Somebody else signs in with this e-mail address."


def edit_user(
    *,
    actor: User,
    user: User,
    first_name: str,
    last_name: str,
    email: str,
    phone: str,
    is_active: bool,
    seen: str,
    reason: str,
    code: str,
    origin: Origin,
) -> list[str]:
    """Write what differs from what stands there, and return the names of those fields.

    `seen` is the `version_of` the details that the actor looked at: what others have written since is not undone.

    Another e-mail address or deactivation ends all sessions at once. Of another address the old one is told too,
    and `User.hardened_at` is set (R1.8).

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        AddressInUse, LastAdministrator, ChangedMeanwhile
        NameRefused: another name than before, which nobody can have.
        ValueError: no first name or address, which no form lets through.
    """
    require(actor, "accounts.edit_user")
    refuse_self(actor, user)
    kept_reason = checked_reason(reason)
    wanted = {
        "first_name": first_name,
        "last_name": last_name,
        "email": normalise_email(email),
        "phone": phone,
        "is_active": is_active,
    }
    if not wanted["first_name"] or "@" not in normalise_email(email):
        raise ValueError("A person has a first name and an e-mail address.")
    _refuse_stale(user, seen)
    if (first_name, last_name) != (user.first_name, user.last_name):
        check_name(first_name, last_name)
    _refuse_taken_address(user, normalise_email(email))
    verify_fresh_code(actor=actor, code=code, origin=origin)
    try:
        return _edit(actor, user, wanted, seen, kept_reason)
    except IntegrityError as error:  # taken between look and write
        raise AddressInUse from error


@own_transaction
def _edit(actor: User, user: User, wanted: dict[str, Any], seen: str, reason: str) -> list[str]:
    row = locked_row(actor, "accounts.edit_user", user)
    _refuse_stale(row, seen)
    _refuse_taken_address(row, wanted["email"])
    old_email = row.email
    changed = write_changes(row, wanted)
    if not changed:
        return []
    if "is_active" in changed and not row.is_active:
        refuse_last_administrator(row)
    if "email" in changed:
        harden(row)
    if "email" in changed or not row.is_active:
        end_what_was_begun(row)
    is_active = {"is_active": row.is_active} if "is_active" in changed else {}
    record_act(Action.USER_UPDATED, actor, row, reason, fields=changed, **is_active)
    _tell_of_edit(row, changed, old_email)
    return changed


def version_of(user: User) -> str:
    """Another one whenever one of the details that `edit_user` writes is another."""
    details = [user.first_name, user.last_name, user.email, user.phone, user.is_active]
    return hashlib.sha256(json.dumps(details).encode()).hexdigest()


def _refuse_stale(user: User, seen: str) -> None:
    if version_of(user) != seen:
        raise ChangedMeanwhile


def _refuse_taken_address(user: User, email: str) -> None:
    other = user_by_email(email)
    if other is not None and other.pk != user.pk:
        raise AddressInUse


def _tell_of_edit(user: User, changed: list[str], old_email: str) -> None:
    details = [name for name in changed if name not in {"email", "is_active"}]
    if details:
        outbox.tell("details_changed_by_bank", user_id=user.pk, fields=details)
    if "email" in changed:
        outbox.tell("email_changed_by_bank", user_id=user.pk, old_email=old_email)
    if "is_active" in changed:
        outbox.tell("user_reactivated" if user.is_active else "user_deactivated", user_id=user.pk)
