"""Editing a person's name, e-mail address, phone, and whether they are active (R5.1, R1.8)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import PendingAct, User, normalise_email
from accounts.people.common import (
    ChangedMeanwhile,
    end_what_was_begun,
    locked_row,
    record_act,
    refuse_last_administrator,
    refuse_self,
    told_if_nobody_could_agree,
    write_changes,
)
from accounts.people.names import check_name
from accounts.permission import administrators, second_person
from accounts.permission.reasons import checked_reason
from accounts.permission.second_person import KindOfAct
from accounts.roles import Role, require
from accounts.sign_in.authenticator import harden
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from foundation import outbox
from foundation.refusals import Refusal
from foundation.transactions import own_transaction


class EmailInUse(Refusal):
    code = "email_taken"
    text = "Somebody else signs in with this e-mail address."


_KIND = "edit_user"
_PERMISSION = "accounts.edit_user"


@dataclass(frozen=True)
class Edited:
    """The result of an edit: the names of the fields that were written, and what waits for a second administrator."""

    fields: list[str]
    waits: PendingAct | None


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
) -> Edited:
    """Write the details that differ from the stored ones. Another e-mail address, an administrator's deactivation, and
    reactivating a member of staff wait for a second administrator (R5.8); the rest is written at once.

    `seen` is the `version_of` the details that the actor looked at: later changes by others are not undone.

    Another e-mail address or deactivation ends all sessions at once. A change of address is also mailed to the old one,
    and sets `User.hardened_at` (R1.8).

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        EmailInUse, LastAdministrator, ChangedMeanwhile, WaitsAlready
        NobodyCouldAgree: except the person, who was an administrator recently; nothing was written.
        NameRefused: a new name that nobody may have.
        ValueError: no first name or address; forms refuse that before.
    """
    require(actor, _PERMISSION)
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
    _refuse_taken_email(user, normalise_email(email))
    verify_fresh_code(actor=actor, code=code, origin=origin)
    try:
        with told_if_nobody_could_agree(actor, user):
            return _edit(actor, user, wanted, seen, kept_reason)
    except IntegrityError as error:  # taken between look and write
        raise EmailInUse from error


@own_transaction
def _edit(actor: User, user: User, wanted: dict[str, Any], seen: str, reason: str) -> Edited:
    row = locked_row(actor, _PERMISSION, user, with_key=True)
    _refuse_stale(row, seen)
    _refuse_taken_email(row, wanted["email"])
    waits = {name: value for name, value in wanted.items() if _needs_second(row, name, value)}
    if waits.get("is_active") is False:
        refuse_last_administrator(row)
    fields = _write(actor, row, {name: value for name, value in wanted.items() if name not in waits}, reason)
    return Edited(fields, _ask(actor, row, waits, reason) if waits else None)


def _needs_second(user: User, name: str, value: Any) -> bool:
    """Return whether a detail of this person takes two administrators: an address leads to everything else, and
    deactivating an administrator or reactivating a colleague decides who may act (R5.8)."""
    if getattr(user, name) == value:
        return False
    return name == "email" or (name == "is_active" and (user.is_staff if value else user.role == Role.ADMIN))


def _ask(actor: User, row: User, waits: dict[str, Any], reason: str) -> PendingAct:
    payload = waits | ({"email_before": row.email} if "email" in waits else {})
    audited = {"fields": " ".join(sorted(waits))}
    asked = second_person.Asked(_KIND, str(row.public_id), person=row, payload=payload, reason=reason, audited=audited)
    return second_person.ask(asked, actor=actor)


def _carry_out(act: PendingAct, *, second: Mapping[str, str]) -> None:
    """Write the details that were asked for.

    Raises:
        PermissionDenied, EmailInUse, LastAdministrator, ChangedMeanwhile
    """
    details = act.opened
    row = locked_row(act.asked_by, _PERMISSION, second_person.person_of(act), with_key=True)
    if details.pop("email_before", row.email) != row.email:
        raise ChangedMeanwhile
    _refuse_taken_email(row, details.get("email", row.email))
    try:
        with transaction.atomic():
            _write(act.asked_by, row, details, act.reason, **second)
    except IntegrityError as error:  # taken between look and write
        raise EmailInUse from error


def _write(actor: User, row: User, wanted: dict[str, Any], reason: str, **second: str) -> list[str]:
    old_email = row.email
    if wanted.get("is_active") is False:
        administrators.note_ended(row)
    changed = write_changes(row, wanted)
    if not changed:
        return []
    if "is_active" in changed and not row.is_active:
        refuse_last_administrator(row)
    if "email" in changed:
        harden(row)
    if "email" in changed or not row.is_active:
        end_what_was_begun(row)
    administrators.note_returned(row)
    is_active = {"is_active": row.is_active} if "is_active" in changed else {}
    record_act(Action.USER_UPDATED, actor, row, reason, fields=changed, **is_active, **second)
    _tell_of_edit(row, changed, old_email)
    return changed


def version_of(user: User) -> str:
    """Return a text that changes whenever one of the details that `edit_user` writes changes."""
    details = [user.first_name, user.last_name, user.email, user.phone, user.is_active]
    return hashlib.sha256(json.dumps(details).encode()).hexdigest()


def _refuse_stale(user: User, seen: str) -> None:
    if version_of(user) != seen:
        raise ChangedMeanwhile


def _refuse_taken_email(user: User, email: str) -> None:
    other = user_by_email(email)
    if other is not None and other.pk != user.pk:
        raise EmailInUse


def _tell_of_edit(user: User, changed: list[str], old_email: str) -> None:
    details = [name for name in changed if name not in {"email", "is_active"}]
    if details:
        outbox.tell("details_changed_by_bank", user_id=user.pk, fields=details)
    if "email" in changed:
        outbox.tell("email_changed_by_bank", user_id=user.pk, old_email=old_email)
    if "is_active" in changed:
        outbox.tell("user_reactivated" if user.is_active else "user_deactivated", user_id=user.pk)


def _said(act: PendingAct) -> str:
    details, person = act.opened, second_person.person_of(act)
    name = person.get_full_name()
    parts = []
    if "email" in details:
        parts.append(f"change the e-mail address of {name} from {details['email_before']} to {details['email']}")
    if "is_active" in details:
        parts.append(
            f"let {name} ({person}) sign in again" if details["is_active"] else f"switch {name} ({person}) off"
        )
    text = " and ".join(parts)
    return text[:1].upper() + text[1:]


def _said_to_person(act: PendingAct) -> str:
    details = act.opened
    parts = ["change the e-mail address that you sign in with"] if "email" in details else []
    if "is_active" in details:
        parts.append("let you sign in again" if details["is_active"] else "let you sign in no more")
    return " and ".join(parts)


def _emails(act: PendingAct) -> dict[str, str]:
    """Return both addresses where the address changes: the reader of either may stop it (R5.8)."""
    details = act.opened
    if "email" not in details:
        return {"person": second_person.person_of(act).email}
    return {"old_address": details["email_before"], "new_address": details["email"]}


EDIT_USER = KindOfAct(
    kind=_KIND,
    label="Change details",
    said=_said,
    said_to_person=_said_to_person,
    carry_out=_carry_out,
    emails=_emails,
)
