"""What a customer can still spend, by the present rows."""

from decimal import Decimal
from typing import Any

from accounts.models import BankAccount
from transfers.models import CustomerLimit


def funds(account: BankAccount) -> tuple[Decimal, Decimal]:
    """Return balance and available amount."""
    row = BankAccount.objects.get(pk=account.pk)
    return row.balance, row.available


def used_by(customer: Any) -> Decimal:
    """Return what was counted towards the daily limit on the last day with any count."""
    return CustomerLimit.objects.get(user=customer).used
