from collections.abc import Mapping
from typing import Literal

from accounts import freezes
from accounts.api.types import AccountNumber
from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest
from foundation.rest.schemas import In
from support.models import RequestKind, ServiceRequest
from support.requests.common import AccountRequestForm, Reason
from support.requests.kind import KindOfRequest
from transfers.accounts import freezing

# The version of the freezes that the customer asked about, independent of clocks.
_VERSION = "freezes_version"


class UnfreezeAccountIn(In):
    kind: Literal["unfreeze_account"]
    account: AccountNumber
    reason: Reason


class UnfreezeAccount(KindOfRequest):
    kind = RequestKind.UNFREEZE_ACCOUNT
    icon = "check"
    explanation = "Money moves in and out of it again, once we have made sure that it is safe."
    approval_does = (
        "lifts every freeze of the account that is shown here: money moves in and out of it again. Make sure that the "
        "reason of each is gone. If an administrator froze it, only an administrator can approve."
    )
    form = AccountRequestForm
    schema = UnfreezeAccountIn
    account_statuses = (AccountStatus.FROZEN,)
    needs_reason = True

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Check nothing more: the clerk finds out whether it is safe."""

    def noted(self, account: BankAccount | None) -> Mapping[str, str]:
        return {_VERSION: str(freezes.version_of(freezes.standing_on(account)))} if account is not None else {}

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        """Lift the freezes that the clerk read before deciding. If that is unknown, as for a program that sends only
        its reason, lift those that the customer asked about: the freezes at the moment of the request.

        Raises:
            FreezeCameSince, AdministratorsFreeze, WrongStatus, NotYourself
        """
        account, seen = asked.its_account, authority.seen
        if seen is None and _VERSION in asked.opened:
            seen = int(asked.opened[_VERSION])
        if seen is None:  # it was filed before this was noted
            seen = freezes.version_at(account, asked.created_at)
        freezing.unfreeze_account.joined(actor=actor, account=account, reason=reason, seen=seen, authority=authority)
