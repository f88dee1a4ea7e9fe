from collections.abc import Mapping
from typing import Literal

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest
from support.models import RequestKind, ServiceRequest
from support.requests.common import AboutAnAccountIn, AccountRequestForm
from support.requests.kind import KindOfRequest
from transfers.accounts import closing


class CloseAccountIn(AboutAnAccountIn):
    kind: Literal["close_account"]


class CloseAccount(KindOfRequest):
    kind = RequestKind.CLOSE_ACCOUNT
    icon = "close"
    explanation = "We close it for good. It must be empty by then, with nothing held on it."
    approval_does = "closes the account for good. It is refused while there is money on it or held on it."
    form = AccountRequestForm
    schema = CloseAccountIn
    account_statuses = (AccountStatus.ACTIVE,)
    fields_of_refusals = {closing.AccountNotEmpty: "account_id"}

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Refuse while an obstacle remains.

        Raises:
            MoneyHeld, AccountNotEmpty: as `obstacle_to_closing()` names it.
        """
        obstacle = closing.obstacle_to_closing(account) if account is not None else None
        if obstacle is not None:
            raise obstacle

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        closing.close_account_on_request.joined(
            actor=actor, account=asked.its_account, reason=reason, authority=authority
        )
