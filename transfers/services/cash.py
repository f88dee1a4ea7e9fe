"""Cash in and out of a customer's own account (R3.2)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts.models import AccountKind, BankAccount, User
from accounts.roles import require
from transfers.bank_books import CASH_SHARDS
from transfers.models import OrderKind, TransferOrder
from transfers.refusals import Refusal
from transfers.services.orders import Instruction, place
from transfers.services.ownership import require_owner


class CashOnlyAtTheCounter(Refusal):
    code = "cash_only_at_the_counter"
    text = "Cash is paid in and out at the counter."


def deposit(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    at: datetime | None = None,
) -> TransferOrder:
    """Pay `amount` (major units) of cash into the actor's own account.

    Raises:
        PermissionDenied, NotYourAccount, TooOften
        CashOnlyAtTheCounter, AccountNotActive, IdempotencyConflict: refused, nothing moved.
    """
    require(actor, "transfers.deposit_own")
    require_owner(actor, account)
    return place(
        Instruction(
            kind=OrderKind.DEPOSIT,
            actor=actor,
            source=cash_account_for(account),
            target=account,
            amount=amount,
            description=description,
            idempotency_key=idempotency_key,
            at=at or timezone.now(),
        ),
        check=require_self_service,
    )


def withdraw(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    at: datetime | None = None,
) -> TransferOrder:
    """Pay `amount` (major units) of cash out of the actor's own account. Counts towards the daily limit.

    Raises:
        PermissionDenied, NotYourAccount, TooOften
        CashOnlyAtTheCounter, InsufficientFunds, AccountNotActive, DailyLimitReached, IdempotencyConflict:
        refused, nothing moved.
    """
    require(actor, "transfers.withdraw_own")
    require_owner(actor, account)
    return place(
        Instruction(
            kind=OrderKind.WITHDRAWAL,
            actor=actor,
            source=account,
            target=cash_account_for(account),
            amount=amount,
            description=description,
            idempotency_key=idempotency_key,
            at=at or timezone.now(),
        ),
        check=require_self_service,
    )


def require_self_service() -> None:
    """Raises: CashOnlyAtTheCounter, when SELF_SERVICE_CASH is off."""
    if not settings.SELF_SERVICE_CASH:
        raise CashOnlyAtTheCounter


def cash_account_for(account: BankAccount) -> BankAccount:
    """The cash row that one customer account always works with."""
    code = f"cash-{account.pk % CASH_SHARDS}"
    return BankAccount.objects.get(kind=AccountKind.CASH, ledger_code=code)
