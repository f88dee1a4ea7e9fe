"""How often one customer may move money, and how much they may pay out, and pay in by themselves (R3.2, R3.9, R3.10).

One row of the customer holds all of it, on every installation: every service that moves their money locks that row
first, judges by it, and writes it back once (`keep`), in the same transaction. So a place in the minute is taken
exactly when a try was judged, carried out or refused, and no shared cache is involved (docs/adr/0024).

The functions change the locked row in memory; nothing is counted before `keep`.
"""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from foundation.compiled import Insert, Select, Update
from foundation.limiter import limiter
from foundation.limiter.limiter import TooOften
from foundation.limiter.window import still_counting, taken_ahead, wait_of
from foundation.locking import lock
from foundation.money import format_money
from foundation.refusals import Refusal
from foundation.transactions import own_transaction
from transfers.models import CustomerLimit, OrderKind, TransferOrder
from transfers.orders import fraud

# Paid out to others or in cash: these count towards the daily limit. Transfers between own accounts do not.
OUTGOING_KINDS = (OrderKind.PAYMENT, OrderKind.WITHDRAWAL)

_A_DAY = timedelta(days=1)

_field: Any = CustomerLimit._meta.get_field
_rows: Select = Select(lambda user: CustomerLimit.objects.filter(user=user), _field("user"))
_locked: Select = Select(lambda user: lock(CustomerLimit.objects).filter(user=user), _field("user"))
_insert = Insert(CustomerLimit)
_KEPT = ("day", "used", "cash_in", "out_since_code", "recent", "version")
_keep = Update(
    lambda pk, version, *values: (
        CustomerLimit.objects.filter(pk=pk, version=version),
        dict(zip(_KEPT, values, strict=True)),
    ),
    *(CustomerLimit._meta.pk, _field("version"), *map(_field, _KEPT)),
)


class DailyLimitReached(Refusal):
    code = "daily_limit_reached"
    text = "This is more than remains of your daily limit."


class CashInLimitReached(Refusal):
    """A customer would pay in more by themselves than CASH_IN_DAILY_LIMIT on one day."""

    code = "cash_in_limit_reached"

    def __init__(self, remaining: Decimal) -> None:
        most = format_money(settings.CASH_IN_DAILY_LIMIT)
        super().__init__(
            f"You can pay in {most} a day yourself, over all your accounts: {format_money(remaining)} of it is left "
            "today. Bring more to the counter."
        )


def limit_of(customer: User) -> CustomerLimit | None:
    """Return the customer's row, to show; None for one whose money has never moved."""
    return next(iter(_rows.instances(customer.pk)), None)


def locked_limit(customer: User, *, at: datetime) -> CustomerLimit:
    """Return the customer's row, locked: everything that moves one customer's money queues here."""
    day = timezone.localdate(at)
    row, _ = _locked.instance_or_new(customer.pk, new=lambda: _new_row(customer, day))
    return row


def _new_row(customer: User, day: date) -> CustomerLimit:
    row = CustomerLimit(user=customer, day=day)
    _insert.save(row)
    return row


def keep(row: CustomerLimit) -> None:
    """Write the locked row, once for all changes in it.

    Raises:
        OperationalError: another transaction has written it meanwhile; the caller's retry repeats everything.
    """
    version, row.recent = row.version + 1, json.dumps(_recent(row))
    kept = (row.day, row.used, row.cash_in, row.out_since_code, row.recent, version)
    if not _keep.execute(row.pk, row.version, *kept):
        raise OperationalError("could not serialize: the customer's limit was changed without its lock")
    row.version = version


# --- By minute ----------------------------------------------------------------------------------------------


def take_place(row: CustomerLimit, kind: OrderKind, *, token: str, at: datetime) -> None:
    """Count one confirmed submit, refused or not; a repeated one (same token) is not a second.

    Raises:
        TooOften: the customer's minute is full.
    """
    name, limit, now = _minute_of(kind), _limit_of(kind), at.timestamp()
    key = f"{name}:{row.user_id}"
    recent = _recent(row)
    stamps = recent.get(name, ())
    places = still_counting(stamps, limit, now)
    if not any(token == other for _, other in places if token):
        if len(places) >= limit.times:
            wait = wait_of(places, limit, now)
            limiter.note(limiter.Taken(key, limit, 0, wait))
            raise TooOften(wait)
        places = [*places, [now, token]]
        recent[name] = [*taken_ahead(stamps, limit, now), *places]
    limiter.note(limiter.Taken(key, limit, limit.times - len(places), limit.window_seconds))


def spend_place(row: CustomerLimit, kind: OrderKind, *, token: str, a_try: str = "") -> None:
    """Note that the submit was refused: sending the same form again counts again. The place keeps a value that is not a
    token: which try it was."""
    name, recent = _minute_of(kind), _recent(row)
    recent[name] = [[stamp, a_try if other == token else other] for stamp, other in recent.get(name, ())]


def is_spent_by(row: CustomerLimit, kind: OrderKind, *, a_try: str) -> bool:
    """Return whether this try spent a place."""
    return any(other == a_try for _, other in _recent(row).get(_minute_of(kind), ()))


@own_transaction
def take_place_ahead(customer: User, kind: OrderKind, *, token: str, at: datetime) -> None:
    """Take a place in a transaction of its own, before the act itself is judged: for the opening deposit of an account.

    Raises:
        TooOften: the customer's minute is full.
    """
    row = locked_limit(customer, at=at)
    take_place(row, kind, token=token, at=at)
    keep(row)


