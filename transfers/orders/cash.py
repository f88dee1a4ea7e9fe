"""Cash in and out of a customer's account: by themselves, or by staff at the counter (R3.2, R3.10)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts.models import AccountKind, BankAccount, User
from accounts.roles import require
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.signing_in import TryAgainIn
from accounts.sign_in.two_factor import WrongCode
from foundation.compiled import Select
from foundation.refusals import Refusal
from transfers.ledger.bank_books import CASH_SHARDS
from transfers.models import CustomerLimit, OrderKind, StepUpChallenge, TransferOrder
from transfers.orders import fraud, limits, screening, step_up
from transfers.orders.instruction import Instruction
from transfers.orders.ownership import require_owner, served_customer
from transfers.orders.placing import place
from transfers.orders.step_up import Proof

_tills: Select = Select(
    lambda code: BankAccount.objects.filter(kind=AccountKind.CASH, ledger_code=code),
    BankAccount._meta.get_field("ledger_code"),
)


class CashOnlyAtTheCounter(Refusal):
    code = "cash_only_at_the_counter"
    text = "Cash is paid in and out at the counter."
    status = 403


class CustomerCannotSignIn(Refusal):
    """Locked or deactivated: a code of theirs proves nothing now."""

    code = "customer_cannot_sign_in"
    text = "This customer is locked or deactivated: no cash is paid out to them."


class WrongCustomerCode(Refusal):
    code = "wrong_customer_code"
    text = "The customer’s code is not right, or was used before. Ask for the next one, and about the phone’s clock."


def deposit(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    at: datetime | None = None,
) -> TransferOrder:
    """Pay `amount` (major units) of simulated cash into the actor's own account. Counts towards CASH_IN_DAILY_LIMIT.

    A deposit that the fraud rules hold is neither on the account nor set aside there until a clerk has released it.

    Raises:
        PermissionDenied, NotYourAccount, TooOften
        CashOnlyAtTheCounter, CashInLimitReached, BalanceTooLarge, AccountNotActive, IdempotencyConflict: refused,
        nothing moved.
    """
    require(actor, "transfers.deposit_own")
    require_owner(actor, account)
    instruction = _instruction(OrderKind.DEPOSIT, actor, account, amount, idempotency_key, description, at)
    return place(instruction, check=require_self_service)


def withdraw(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    proof: Proof | None = None,
    at: datetime | None = None,
) -> TransferOrder:
    """Pay `amount` (major units) of simulated cash out of the actor's own account. Counts towards the daily limit.
    `proof` is the code that it may need (`step_up`).

    Raises:
        PermissionDenied, NotYourAccount, TooOften
        StepUpRequired, WrongStepUpCode, WaitsAfterReset, CashOnlyAtTheCounter, InsufficientFunds, AccountNotActive,
        DailyLimitReached, IdempotencyConflict: refused, nothing moved.
    """
    require(actor, "transfers.withdraw_own")
    require_owner(actor, account)
    instruction = _instruction(OrderKind.WITHDRAWAL, actor, account, amount, idempotency_key, description, at)
    return place(instruction, check=require_self_service, proof=proof)


def foresee_deposit(*, actor: User, account: BankAccount, amount: Decimal, at: datetime | None = None) -> str:
    """Return why a deposit that is about to be reviewed would be held; "" if it would be on the account at once. The
    service checks again.

    Raises:
        PermissionDenied, NotYourAccount, CashOnlyAtTheCounter, CashInLimitReached
    """
    instruction = _foreseen(OrderKind.DEPOSIT, "transfers.deposit_own", actor, account, amount, "", at)
    row = limits.limit_of(actor) or CustomerLimit(user=actor, day=timezone.localdate(instruction.at))
    limits.refuse_above_cash_in(row, amount, at=instruction.at)
    return fraud.hold_reason(screening.rules_of_cash_in(instruction))


def challenge_for(
    *, actor: User, account: BankAccount, amount: Decimal, idempotency_key: str, at: datetime | None = None
) -> StepUpChallenge | None:
    """Return the challenge of a withdrawal that is about to be reviewed; None if it needs no code at present.

    Raises:
        PermissionDenied, NotYourAccount, CashOnlyAtTheCounter, WaitsAfterReset
    """
    asked = _foreseen(OrderKind.WITHDRAWAL, "transfers.withdraw_own", actor, account, amount, idempotency_key, at)
    return step_up.challenge_ahead(asked)


def _foreseen(
    kind: OrderKind,
    permission: str,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    at: datetime | None,
) -> Instruction:
    """Return the instruction that a customer is about to confirm, checked."""
    require(actor, permission)
    require_owner(actor, account)
    require_self_service()
    return _instruction(kind, actor, account, amount, idempotency_key, "", at)


def deposit_at_counter(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str = "",
    at: datetime | None = None,
) -> TransferOrder:
    """Take `amount` (major units) of cash from anybody who brings it for a customer's account. The customer is told.

    Above ALERT_AMOUNT, counted with the day's other cash for them that no second clerk has checked, an alert is raised
    and the order is held: the money is not on the account until a second clerk releases it.

    Raises:
        PermissionDenied, TooOften
        NotACustomersAccount, NotYourself: nothing was recorded.
        AccountNotActive, IdempotencyConflict: refused, recorded, nothing moved.
    """
    require(actor, "transfers.deposit_at_counter")
    served_customer(actor, account)
    return place(_instruction(OrderKind.DEPOSIT, actor, account, amount, idempotency_key, description, at))


def withdraw_at_counter(
    *,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    customer_code: str,
    idempotency_key: str,
    origin: Origin,
    description: str = "",
    at: datetime | None = None,
) -> TransferOrder:
    """Give `amount` (major units) of cash to a customer who proves with a code that they are present.

    Above ALERT_AMOUNT, counted with the day's other cash to the customer, the order is held: no cash is handed out
    until a second clerk releases it. It counts towards the customer's daily limit, and they are told. A repeated
    request, after or while the first is carried out, needs no other code.

    Raises:
        PermissionDenied, TooOften
        NotACustomersAccount, NotYourself: nothing was recorded.
        CustomerCannotSignIn, WrongCustomerCode, WaitsAfterReset, InsufficientFunds, AccountNotActive,
        DailyLimitReached, IdempotencyConflict: refused, recorded, nothing moved.
    """
    require(actor, "transfers.withdraw_at_counter")
    customer = served_customer(actor, account)
    instruction = _instruction(OrderKind.WITHDRAWAL, actor, account, amount, idempotency_key, description, at)
    return place(instruction, vouch=lambda: _check_customer(actor, customer, customer_code, origin))


def _instruction(
    kind: OrderKind,
    actor: User,
    account: BankAccount,
    amount: Decimal,
    idempotency_key: str,
    description: str,
    at: datetime | None,
) -> Instruction:
    """Return the instruction for cash into the account or out of it, against the bank's cash."""
    till = cash_account_for(account)
    source, target = (till, account) if kind == OrderKind.DEPOSIT else (account, till)
    return Instruction(
        kind=kind,
        actor=actor,
        source=source,
        target=target,
        amount=amount,
        description=description,
        idempotency_key=idempotency_key,
        at=at or timezone.now(),
    )


def _check_customer(actor: User, customer: User, code: str, origin: Origin) -> None:
    if not customer.can_sign_in:
        raise CustomerCannotSignIn
    try:
        verify_fresh_code(actor=actor, customer=customer, code=code, origin=origin)
    except TryAgainIn as error:
        raise WrongCustomerCode(
            f"A short pause after a wrong code: ask for the next one in {error.retry_after} s."
        ) from error
    except WrongCode as error:
        raise WrongCustomerCode from error


def require_self_service() -> None:
    """Refuse when SELF_SERVICE_CASH is off.

    Raises:
        CashOnlyAtTheCounter
    """
    if not settings.SELF_SERVICE_CASH:
        raise CashOnlyAtTheCounter


def cash_account_for(account: BankAccount) -> BankAccount:
    """Return the cash row that one customer account always works with."""
    return _tills.instances(f"cash-{account.pk % CASH_SHARDS}")[0]
