"""Money set aside on an account for an order that waits (R3.10), or for a reversal that needs a second administrator
(R5.8): it cannot be spent, and has not moved.

It uses the ledger's locks, in the ledger's order; amounts are whole minor units inside this module.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import OperationalError, connection
from django.db.models import BigIntegerField, Sum

from accounts.models import CUSTOMER_KINDS, AccountStatus, BankAccount, PendingAct, PendingState
from foundation.compiled import Update
from foundation.money import MoneyField, from_minor, to_minor
from transfers.ledger.posting import AccountNotActive, InsufficientFunds, LockedAccount, locked

# The old value is in the WHERE, like the old sequence where balances are set.
_hold = Update(
    lambda pk, before, after: (BankAccount.objects.filter(pk=pk, held=before), {"held": after}),
    *(BankAccount._meta.pk, MoneyField(), BigIntegerField()),
)


@dataclass(frozen=True)
class JudgedHold:
    """Money that can be set aside on a locked account; what is held before and after, in minor units."""

    account_id: int
    before: int
    after: int

    def write(self) -> None:
        """Set the amount aside.

        Raises:
            OperationalError: another transaction came in between; the caller's retry repeats everything.
        """
        _set_held(self.account_id, self.before, self.after)


def judge_hold(account_id: int, amount: Decimal, *, target_id: int) -> JudgedHold:
    """Lock both accounts, and check whether `amount` (major units) can be set aside on the first for an order that
    waits: `write()` does it, and then it cannot be spent any more.

    It refuses what posting the order now would refuse. It runs inside the caller's transaction, which holds the locks
    until it commits.

    Raises:
        InsufficientFunds, AccountNotActive
    """
    accounts = _locked_in_transaction({account_id, target_id})
    for pk in sorted(accounts):
        if accounts[pk].status != AccountStatus.ACTIVE:
            raise AccountNotActive(pk)
    source, minor = accounts[account_id], to_minor(amount)
    if minor <= 0:
        raise ValueError("An amount that is held is positive.")
    if source.kind not in CUSTOMER_KINDS or source.balance - source.held < minor:
        raise InsufficientFunds
    return JudgedHold(account_id, source.held, source.held + minor)


def release_hold(account_id: int, amount: Decimal, *, target_id: int | None = None) -> None:
    """Let `amount` (major units) that was set aside be spent again, whatever the account's status is now.

    Args:
        target_id: another account that the caller will post to; locked here, to keep the one order of locks.

    Raises:
        ValueError: less than that is held.
    """
    source = _locked_in_transaction({account_id} if target_id is None else {account_id, target_id})[account_id]
    minor = to_minor(amount)
    if not 0 < minor <= source.held:
        raise ValueError(f"{amount} is not held on account {account_id}.")
    _set_held(account_id, source.held, source.held - minor)


def held_for_acts(first_id: int, last_id: int) -> dict[int, Decimal]:
    """Return the amounts set aside on the accounts from `first_id` to `last_id` for acts that wait for a second
    administrator."""
    acts = PendingAct.objects.filter(state=PendingState.WAITING, held_on__gte=first_id, held_on__lte=last_id)
    return dict(acts.values("held_on").annotate(total=Sum("held_amount")).values_list("held_on", "total"))


def _locked_in_transaction(account_ids: set[int]) -> dict[int, LockedAccount]:
    if not connection.in_atomic_block:
        raise RuntimeError("Money is held inside a transaction only.")
    return locked(account_ids)


def _set_held(account_id: int, before: int, after: int) -> None:
    if not _hold.execute(account_id, from_minor(before), after):
        raise OperationalError("could not serialize: money was held without its lock")
