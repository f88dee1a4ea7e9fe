"""The accounts of a user, and what they have paid out today."""

import logging
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone

from accounts import account_numbers
from accounts.account_numbers import InvalidAccountNumber
from accounts.models import AccountStatus, BankAccount, User
from foundation.compiled import Select
from foundation.keys.encryption import lookup_digests
from transfers.models import CustomerLimit
from transfers.orders import limits
from transfers.payees.selectors import typed_number

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DailyUse:
    """What counts towards a limit of the day, and how much of it was used today, in major units."""

    limit: Decimal
    used: Decimal

    @property
    def remaining(self) -> Decimal:
        return max(self.limit - self.used, Decimal(0))


def accounts_of(user: User, *, active_only: bool = False) -> list[BankAccount]:
    """Return the user's accounts: open ones first, in the order they were opened."""
    rows = _own.instances(user.pk)
    return [row for row in rows if row.is_active] if active_only else rows


def in_order(accounts: QuerySet[BankAccount]) -> QuerySet[BankAccount]:
    closed_last = Case(When(status=AccountStatus.CLOSED, then=Value(1)), default=Value(0), output_field=IntegerField())
    return accounts.order_by(closed_last, "opened_at", "id")


_own: Select = Select(
    lambda owner: in_order(BankAccount.objects.filter(owner=owner)), BankAccount._meta.get_field("owner")
)


def account_of(user: User, public_id: UUID) -> BankAccount:
    """Return one account of the user.

    Raises:
        BankAccount.DoesNotExist: also when it belongs to another customer.
    """
    return BankAccount.objects.get(owner=user, public_id=public_id)


def account_by_number(user: User, text: str) -> BankAccount:
    """Return one account of the user by its number, spaces and hyphens allowed.

    Raises:
        BankAccount.DoesNotExist: also when it belongs to another customer, or is not an account number.
    """
    try:
        number = account_numbers.parse_number(text)
    except InvalidAccountNumber as error:
        raise BankAccount.DoesNotExist from error
    account = BankAccount.objects.get(owner=user, number_digest__in=lookup_digests(number))
    if typed_number(account) != account_numbers.grouped(number):
        logger.critical("The look-up digest of account %s is another number's: was it tampered with?", account.pk)
        raise BankAccount.DoesNotExist
    return account


def daily_use(user: User) -> DailyUse:
    """Return today's payments out."""
    return daily_use_by(limits.limit_of(user))


def cash_in_use(user: User) -> DailyUse:
    """Return what the customer has paid in by themselves today."""
    row = limits.limit_of(user)
    used = row.cash_in_on(timezone.localdate()) if row is not None else Decimal(0)
    return DailyUse(settings.CASH_IN_DAILY_LIMIT, used)


def daily_use_by(row: CustomerLimit | None) -> DailyUse:
    """Return the same for a customer whose row has been read; None is one who never paid anything out."""
    used = row.used_on(timezone.localdate()) if row is not None else Decimal(0)
    return DailyUse(limits.daily_limit(row), used)