@own_transaction
def spend_place_ahead(customer: User, kind: OrderKind, *, token: str, at: datetime) -> None:
    """Note that the act was refused for which `take_place_ahead` took a place."""
    row = locked_limit(customer, at=at)
    spend_place(row, kind, token=token)
    keep(row)


def _minute_of(kind: OrderKind) -> str:
    # Both kinds of transfer share one minute.
    return "transfer" if kind in {OrderKind.OWN_TRANSFER, OrderKind.PAYMENT} else kind.value


def _limit_of(kind: OrderKind) -> limiter.Limit:
    times = {
        OrderKind.DEPOSIT: settings.DEPOSITS_PER_MINUTE,
        OrderKind.WITHDRAWAL: settings.WITHDRAWALS_PER_MINUTE,
        OrderKind.OWN_TRANSFER: settings.TRANSFERS_PER_MINUTE,
        OrderKind.PAYMENT: settings.TRANSFERS_PER_MINUTE,
    }[kind]
    return limiter.Limit(times, 60)


# --- By hour, or what else the fraud rules count -----------------------------------------------------------


def earlier_payments(row: CustomerLimit | None, *, at: datetime) -> dict[fraud.Count, int]:
    """Return how many payments the customer has ordered before `at`, held and rejected ones included, for each count of
    the fraud rules; at most as many as they need."""
    return {count: len(_still_in(count, row, at)) if row is not None else 0 for count in fraud.COUNTS}


def note_payment(row: CustomerLimit, payment: fraud.Payment, thresholds: fraud.Thresholds) -> None:
    """Remember the payment for as long as a fraud rule counts it, but no more payments than set off the rules."""
    for count in fraud.COUNTS:
        if count.takes(payment):
            stamps = [*_still_in(count, row, payment.at), payment.at.timestamp()]
            _recent(row)[count.name] = stamps[-fraud.most_needed(count, thresholds) :]


def _still_in(count: fraud.Count, row: CustomerLimit, at: datetime) -> list[float]:
    since = (at - count.within).timestamp()
    return [stamp for stamp in _recent(row).get(count.name, ()) if stamp > since]


def _recent(row: CustomerLimit) -> dict[str, Any]:
    """Return the row's data about the minute and the hour: read once, changed in place, written by `keep`."""
    if not hasattr(row, "parsed"):
        row.parsed = json.loads(row.recent) if row.recent else {}  # type: ignore[attr-defined]
    return row.parsed  # type: ignore[attr-defined]


# --- By day -------------------------------------------------------------------------------------------------


def refuse_above_daily(row: CustomerLimit, amount: Decimal, *, at: datetime) -> None:
    """Refuse a payment out that brings the day above the customer's limit.

    Raises:
        DailyLimitReached
    """
    if row.used_on(_today(row, at)) + amount > daily_limit(row):
        raise DailyLimitReached


def charge(row: CustomerLimit, amount: Decimal, *, at: datetime, with_code: bool) -> None:
    """Add a payment out that keeps to the limit. One made `with_code` starts the sum since the last code again."""
    _begin_day(row, at)
    row.used += amount
    row.out_since_code = Decimal(0) if with_code else row.out_since_code + amount


def refuse_above_cash_in(row: CustomerLimit, amount: Decimal, *, at: datetime) -> None:
    """Refuse cash that brings what the customer pays in by themselves on this day above CASH_IN_DAILY_LIMIT.

    Raises:
        CashInLimitReached
    """
    left = max(settings.CASH_IN_DAILY_LIMIT - row.cash_in_on(_today(row, at)), Decimal(0))
    if amount > left:
        raise CashInLimitReached(left)


def count_cash_in(row: CustomerLimit, amount: Decimal, *, at: datetime) -> None:
    """Add cash that the customer pays in by themselves, within the limit."""
    _begin_day(row, at)
    row.cash_in += amount


def _begin_day(row: CustomerLimit, at: datetime) -> None:
    """Let the row count the day of this moment, from zero if it is another day."""
    today = _today(row, at)
    row.used, row.cash_in, row.day = row.used_on(today), row.cash_in_on(today), today


def _today(row: CustomerLimit, at: datetime) -> date:
    """Return the day that counts at this moment."""
    today = timezone.localdate(at)
    # Not back to an earlier day: a server whose clock is slow at midnight would empty the new day's count. A later day
    # was written by a clock that has since been set back: until it comes, the customer would have one day's limit.
    return row.day if row.day == today + _A_DAY else today


def counts_in(order: TransferOrder) -> bool:
    """Return whether an order takes its part of a limit of the day: for what goes out, or for what the customer pays in
    by themselves."""
    return order.kind in OUTGOING_KINDS or (order.kind == OrderKind.DEPOSIT and order.is_by_its_customer)


def give_back(row: CustomerLimit, order: TransferOrder) -> None:
    """Subtract an order from the locked row of its customer, since it ended without effect or was reversed, if it was
    counted on the row's day.

    The sum since the last code stays: asking for a code too early is the safe mistake.
    """
    if row.day != timezone.localdate(order.created_at) or not counts_in(order):
        return
    if order.kind == OrderKind.DEPOSIT:
        row.cash_in = max(row.cash_in - order.amount, Decimal(0))
    else:
        row.used = max(row.used - order.amount, Decimal(0))


def daily_limit(row: CustomerLimit | None) -> Decimal:
    """Return the customer's own limit, or the bank's (major units)."""
    if row is not None and row.daily_limit is not None:
        return row.daily_limit
    return settings.DAILY_TRANSFER_LIMIT
