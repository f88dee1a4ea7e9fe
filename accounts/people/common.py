"""What the acts on a person have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from accounts.models import EmailChange, PasswordReset, User
from accounts.permission import administrators
from accounts.permission.second_person import NobodyCouldAgree
from accounts.roles import Role
from accounts.sign_in import devices, enrolment_link
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import NotYourself, Refusal, WrongStatus


class ChangedMeanwhile(WrongStatus):
    code = "changed_meanwhile"
    text = "These details were changed meanwhile. Look at them again before you change them."


class LastAdministrator(Refusal):
    code = "last_administrator"
    text = "This is the last administrator who can sign in. Make another one first."


def refuse_self(actor: User, user: User) -> None:
    if actor.pk == user.pk:
        raise NotYourself


def locked_row(actor: User, permission: str, user: User, *, with_key: bool = False) -> User:
    """Return the person's row, locked, after this administrator has taken their turn; `with_key` where their address
    may change.

    Raises:
        PermissionDenied: a colleague has locked or demoted the actor meanwhile.
    """
    administrators.take_turn(actor, permission)
    return lock(User.objects, with_key=with_key).get(pk=user.pk)


def refuse_last_administrator(user: User) -> None:
    """Refuse to remove the last person who can make administrators, whatever permission the actor has."""
    if user.role != Role.ADMIN:
        return
    if not any(other.pk != user.pk for other in administrators.present_ones()):
        raise LastAdministrator


def write_changes(row: User, wanted: dict[str, Any]) -> list[str]:
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        row.save(update_fields=changed)
    return changed


def end_what_was_begun(user: User) -> None:
    """End sessions and links in mails, and forget known browsers, since all of these may be in other hands."""
    PasswordReset.objects.filter(user=user).delete()
    EmailChange.objects.filter(user=user).delete()
    enrolment_link.make_worthless(user)
    devices.forget_all(user)
    user_sessions.mark_ended(user)


@contextmanager
def told_if_nobody_could_agree(actor: User, user: User) -> Iterator[None]:
    """Record a refusal because nobody could agree, and tell the person: the only other administrator learns that a
    colleague tried to remove them."""
    try:
        yield
    except NobodyCouldAgree as refusal:
        with transaction.atomic():
            details = {"kind": refusal.kind, "reason": refusal.code}
            record(Action.PENDING_ACT_REFUSED, actor=actor, subject=user, concerns=user, details=details)
            outbox.tell("pending_act_impossible", user_id=user.pk, what=refusal.what)
        raise


def record_act(action: Action, actor: User, user: User, reason: str, **details: Any) -> None:
    record(action, actor=actor, subject=user, concerns=user, details={"reason": reason} | details)
