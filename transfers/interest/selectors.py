"""What savings have earned so far, for the page of the account."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings

from accounts.models import AccountKind, AccountStatus, BankAccount
from foundation.money import from_minor
from transfers.interest.rates import MILLIONTHS, parse_rates
from transfers.models import SavingsInterest
from transfers.periods import Month, day_of


@dataclass(frozen=True)
class InterestSoFar:
    """`amount` (major units) is not paid yet, `through` is its last day, if any; `rate` is today's yearly rate."""

    amount: Decimal
    through: date | None
    rate: Decimal
    paid_on: date


def interest_so_far(account: BankAccount, *, at: datetime) -> InterestSoFar | None:
    """Return what an open savings account has earned and has not been paid; None where there is nothing to show.

    If the last month was rounded up, the half cent at most is not shown as a debt.
    """
    if account.kind != AccountKind.SAVINGS or account.status == AccountStatus.CLOSED:
        return None
    today = day_of(at)
    rate = parse_rates(str(settings.SAVINGS_RATE)).on(today)
    row = SavingsInterest.objects.filter(account=account).first()
    amount = max(row.accrual.payable, 0) if row is not None else 0
    if not amount and not rate:
        return None
    return InterestSoFar(
        amount=from_minor(amount),
        through=row.accrued_through if row is not None else None,
        rate=Decimal(rate) / MILLIONTHS,
        paid_on=Month.of(at).last_day + timedelta(days=1),
    )
