"""A customer's own daily limit, instead of the bank's (R3.9, R4.2)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from accounts.permission.authority import ApprovedRequest, details_of, require_request
from accounts.permission.reasons import checked_reason
from accounts.permission.second_person import NeedsSecondAdministrator
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.money import format_money, to_minor
from foundation.refusals import NotYourself, Refusal, WrongStatus
from foundation.transactions import own_transaction
from transfers.orders import limits
from transfers.orders.ownership import require_customer

_LOWERED = limiter.Limit(times=10, window_seconds=3600)
_TIMES_ALONE = 10  # of DAILY_TRANSFER_LIMIT: the most to which one clerk alone raises a customer's limit


class NotARaise(WrongStatus):
    text = "This is not more than the customer can pay out in a day already."


class NotLower(Refusal):
    code = "not_a_lower_limit"
    text = "This is not lower than your daily limit."


class AboveCeiling(Refusal):
    code = "above_the_ceiling"

    def __init__(self) -> None:
        super().__init__(f"No daily limit goes above {format_money(settings.DAILY_LIMIT_CEILING)}.")


def require_below_ceiling(amount: Decimal) -> None:
    """Refuse a daily limit that nobody may have, whoever asks and approves.

    Raises:
        AboveCeiling
    """
    if amount > settings.DAILY_LIMIT_CEILING:
        raise AboveCeiling


def takes_two(amount: Decimal) -> bool:
    """Return whether a daily limit is so high that two administrators have to agree to it (R5.8)."""
    return amount > _TIMES_ALONE * settings.DAILY_TRANSFER_LIMIT


@own_transaction
def raise_daily_limit(
    *,
    actor: User,
    customer: User,
    amount: Decimal,
    reason: str,
    authority: ApprovedRequest,
) -> None:
    """Let a customer pay out `amount` (major units) in a day, at their request. What they have paid out today still
    counts.

    Raises:
        PermissionDenied, NotYourself, NotACustomer, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotARaise, AboveCeiling
        NeedsSecondAdministrator: above ten times DAILY_TRANSFER_LIMIT, and `authority` names no second one.
        ValueError: an amount that the currency does not have.
    """
    require_request(actor, verb="raise_daily_limit", subject=customer, authority=authority)
    if actor.pk == customer.pk:
        raise NotYourself
    require_customer(customer)
    kept_reason = checked_reason(reason)
    to_minor(amount)
    require_below_ceiling(amount)
    if takes_two(amount) and not authority.second:
        raise NeedsSecondAdministrator
    row = limits.locked_limit(customer, at=timezone.now())
    before = limits.daily_limit(row)
    if amount <= before:
        raise NotARaise
    row.daily_limit = amount
    row.save(update_fields=["daily_limit"])
    limits.keep(row)
    details = {"reason": kept_reason, "before": str(before), "after": str(amount)} | details_of(authority)
    record(Action.DAILY_LIMIT_RAISED, actor=actor, subject=customer, concerns=customer, details=details)
    outbox.tell("daily_limit_raised", user_id=customer.pk, amount=str(amount))


def lower_daily_limit(*, actor: User, amount: Decimal) -> None:
    """Let the actor pay out no more than `amount` (major units) in a day, from this moment on; 0 is nothing at all.

    It may be less than was paid out today: then nothing more goes out today. A payment at the same time comes before it
    or after it, never in between. Only the bank raises it again.

    Raises:
        PermissionDenied
        NotLower
        TooOften: ten times an hour. Each sends a mail, and a thief with a stolen session could bury the warning under
            such mails.
        ValueError: an amount that the currency does not have, or below 0.
    """
    require(actor, "transfers.transfer_own_money")
    if to_minor(amount) < 0:
        raise ValueError("A limit is not negative.")
    now = timezone.now()
    limiter.take(f"lower-limit:{actor.pk}", _LOWERED, at=now)
    _lower(actor, amount, now)


@own_transaction
def _lower(actor: User, amount: Decimal, at: datetime) -> None:
    row = limits.locked_limit(actor, at=at)
    before = limits.daily_limit(row)
    if amount >= before:
        raise NotLower(f"Your daily limit is {format_money(before)} already. Write a lower one.")
    row.daily_limit = amount
    row.save(update_fields=["daily_limit"])
    limits.keep(row)
    record(
        Action.DAILY_LIMIT_LOWERED, actor=actor, subject=actor, details={"before": str(before), "after": str(amount)}
    )
    outbox.tell("daily_limit_lowered", user_id=actor.pk, amount=str(amount))
