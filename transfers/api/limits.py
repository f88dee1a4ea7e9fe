"""One's own daily limit through the API (R3.9): lowered at once; more is asked for by a service request."""

from ninja import Router

from accounts.api.bearer import ApiRequest
from accounts.roles import require
from foundation.rest.document import refuses
from foundation.rest.schemas import AmountOrZero, AmountText, In, Out
from transfers import history
from transfers.history.own_accounts import DailyUse
from transfers.orders import own_limits

router = Router(tags=["Daily limit"])


class DailyLimitIn(In):
    amount: AmountOrZero


class DailyLimitOut(Out):
    limit: AmountText
    used: AmountText
    remaining: AmountText


@router.get("/daily-limit", response=DailyLimitOut)
def daily_limit(request: ApiRequest) -> DailyUse:
    """What you can pay out in a day, to others or in cash, and what is left of it today."""
    require(request.user, "transfers.transfer_own_money")
    return history.daily_use(request.user)


@router.put("/daily-limit", response=DailyLimitOut, openapi_extra=refuses(409, 429))
def lower_daily_limit(request: ApiRequest, data: DailyLimitIn) -> DailyUse:
    """Pay out no more than this in a day, from now on; "0" is nothing at all. Only the bank raises it again."""
    own_limits.lower_daily_limit(actor=request.user, amount=data.amount)
    return history.daily_use(request.user)
