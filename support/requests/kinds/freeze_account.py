from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest
from accounts.permission.reasons import MAX_REASON_CHARS
from foundation.text import beginning_of
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
        "It is frozen at once: nothing moves in or out of it until the bank lifts the freeze. "
        "For an account that somebody else may be using: we look into it with you."
    )
    approval_does = (
        "freezes the account for the bank as well. The customer’s own freeze has stood since they asked, whatever you "
        "decide."
    )
    unless_approved = "Your own freeze stands until you ask us to lift it."
    form = AccountRequestForm
    schema = FreezeAccountIn
    account_statuses = (AccountStatus.ACTIVE,)

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Check nothing more: any active account can be frozen."""

    def begin(self, asked: ServiceRequest) -> None:
        """Freeze it as its owner's own freeze does, at once: no money may move while the customer waits for a clerk
        (R2.5).

        Raises:
            WrongStatus: it was closed meanwhile.
        """
        why = beginning_of(asked.reason, MAX_REASON_CHARS)
        with suppress(freezing.FrozenAlready):  # a freeze of the owner, as they ask for it
            freezing.freeze_own_account.joined(actor=asked.customer, account=asked.its_account, reason=why)

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        freezing.freeze_account.joined(actor=actor, account=asked.its_account, reason=reason, authority=authority)
