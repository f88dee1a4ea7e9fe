from collections.abc import Mapping
from typing import Literal

from accounts import people
from accounts.models import BankAccount, User
from accounts.permission.authority import ApprovedRequest
from foundation.refusals import Refusal
from foundation.rest.schemas import In
from support.models import RequestKind, ServiceRequest
from support.requests.common import ReasonOrNone, RequestForm
from support.requests.kind import KindOfRequest


class NoPinToReset(Refusal):
    code = "no_pin"
    text = "You have no PIN. Set one on your profile."


class ResetPinIn(In):
    kind: Literal["reset_pin"]
    reason: ReasonOrNone = ""


class ResetPin(KindOfRequest):
    kind = RequestKind.RESET_PIN
    icon = "clock"
    explanation = "Your PIN for apps is removed and unlocked. You then choose another one on your profile."
    approval_does = "removes the PIN for apps and its lock. The customer chooses another one on their profile."
    form = RequestForm
    schema = ResetPinIn

    def suits(self, customer: User) -> bool:
        return customer.has_pin

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Refuse where there is no PIN.

        Raises:
            NoPinToReset
        """
        if not customer.has_pin:
            raise NoPinToReset

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        people.reset_pin.joined(actor=actor, user=asked.customer, reason=reason, authority=authority)
