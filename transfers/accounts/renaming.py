"""Giving an account another name (R2.4): only its owner sees it."""

from accounts import bank_accounts
from accounts.models import BankAccount, User
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation.locking import lock
from foundation.transactions import own_transaction
from transfers.orders.ownership import require_owner


@own_transaction
def rename_account(*, actor: User, account: BankAccount, nickname: str) -> bool:
    """Give the actor's own account, open or not, another nickname, or none (""); return whether that changed anything.

    The audit log says that it was renamed, not how: people write what they like into a nickname.

    Raises:
        PermissionDenied, NotYourAccount
    """
    require(actor, "transfers.open_own_account")
    require_owner(actor, account)
    locked = lock(BankAccount.objects).get(pk=account.pk)
    if locked.nickname == nickname:
        return False
    bank_accounts.rename(locked, nickname=nickname)
    record(Action.ACCOUNT_RENAMED, actor=actor, subject=locked, details={"number": locked.masked_number})
    return True
