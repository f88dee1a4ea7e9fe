"""Giving somebody another role (R1.7, R5.2)."""

from django.contrib.auth.models import Group

from accounts.models import AccountStatus, BankAccount, User
from accounts.people.common import end_what_was_begun, locked_row, record_act, refuse_last_administrator, refuse_self
from accounts.permission.reasons import checked_reason
from accounts.roles import Role, require
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from foundation import outbox
from foundation.refusals import Refusal, WrongStatus
from foundation.transactions import own_transaction


class StillHasAccounts(Refusal):
    """Staff with accounts of their own would sit on both sides of the counter."""

    code = "still_has_accounts"
    text = "This person has accounts that are not closed. Only customers have accounts: close them first."


class HasThisRole(WrongStatus):
    text = "This person has this role already."


def change_role(*, actor: User, user: User, role: Role, reason: str, code: str, origin: Origin) -> None:
    """Give a person another role, in place of the one they have; their sessions end at once.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongCode, TryAgainIn, TooOften
        HasThisRole, LastAdministrator
        StillHasAccounts: a customer with accounts, frozen ones too, cannot become staff.
    """
    require(actor, "accounts.change_role")
    refuse_self(actor, user)
    kept_reason = checked_reason(reason)
    _refuse_role(user, Role(role))
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _change_role(actor, user, Role(role), kept_reason)


@own_transaction
def _change_role(actor: User, user: User, role: Role, reason: str) -> None:
    row = locked_row(actor, "accounts.change_role", user)
    _refuse_role(row, role)
    refuse_last_administrator(row)
    before = row.role
    row.groups.set([Group.objects.get(name=role.value)])
    end_what_was_begun(row)
    record_act(Action.ROLE_CHANGED, actor, row, reason, before=before.value if before else "", after=role.value)
    outbox.tell("role_changed", user_id=row.pk, role=role.value)


def _refuse_role(user: User, role: Role) -> None:
    if user.role == role:
        raise HasThisRole
    accounts = BankAccount.objects.filter(owner=user).exclude(status=AccountStatus.CLOSED)
    if role != Role.CUSTOMER and accounts.exists():
        raise StillHasAccounts
