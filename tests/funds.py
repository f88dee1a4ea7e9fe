"""What a customer can still spend, as the rows say it at this moment."""

from decimal import Decimal
from typing import Any

from accounts.models import BankAccount
from transfers.models import CustomerLimit


def funds(account: BankAccount) -> tuple[Decimal, Decimal]:
    """Balance and what is available of it."""
    row = BankAccount.objects.get(pk=account.pk)
    return row.balance, row.available


def used_by(customer: Any) -> Decimal:
    """What was counted towards the daily limit on the last day on which anything was."""
    return CustomerLimit.objects.get(user=customer).used
