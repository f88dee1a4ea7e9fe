"""Closing an account for good: by its owner, or by the bank on their request; and the obstacles to it (R2.2)."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from accounts import bank_accounts
from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest, details_of, require_request
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.money import format_money
from foundation.refusals import Refusal
from foundation.transactions import own_transaction
from transfers.accounts.opening import counted_try
from transfers.interest import at_closing as interest
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.orders.ownership import require_owner, require_untouched, served_customer
from transfers.orders.records import held_deposits


class AccountNotEmpty(Refusal):
    code = "account_not_empty"
    text = "There is money in this account. It can be closed once its balance is zero."


class MoneyHeld(AccountNotEmpty):
    code = "money_held"
    text = "Money of this account is held for a transfer that we are still looking at."


class DepositWaits(MoneyHeld):
    text = "A deposit to this account waits until we have looked at it."


class InterestOwed(AccountNotEmpty):
    code = "interest_owed"
    text = (
        "This account has earned interest that is still to be paid. Open a checking account, and it goes there when "
        "you close this one; or wait until it is paid in after the end of the month."
    )


class InterestOverpaid(AccountNotEmpty):
    code = "interest_overpaid"

    def __init__(self, amount: Decimal) -> None:
        super().__init__(
            f"{format_money(amount)} of interest was paid into this account by mistake. Keep that much in a checking "
            "account, from where it is taken when you close this one."
        )


class AccountFrozen(AccountNotActive):
    text = "This account is frozen. Only the bank can lift the freeze: please contact us."


class ClosedAlready(AccountNotActive):
    text = "This account is closed already."


def obstacle_to_closing(account: BankAccount, *, at: datetime | None = None) -> Refusal | None:
    """Return why the account cannot be closed: of several obstacles the one to remove first.

    Earned interest is not an obstacle while its owner has a checking account, which receives it. Interest that was paid
    too much is one while the checking account has less: it is taken from there.
    """
    if account.status == AccountStatus.CLOSED:
        return ClosedAlready(account.pk)
    if not account.is_active:
        return AccountFrozen(account.pk)
    if account.held:
        return MoneyHeld()
    if account.balance:
        return AccountNotEmpty()
    if held_deposits(account).exists():
        return DepositWaits()
    return _obstacle_of_interest(account, at or timezone.now())


def _obstacle_of_interest(account: BankAccount, at: datetime) -> Refusal | None:
    owed = interest.owed_at_closing(account, at=at)
    target = interest.payout_account(account) if owed else None
    if owed < 0 and (target is None or target.available < -owed):
        return InterestOverpaid(-owed)
    return InterestOwed() if owed and target is None else None


def close_account(*, actor: User, account: BankAccount, at: datetime | None = None) -> None:
    """Close the actor's own account for good.

    Raises:
        PermissionDenied, NotYourAccount
        AccountFrozen, ClosedAlready, MoneyHeld, DepositWaits, AccountNotEmpty, InterestOwed, InterestOverpaid: as
            `obstacle_to_closing()` names it.
        AccountUnreadable: it, or the account that its interest goes to, was given to another owner in the database.
        TooOften: too many tries this hour.
    """
    require(actor, "transfers.open_own_account")
    require_owner(actor, account)
    now = at or timezone.now()
    with counted_try(actor, actor, "close", str(account.public_id), account=account, at=now):
        _close(actor, account, now)


@own_transaction
def close_account_on_request(
    *, actor: User, account: BankAccount, reason: str, authority: ApprovedRequest, at: datetime | None = None
) -> None:
    """Close a customer's account for good, at their request; the verb of the request is `close_account`.

    Raises:
        PermissionDenied, NotYourself, NotACustomersAccount, ReasonMissing, ReasonTooLong, ReasonUnreadable
        AccountFrozen, ClosedAlready, MoneyHeld, DepositWaits, AccountNotEmpty, InterestOwed, InterestOverpaid: as
            `obstacle_to_closing()` names it.
        AccountUnreadable: it, or the account that its interest goes to, was given to another owner in the database.
    """
    require_request(actor, verb="close_account", subject=account, authority=authority)
    customer = served_customer(actor, account)
    details = {"reason": checked_reason(reason)} | details_of(authority)
    _close_locked(actor, account, at or timezone.now(), concerns=customer, **details)


@own_transaction
def _close(actor: User, account: BankAccount, at: datetime) -> None:
    _close_locked(actor, account, at)


def _close_locked(
    actor: User, account: BankAccount, at: datetime, *, concerns: User | None = None, **details: str
) -> None:
    locked, target = interest.lock_for_closing(account)
    require_untouched(locked)
    obstacle = obstacle_to_closing(locked, at=at)
    if obstacle is not None:
        raise obstacle
    try:
        paid = interest.pay_at_closing(locked, target, at=at)
    except interest.NowhereToPay as error:  # frozen since we looked, or opened or lifted just now
        raise InterestOwed from error
    except InsufficientFunds as error:  # spent since we looked
        raise InterestOverpaid(-interest.owed_at_closing(locked, at=at)) from error
    bank_accounts.close(locked, at=at)
    details |= {"number": locked.masked_number} | ({"interest": str(paid)} if paid else {})
    record(Action.ACCOUNT_CLOSED, actor=actor, subject=locked, concerns=concerns, details=details)
    outbox.tell("account_closed", account_id=locked.pk)
