"""Freezing an account, and lifting the freeze: by an administrator, or by an approved request (R2.3)."""

from dataclasses import dataclass

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest, details_of, require_authority
from accounts.permission.reasons import checked_reason
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.refusals import NotYourself, WrongStatus
from foundation.transactions import own_transaction

_CLOSED = "This account is closed."
_INTERNAL = "This is one of the bank's own accounts: without it no money could move at all."


@dataclass(frozen=True)
class _Change:
    """Freezing or unfreezing; `verb` also names the permission, and the request that allows it."""

    verb: str
    before: AccountStatus
    after: AccountStatus
    too_late: str  # for an account that is in `after` already
    action: Action
    event: str


_FREEZE = _Change(
    verb="freeze_account",
    before=AccountStatus.ACTIVE,
    after=AccountStatus.FROZEN,
    too_late="This account is frozen already.",
    action=Action.ACCOUNT_FROZEN,
    event="account_frozen",
)
_UNFREEZE = _Change(
    verb="unfreeze_account",
    before=AccountStatus.FROZEN,
    after=AccountStatus.ACTIVE,
    too_late="This account is not frozen.",
    action=Action.ACCOUNT_UNFROZEN,
    event="account_unfrozen",
)


@own_transaction
def freeze_account(*, actor: User, account: BankAccount, reason: str, authority: ApprovedRequest | None = None) -> None:
    """Let no money in or out of a customer's account. What is posted at this moment goes first, or not at all.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongStatus: frozen already, closed, or the bank's own.
    """
    _change_status(_FREEZE, actor, account, reason, authority)


@own_transaction
def unfreeze_account(
    *, actor: User, account: BankAccount, reason: str, authority: ApprovedRequest | None = None
) -> None:
    """Let money in and out of a frozen account again.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        WrongStatus: not frozen, closed, or the bank's own.
    """
    _change_status(_UNFREEZE, actor, account, reason, authority)


def _change_status(
    change: _Change, actor: User, account: BankAccount, reason: str, authority: ApprovedRequest | None
) -> None:
    require_authority(actor, f"accounts.{change.verb}", verb=change.verb, subject=account, authority=authority)
    row = _locked_row(actor, account)
    kept_reason = checked_reason(reason)
    if row.status != change.before:
        raise WrongStatus(change.too_late if row.status == change.after else _CLOSED)
    row.status = change.after
    row.save(update_fields=["status"])
    details = {"reason": kept_reason, "number": row.masked_number} | details_of(authority)
    record(change.action, actor=actor, subject=row, concerns=row.owner, details=details)
    outbox.tell(change.event, account_id=row.pk)


def _locked_row(actor: User, account: BankAccount) -> BankAccount:
    """The row, locked as the ledger locks it: a payment is posted before it or refused after it."""
    row = BankAccount.objects.select_for_update().get(pk=account.pk)
    if row.is_internal:
        raise WrongStatus(_INTERNAL)
    if row.owner_id == actor.pk:
        raise NotYourself
    return row
