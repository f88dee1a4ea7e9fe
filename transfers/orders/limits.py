"""How often and how much one customer may pay out (R3.9)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from foundation.compiled import Select
from foundation.limiter import limiter
from foundation.refusals import Refusal
from transfers.models import CustomerLimit, OrderKind

# Paid out to others or in cash: these count towards the daily limit. Between own accounts nothing does.
OUTGOING_KINDS = (OrderKind.PAYMENT, OrderKind.WITHDRAWAL)

_locked: Select = Select(
    lambda user: CustomerLimit.objects.select_for_update().filter(user=user), CustomerLimit._meta.get_field("user")
)


class DailyLimitReached(Refusal):
    code = "daily_limit_reached"
    text = "This is more than remains of your daily limit."


def take_minute_place(customer: User, kind: OrderKind, *, token: str, at: datetime) -> None:
    """Count one confirmed submit, refused or not; a repeated one (same token) is no second.

    Raises:
        TooOften: the customer's minute is full.
    """
    times = {
        OrderKind.DEPOSIT: settings.DEPOSITS_PER_MINUTE,
        OrderKind.WITHDRAWAL: settings.WITHDRAWALS_PER_MINUTE,
        OrderKind.OWN_TRANSFER: settings.TRANSFERS_PER_MINUTE,
        OrderKind.PAYMENT: settings.TRANSFERS_PER_MINUTE,
    }[kind]
    limiter.take(_minute_key(customer, kind), limiter.Limit(times, 60), token=token, at=at)


def spend_minute_place(customer: User, kind: OrderKind, *, token: str) -> None:
    """The submit was refused: sending the same form again counts again."""
    limiter.spend(_minute_key(customer, kind), token)


def _minute_key(customer: User, kind: OrderKind) -> str:
    # Both kinds of transfer share one minute.
    name = "transfer" if kind in {OrderKind.OWN_TRANSFER, OrderKind.PAYMENT} else kind.value
    return f"{name}:{customer.pk}"


def locked_limit(customer: User, *, at: datetime) -> CustomerLimit:
    """The customer's row, locked: whatever moves one customer's money stands in one queue from here on."""
    day = timezone.localdate(at)
    row, _ = _locked.instance_or_new(customer.pk, new=lambda: CustomerLimit.objects.create(user=customer, day=day))
    return row


def charge(row: CustomerLimit, amount: Decimal, *, at: datetime, with_code: bool) -> None:
    """Add a payment out to the locked row. One that is made `with_code` begins the sum since the last code anew.

    Raises:
        DailyLimitReached
    """
    # Never back to a day before: a server whose clock is slow at midnight would empty the new day's count.
    today = max(timezone.localdate(at), row.day)
    used = row.used if row.day == today else Decimal(0)
    if used + amount > daily_limit(row):
        raise DailyLimitReached
    # Conditional on what was read, so that the limit holds even where a lock hint is ignored.
    since_code = Decimal(0) if with_code else row.out_since_code + amount
    changed = CustomerLimit.objects.filter(pk=row.pk, day=row.day, used=row.used).update(
        day=today, used=used + amount, out_since_code=since_code
    )
    if not changed:
        raise OperationalError("could not serialize: the limit was charged without its lock")


def give_back(row: CustomerLimit, amount: Decimal, *, charged_at: datetime) -> None:
    """Take a payment that never went out off the locked row, if it was charged on the day that the row counts.

    What was paid out since the last code stays: asking for a code too early is the safe mistake.
    """
    if row.day != timezone.localdate(charged_at):
        return
    changed = CustomerLimit.objects.filter(pk=row.pk, day=row.day, used=row.used).update(
        used=max(row.used - amount, Decimal(0))
    )
    if not changed:
        raise OperationalError("could not serialize: the limit was given back without its lock")


def daily_limit(row: CustomerLimit | None) -> Decimal:
    """The customer's own limit, or the bank's (major units)."""
    if row is not None and row.daily_limit is not None:
        return row.daily_limit
    return settings.DAILY_TRANSFER_LIMIT
