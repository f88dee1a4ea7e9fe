"""The accounts of a user, and whom they may pay."""

import logging
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When
from django.utils import timezone

from accounts import limiter
from accounts.encryption import DecryptionFailed
from accounts.models import AccountStatus, BankAccount, User
from accounts.services import bank_accounts
from transfers import limits
from transfers.models import CustomerLimit
from transfers.services.sending import PayeeCannotReceive

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DailyUse:
    """Today's payments out, in major units."""

    limit: Decimal
    used: Decimal

    @property
    def remaining(self) -> Decimal:
        return max(self.limit - self.used, Decimal(0))


def accounts_of(user: User, *, active_only: bool = False) -> list[BankAccount]:
    """The user's accounts: open ones first, in the order they were opened."""
    rows = BankAccount.objects.filter(owner=user)
    if active_only:
        rows = rows.filter(status=AccountStatus.ACTIVE)
    closed_last = Case(When(status=AccountStatus.CLOSED, then=Value(1)), default=Value(0), output_field=IntegerField())
    return list(rows.order_by(closed_last, "opened_at", "id"))


def account_of(user: User, public_id: UUID) -> BankAccount:
    """One account of the user.

    Raises:
        BankAccount.DoesNotExist: also when it is somebody else's.
    """
    return BankAccount.objects.get(owner=user, public_id=public_id)


def payee_account(user: User, number: str) -> BankAccount:
    """The account with this number, to send money to. Look-ups are limited, or numbers could be tried out.

    Raises:
        InvalidAccountNumber: mistyped.
        PayeeCannotReceive: there is none, or it is not active.
        TooOften
    """
    limiter.take(f"payee:{user.pk}", limiter.Limit(settings.PAYEE_LOOKUPS_PER_HOUR, 3600))
    try:
        account = bank_accounts.find_by_number(number)
    except DecryptionFailed as error:
        logger.critical("A payment was stopped: %s", error)
        raise PayeeCannotReceive from error
    if account is None or (not account.is_active and account.owner_id != user.pk):
        raise PayeeCannotReceive
    return account


def daily_use(user: User) -> DailyUse:
    row = CustomerLimit.objects.filter(user=user).first()
    used = row.used if row is not None and row.day == timezone.localdate() else Decimal(0)
    return DailyUse(limits.daily_limit(row), used)
