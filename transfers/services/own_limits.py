"""A customer's own daily limit, in place of the bank's (R3.9, R4.2)."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from accounts import outbox
from accounts.authority import ApprovedRequest, details_of, require_request
from accounts.concurrency import own_transaction
from accounts.models import User
from accounts.money import to_minor
from accounts.reasons import checked_reason
from accounts.refusals import NotYourself, WrongStatus
from audit.actions import Action
from audit.services import record
from transfers import limits
from transfers.services.ownership import require_customer


class NotARaise(WrongStatus):
    text = "This is not more than the customer can pay out in a day already."


@own_transaction
def raise_daily_limit(
    *,
    actor: User,
    customer: User,
    amount: Decimal,
    reason: str,
    authority: ApprovedRequest,
    at: datetime | None = None,
) -> None:
    """Let a customer pay out `amount` (major units) in a day, as they have asked for. What they have paid out today
    still counts.

    Raises:
        PermissionDenied, NotYourself, NotACustomer, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotARaise
        ValueError: an amount that the currency does not have.
    """
    require_request(actor, verb="raise_daily_limit", subject=customer, authority=authority)
    if actor.pk == customer.pk:
        raise NotYourself
    require_customer(customer)
    kept_reason = checked_reason(reason)
    to_minor(amount)
    row = limits.locked_limit(customer, at=at or timezone.now())
    before = limits.daily_limit(row)
    if amount <= before:
        raise NotARaise
    row.daily_limit = amount
    row.save(update_fields=["daily_limit"])
    details = {"reason": kept_reason, "before": str(before), "after": str(amount)} | details_of(authority)
    record(Action.DAILY_LIMIT_RAISED, actor=actor, subject=customer, concerns=customer, details=details)
    outbox.tell("daily_limit_raised", user_id=customer.pk, amount=str(amount))
