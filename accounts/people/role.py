"""Giving a person another role (R1.7, R5.2)."""

from collections.abc import Mapping

from django.contrib.auth.models import Group

from accounts.models import AccountStatus, BankAccount, PendingAct, User
from accounts.people.common import (
    ChangedMeanwhile,
    end_what_was_begun,
    locked_row,
    record_act,
    refuse_last_administrator,
    refuse_self,
    told_if_nobody_could_agree,
)
from accounts.permission import administrators, second_person
from accounts.permission.reasons import checked_reason
from accounts.permission.second_person import KindOfAct
from accounts.roles import Role, require
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from foundation import outbox
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction

_KIND = "change_role"
_PERMISSION = "accounts.change_role"


class StillHasAccounts(Refusal):
    """Staff with accounts of their own would be on both sides of the counter."""

    code = "still_has_accounts"
    text = "This person has accounts that are not closed. Only customers have accounts: close them first."


class HasThisRole(WrongStatus):
    text = "This person has this role already."


def change_role(*, actor: User, user: User, role: Role, reason: str, code: str, origin: Origin) -> PendingAct | None:
    """Give a person another role instead of theirs; their sessions end at once.

    A staff role, and another role for an administrator, wait for a second administrator (R5.8): then it returns what
    waits, and nothing has changed yet.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        HasThisRole, LastAdministrator, WaitsAlready
        NobodyCouldAgree: except the person, who was an administrator recently.
        StillHasAccounts: a customer with accounts, frozen ones too, cannot become staff.
    """
    require(actor, _PERMISSION)
    refuse_self(actor, user)
    kept_reason = checked_reason(reason)
    _refuse_role(user, Role(role))
    verify_fresh_code(actor=actor, code=code, origin=origin)
    with told_if_nobody_could_agree(actor, user):
        return _change_role(actor, user, Role(role), kept_reason)


@own_transaction
def _change_role(actor: User, user: User, role: Role, reason: str) -> PendingAct | None:
    row = locked_row(actor, _PERMISSION, user)
    _refuse_role(row, role)
    refuse_last_administrator(row)
    if role == Role.CUSTOMER and row.role != Role.ADMIN:
        _write(actor, row, role, reason)
        return None
    payload = {"role": role.value, "before": row.role.value if row.role else ""}
    asked = second_person.Asked(_KIND, str(row.public_id), person=row, payload=payload, reason=reason, audited=payload)
    return second_person.ask(asked, actor=actor)


def _carry_out(act: PendingAct, *, second: Mapping[str, str]) -> None:
    """Write the role that was asked for.

    Raises:
        PermissionDenied, ChangedMeanwhile, LastAdministrator, StillHasAccounts
    """
    row = locked_row(act.asked_by, _PERMISSION, second_person.person_of(act))
    if (row.role.value if row.role else "") != act.opened["before"]:
        raise ChangedMeanwhile
    role = Role(act.opened["role"])
    _refuse_role(row, role)
    refuse_last_administrator(row)
    _write(act.asked_by, row, role, act.reason, **second)


def _write(actor: User, row: User, role: Role, reason: str, **second: str) -> None:
    before = row.role
    administrators.note_ended(row)
    row.groups.set([Group.objects.get(name=role.value)])
    if role == Role.ADMIN:
        administrators.note_made(row, by=actor)
    end_what_was_begun(row)
    details = {"before": before.value if before else "", "after": role.value} | second
    record_act(Action.ROLE_CHANGED, actor, row, reason, **details)
    outbox.tell("role_changed", user_id=row.pk, role=role.value)


def _refuse_role(user: User, role: Role) -> None:
    if user.role == role:
        raise HasThisRole
    accounts = BankAccount.objects.filter(owner=user).exclude(status=AccountStatus.CLOSED)
    if role != Role.CUSTOMER and accounts.exists():
        raise StillHasAccounts


def _said(act: PendingAct) -> str:
    person, details = second_person.person_of(act), act.opened
    before = details["before"] or "no role"
    return f"Give {person.get_full_name()} ({person}) the role {details['role']} in place of {before}"


CHANGE_ROLE = KindOfAct(
    kind=_KIND,
    label="Change role",
    said=_said,
    said_to_person=lambda act: f"give you the role {act.opened['role']} at the bank",
    carry_out=_carry_out,
)
