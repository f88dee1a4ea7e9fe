from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from accounts.models import BankAccount, User
from accounts.permission.authority import ApprovedRequest
from foundation.form_fields import AmountField
from foundation.money import InvalidAmount, format_money, parse_amount
from foundation.refusals import Refusal
from foundation.rest.schemas import Amount, In, amount_text
from support.models import RequestKind, ServiceRequest
from support.requests.common import Reason, RequestForm
from support.requests.kind import KindOfRequest
from transfers import history
from transfers.orders import own_limits


class NotAHigherLimit(Refusal):
    code = "not_a_higher_limit"
    text = "Your daily limit is that high already."


class LimitRequestForm(RequestForm):
    amount = AmountField(label="New daily limit")
    field_order = ["amount", "reason"]

    def __init__(self, *args: Any, customer: User, **kwargs: Any) -> None:
        super().__init__(*args, customer=customer, **kwargs)
        self.fields["amount"].help_text = f"It is {_limit_now(customer)} now."


class RaiseDailyLimitIn(In):
    kind: Literal["raise_daily_limit"]
    amount: Amount
    reason: Reason


class RaiseDailyLimit(KindOfRequest):
    kind = RequestKind.RAISE_DAILY_LIMIT
    icon = "send"
    explanation = "You can pay out more in a day, to others or in cash. We look at your accounts before we agree."
    approval_does = "raises what the customer may pay out in a day, from now on. Look at their accounts first."
    form = LimitRequestForm
    schema = RaiseDailyLimitIn
    payload_keys = frozenset({"amount"})
    needs_reason = True
    fields_of_refusals = {NotAHigherLimit: "amount", own_limits.AboveCeiling: "amount"}

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Take only an amount above the present limit, and not above the bank's ceiling.

        Raises:
            NotAHigherLimit, AboveCeiling
        """
        try:
            wanted = _wanted(payload)
        except InvalidAmount as error:
            raise NotAHigherLimit(str(error)) from error
        limit = history.daily_use(customer).limit
        if wanted <= limit:
            raise NotAHigherLimit(f"Your daily limit is {format_money(limit)} already. Write a higher one.")
        own_limits.require_below_ceiling(wanted)

    def wishes(self, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        return [("New daily limit", format_money(_wanted(payload)))]

    def wishes_for_clerks(self, customer: User, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        return [("Daily limit now", _limit_now(customer)), *self.wishes(payload)]

    def wishes_for_programs(self, payload: Mapping[str, str]) -> Mapping[str, str]:
        return {"amount": amount_text(_wanted(payload))}

    def takes_two_administrators(self, payload: Mapping[str, str]) -> bool:
        return own_limits.takes_two(_wanted(payload))

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        own_limits.raise_daily_limit.joined(
            actor=actor, customer=asked.customer, amount=_wanted(asked.opened), reason=reason, authority=authority
        )


def _wanted(payload: Mapping[str, str]) -> Decimal:
    """Return the daily limit that is asked for (major units)."""
    return parse_amount(payload["amount"])


def _limit_now(customer: User) -> str:
    return format_money(history.daily_use(customer).limit)
