"""Freezing an account, and lifting the freezes: by its owner, by an approved request, by an administrator (R2.3, R2.5).

A freeze is a row, and its kind says who lifts it: an approved request lifts a customer's and support's; only an
administrator lifts an administrator's. A freeze never replaces another one, and no money moves in or out while there is
any.
"""

from collections.abc import Collection

from django.utils import timezone

from accounts import freezes
from accounts.models import AccountFreeze, AccountStatus, BankAccount, FreezeKind, User
from accounts.permission.authority import ApprovedRequest, details_of, require_authority
from accounts.permission.reasons import checked_reason
from accounts.roles import may, require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import NotYourself, Refusal, WrongStatus
from foundation.transactions import own_transaction
from transfers.orders.ownership import require_owner

_LIFTS_ANY = "accounts.unfreeze_account"

_CLOSED = "This account is closed."
_INTERNAL = "This is one of the bank's own accounts: without it no money could move at all."
_NOT_FROZEN = "This account is not frozen."
_LIFTED_ALREADY = "This freeze is lifted already."


class FrozenAlready(WrongStatus):
    """The account already has a freeze of this kind."""

    text = "This account is frozen already."


class FreezeCameSince(Refusal):
    """The account was frozen again while the clerk decided to lift the earlier freezes: nobody lifts a freeze
    unread."""

    code = "freeze_came_since"
    text = (
        "The account has been frozen once more since you read this. Nothing was lifted: read who has frozen it and "
        "why, then decide again."
    )
    detail = (
        "The account has been frozen once more since, and nothing was lifted. Read its freezes again, and send the "
        "`freezes_version` that comes with them."
    )


class AdministratorsFreeze(Refusal):
    """Only an administrator lifts an administrator's freeze, which has a reason."""

    code = "administrators_freeze"
    text = "An administrator has frozen this account, and only an administrator can lift that. Ask one to decide this."


@own_transaction
def freeze_own_account(*, actor: User, account: BankAccount, reason: str = "") -> None:
    """Let no money in or out of the actor's own account, at once: an emergency brake, so it needs no code and no
    reason. Only the bank lifts it.

    Raises:
        PermissionDenied, NotYourAccount, ReasonTooLong, ReasonUnreadable
        FrozenAlready: by its owner.
        WrongStatus: it is closed.
    """
    require(actor, "transfers.open_own_account")
    require_owner(actor, account)
    row = _locked_row(account)
    kept_reason = checked_reason(reason) if any(char.isalnum() for char in reason) else ""
    _put(FreezeKind.CUSTOMER, actor, row, {"reason": kept_reason})
    outbox.tell("own_account_frozen", account_id=row.pk)


@own_transaction
def freeze_account(*, actor: User, account: BankAccount, reason: str, authority: ApprovedRequest | None = None) -> None:
    """Let no money in or out of a customer's account, even if others have frozen it. A posting at this moment goes
    first, or not at all. It is an administrator's freeze; by an approved request it is support's.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        FrozenAlready: it has a freeze of this kind.
        WrongStatus: the account is closed or the bank's own.
    """
    require_authority(actor, "accounts.freeze_account", verb="freeze_account", subject=account, authority=authority)
    row = _locked_for_staff(actor, account)
    kind = FreezeKind.SUPPORT if authority else FreezeKind.ADMINISTRATOR
    _put(kind, actor, row, {"reason": checked_reason(reason)} | details_of(authority))
    outbox.tell("account_frozen", account_id=row.pk)


@own_transaction
def unfreeze_account(
    *,
    actor: User,
    account: BankAccount,
    reason: str,
    kinds: Collection[FreezeKind] | None = None,
    seen: int | None = None,
    authority: ApprovedRequest | None = None,
) -> list[AccountFreeze]:
    """Lift the freezes of these kinds, by default all; once none is left, money moves again.

    Args:
        seen: the freezes that the actor has read (`freezes.version_of`). None: all of them.

    Returns:
        The freezes that are left: the account stays frozen.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        FreezeCameSince: one of them is newer than those that the actor has read. Nothing was lifted.
        AdministratorsFreeze: one of them is an administrator's, and the actor is not an administrator. Nothing was
            lifted.
        WrongStatus: there is none of them, or the account is closed or the bank's own.
    """
    require_authority(actor, _LIFTS_ANY, verb="unfreeze_account", subject=account, authority=authority)
    row = _locked_for_staff(actor, account)
    kept_reason = checked_reason(reason)
    if row.status == AccountStatus.CLOSED:
        raise WrongStatus(_CLOSED)
    there = freezes.standing_on(row)
    chosen = [freeze for freeze in there if kinds is None or freeze.kind in kinds]
    if not chosen:
        raise WrongStatus(_LIFTED_ALREADY if there else _NOT_FROZEN)
    if seen is not None and freezes.version_of(chosen) > seen:
        raise FreezeCameSince
    if any(freeze.kind == FreezeKind.ADMINISTRATOR for freeze in chosen) and not may(actor, _LIFTS_ANY):
        raise AdministratorsFreeze
    still = [freeze for freeze in there if freeze not in chosen]
    freezes.lift(row, chosen, still=still, by=actor, reason=kept_reason, at=timezone.now())
    details = {"reason": kept_reason, "number": row.masked_number, "lifted": _kinds_of(chosen)} | details_of(authority)
    if still:
        details["still"] = _kinds_of(still)
    action, event = (Action.FREEZE_LIFTED, "freeze_lifted") if still else (Action.ACCOUNT_UNFROZEN, "account_unfrozen")
    record(action, actor=actor, subject=row, concerns=row.owner, details=details)
    outbox.tell(event, account_id=row.pk)
    return still


def _put(kind: FreezeKind, actor: User, row: BankAccount, details: dict[str, str]) -> None:
    """Write the freeze, and report it.

    Raises:
        FrozenAlready, WrongStatus
    """
    if row.status == AccountStatus.CLOSED:
        raise WrongStatus(_CLOSED)
    if any(freeze.kind == kind for freeze in freezes.standing_on(row)):
        raise FrozenAlready
    freezes.put(row, kind=kind, by=actor, reason=details["reason"], at=timezone.now())
    concerns = None if kind == FreezeKind.CUSTOMER else row.owner
    details |= {"number": row.masked_number, "kind": kind.value}
    record(Action.ACCOUNT_FROZEN, actor=actor, subject=row, concerns=concerns, details=details)


def _kinds_of(rows: Collection[AccountFreeze]) -> str:
    return ", ".join(row.kind for row in rows)


def _locked_row(account: BankAccount) -> BankAccount:
    """Return the row, locked as the ledger locks it: a payment is posted before it or refused after it."""
    return lock(BankAccount.objects).get(pk=account.pk)


def _locked_for_staff(actor: User, account: BankAccount) -> BankAccount:
    row = _locked_row(account)
    if row.is_internal:
        raise WrongStatus(_INTERNAL)
    if row.owner_id == actor.pk:
        raise NotYourself
    return row
