"""The interest that a savings account is owed when it is closed, and where that goes (R2.2, R9.2)."""

from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import AccountKind, AccountStatus, BankAccount
from foundation.money import from_minor, to_minor
from transfers.interest.counting import rounded
from transfers.interest.plans import Payment, counted_before, planned
from transfers.interest.posting import interest_account_id, locked, post
from transfers.models import SavingsInterest
from transfers.orders.ownership import require_untouched
from transfers.periods import day_of


class NowhereToPay(LookupError):
    """The owner of a savings account that is owed interest has no active checking account."""


def owed_at_closing(account: BankAccount, *, at: datetime) -> Decimal:
    """Return what an account has earned by the end of yesterday and has not been paid (major units); negative if it was
    paid too much.

    For a locked, empty account it is exact: nothing comes in any more.
    """
    if account.kind != AccountKind.SAVINGS:
        return Decimal(0)
    yesterday = day_of(at) - timedelta(days=1)
    for plan in planned([account], yesterday):
        return from_minor(plan.owed + rounded(plan.after.micro))
    return from_minor(counted_before([account])[account.pk].accrual.payable)


def payout_account(account: BankAccount) -> BankAccount | None:
    """Return where the interest of a savings account goes when it is closed: its owner's oldest active checking
    account.

    It never goes to other savings: it would be taken for their own interest.
    """
    rows = BankAccount.objects.filter(owner=account.owner_id, kind=AccountKind.CHECKING, status=AccountStatus.ACTIVE)
    return rows.order_by("opened_at", "pk").first()


def lock_for_closing(account: BankAccount) -> tuple[BankAccount, BankAccount | None]:
    """Return the account's row, locked; and if interest may have to be paid, the account that receives it, locked with
    everything that this takes, in order."""
    ids = {account.pk}
    target = payout_account(account) if account.kind == AccountKind.SAVINGS else None
    if target is not None:
        ids |= {target.pk, interest_account_id()}
    rows = {row.pk: row for row in locked(ids)}
    return rows[account.pk], rows[target.pk] if target is not None else None


def pay_at_closing(account: BankAccount, target: BankAccount | None, *, at: datetime) -> Decimal:
    """Post what an empty account is owed to the `target`, or take from there what it was paid too much; return how much
    (major units). Both accounts come from `lock_for_closing`: an account that has become active since is not locked,
    and would be locked out of order.

    It runs inside the caller's transaction. The remainder of rounding ends with the account.

    Raises:
        NowhereToPay: there is no target, or it is not active any more; nothing was written.
        InsufficientFunds: the checking account has too little for what was paid too much; nothing was written.
        AccountUnreadable: that account was given to another owner in the database.
    """
    owed = owed_at_closing(account, at=at)
    if owed:
        if target is None or not target.is_active:
            raise NowhereToPay
        require_untouched(target)
        payment = Payment(to_minor(owed), f"Of savings account {account.masked_number}, now closed")
        post([(account, target, payment)], at)
    SavingsInterest.objects.filter(pk=account.pk).update(accrued=Decimal(0), accrued_micro=0, due=Decimal(0))
    return owed
