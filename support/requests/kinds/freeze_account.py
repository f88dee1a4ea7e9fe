from collections.abc import Mapping
from typing import Literal

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest
from support.models import RequestKind, ServiceRequest
from support.requests.common import AboutAnAccountIn, AccountRequestForm
from support.requests.kind import KindOfRequest
from transfers.accounts import freezing


class FreezeAccountIn(AboutAnAccountIn):
    kind: Literal["freeze_account"]


class FreezeAccount(KindOfRequest):
    kind = RequestKind.FREEZE_ACCOUNT
    icon = "lock"
    explanation = (
        "Nothing moves in or out of it until the bank lifts the freeze. For an account that somebody else may be using."
    )
    approval_does = "freezes the account at once: no money moves in or out of it."
    form = AccountRequestForm
    schema = FreezeAccountIn
    account_statuses = (AccountStatus.ACTIVE,)

    def check(self, customer: User, account: BankAccount | None, details: Mapping[str, str]) -> None:
        """Nothing more: any active account can be frozen."""

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        freezing.freeze_account.joined(actor=actor, account=asked.its_account, reason=reason, authority=authority)
