"""Acts of people, staff and jobs with the money of the same two customers, each as a step ready to run beside another
one (`test_pairs.py`)."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from accounts import freezes
from accounts.models import AccountFreeze, AccountKind, AccountStatus, BankAccount, FreezeKind, User
from accounts.permission import second_person
from audit.services import record_many
from foundation.models import RateWindow
from foundation.transactions import own_transaction
from support.models import RequestKind, ServiceRequest
from support.requests import services as requests
from support.states import RequestState
from tests.acts import by_name
from tests.staff_acts import REASON, an_origin, fresh_code, set_status
from transfers.accounts import closing, freezing, opening
from transfers.interest.posting import accrue_interest
from transfers.ledger import posting as ledger
from transfers.models import CustomerLimit, OrderKind, SavingsInterest, Transaction, TransferOrder
from transfers.orders import (
    cash,
    holds,
    known_payees,
    large_reversals,
    own_limits,
    payee_names,
    records,
    reversals,
    sending,
)
from transfers.orders.instruction import Instruction

AMOUNT = Decimal(5)
MUCH = Decimal(101)  # is held, and takes two administrators to be reversed
HELD_ABOVE = Decimal(100)
BATCH = "By the batch"  # the description of movements that charge no limit

Run = Callable[[], Any]
Change = Mapping[int, Decimal]  # of balances, by account


@dataclass(frozen=True)
class Step:
    """An act ready to run, and how it changes the counted balances if it is not refused.

    `begin` runs before both acts, once both are ready.
    """

    run: Run
    change: Change = field(default_factory=dict)
    begin: Run = lambda: None


@dataclass
class Bank:
    """Two customers and the accounts that all acts are about. If two acts run at once, the first is by the staff of
    seat 0, the other by those of seat 1."""

    alice: User
    bob: User
    alices: BankAccount
    savings: BankAccount
    bobs: BankAccount
    clerks: tuple[User, User]
    administrators: tuple[User, User]  # they ask and act
    agreeing: tuple[User, User]  # they agree
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def key(self) -> str:
        return f"pairs number {next(self.numbers)}"

    def settle(self) -> None:
        """Lift every freeze, and forget what waits for clerks and all counted requests."""
        for account in BankAccount.objects.filter(status=AccountStatus.FROZEN):
            set_status(account, AccountStatus.ACTIVE)
        AccountFreeze.objects.all().delete()
        ServiceRequest.objects.filter(state=RequestState.PENDING).delete()
        RateWindow.objects.all().delete()

    def stored(self, account: BankAccount) -> BankAccount:
        """Return it as a request of its own would have read it: with its owner."""
        return BankAccount.objects.select_related("owner").get(pk=account.pk)


# --- By customers --------------------------------------------------------------------------------------------


def deposit(bank: Bank, seat: int) -> Step:
    account, key = bank.stored(bank.alices), bank.key()
    run = lambda: cash.deposit(actor=bank.alice, account=account, amount=AMOUNT, idempotency_key=key)  # noqa: E731
    return Step(run, {account.pk: AMOUNT})


def withdraw(bank: Bank, seat: int) -> Step:
    account, key = bank.stored(bank.alices), bank.key()
    run = lambda: cash.withdraw(actor=bank.alice, account=account, amount=AMOUNT, idempotency_key=key)  # noqa: E731
    return Step(run, {account.pk: -AMOUNT})


def _payment(bank: Bank, payer: User, source: BankAccount, target: BankAccount, amount: Decimal = AMOUNT) -> Run:
    sides: dict[str, Any] = {"source": bank.stored(source), "target": bank.stored(target)}
    key = bank.key()
    return lambda: sending.transfer(actor=payer, amount=amount, idempotency_key=key, name_given=by_name(), **sides)


def pay(bank: Bank, seat: int) -> Step:
    run = _payment(bank, bank.alice, bank.alices, bank.bobs)
    return Step(run, {bank.alices.pk: -AMOUNT, bank.bobs.pk: AMOUNT})


def pay_back(bank: Bank, seat: int) -> Step:
    run = _payment(bank, bank.bob, bank.bobs, bank.alices)
    return Step(run, {bank.bobs.pk: -AMOUNT, bank.alices.pk: AMOUNT})


def own_transfer(bank: Bank, seat: int) -> Step:
    run = _payment(bank, bank.alice, bank.savings, bank.alices)
    return Step(run, {bank.alices.pk: AMOUNT})


def cancel(bank: Bank, seat: int) -> Step:
    order = _held(bank)
    return Step(lambda: holds.cancel_order(actor=bank.alice, order=order))


def freeze_own(bank: Bank, seat: int) -> Step:
    account = bank.stored(bank.alices)
    return Step(lambda: freezing.freeze_own_account(actor=bank.alice, account=account))


def file_freeze(bank: Bank, seat: int) -> Step:
    account = bank.stored(bank.alices)
    return Step(lambda: requests.file_request(actor=bank.alice, kind=RequestKind.FREEZE_ACCOUNT, account=account))


def open_account(bank: Bank, seat: int) -> Step:
    key = bank.key()
    return Step(
        lambda: opening.open_account(
            actor=bank.alice, kind=AccountKind.SAVINGS, opening_deposit=AMOUNT, idempotency_key=key
        )
    )


def close(bank: Bank, seat: int) -> Step:
    """Close a savings account that is owed interest, which goes to the customer's checking account."""
    account = opening.open_account(actor=bank.alice, kind=AccountKind.SAVINGS, idempotency_key=bank.key())
    _owe_interest(account)
    return Step(lambda: closing.close_account(actor=bank.alice, account=account), {bank.alices.pk: AMOUNT})


def lower_limit(bank: Bank, seat: int) -> Step:
    amount = _limit(bank) - 1
    return Step(lambda: own_limits.lower_daily_limit(actor=bank.alice, amount=amount))


# --- By staff ------------------------------------------------------------------------------------------------


def release(bank: Bank, seat: int) -> Step:
    order, clerk = _held(bank), bank.clerks[seat]
    run = lambda: holds.release_order(actor=clerk, order=order, reason=REASON)  # noqa: E731
    return Step(run, {bank.alices.pk: -MUCH, bank.bobs.pk: MUCH})


def reject(bank: Bank, seat: int) -> Step:
    order, clerk = _held(bank), bank.clerks[seat]
    return Step(lambda: holds.reject_order(actor=clerk, order=order, reason=REASON))


def reverse(bank: Bank, seat: int) -> Step:
    movement, administrator = _moved(bank, AMOUNT), bank.administrators[seat]
    run = lambda: reversals.reverse_transaction(actor=administrator, transaction=movement, reason=REASON)  # noqa: E731
    return Step(run, {bank.alices.pk: AMOUNT, bank.bobs.pk: -AMOUNT})


def ask_to_reverse(bank: Bank, seat: int) -> Step:
    movement, administrator = _moved(bank, MUCH), bank.administrators[seat]
    return Step(lambda: large_reversals.reverse_or_ask(actor=administrator, transaction=movement, reason=REASON))


def agree_to_reverse(bank: Bank, seat: int) -> Step:
    movement, second = _moved(bank, MUCH), bank.agreeing[seat]
    asker: dict[str, Any] = {"actor": bank.administrators[seat], "transaction": movement, "reason": REASON}
    act, code = large_reversals.reverse_or_ask(**asker), fresh_code(second)
    asked: dict[str, Any] = {"act": act, "reason": REASON, "code": code, "origin": an_origin()}
    return Step(lambda: second_person.approve(actor=second, **asked), {bank.alices.pk: MUCH, bank.bobs.pk: -MUCH})


def freeze_for_the_bank(bank: Bank, seat: int) -> Step:
    account, administrator = bank.stored(bank.alices), bank.administrators[seat]
    return Step(lambda: freezing.freeze_account(actor=administrator, account=account, reason=REASON))


def approve_freeze(bank: Bank, seat: int) -> Step:
    return _approval(bank, seat, RequestKind.FREEZE_ACCOUNT, account=bank.alices)


def unfreeze(bank: Bank, seat: int) -> Step:
    account, administrator = bank.stored(bank.alices), bank.administrators[seat]
    run = lambda: freezing.unfreeze_account(actor=administrator, account=account, reason=REASON)  # noqa: E731
    return Step(run, begin=lambda: _freeze(bank))


def approve_unfreeze(bank: Bank, seat: int) -> Step:
    """Approve lifting the freezes, as a clerk who has read those that existed when both acts were ready."""
    read: list[int] = []

    def begin() -> None:
        _freeze(bank)
        read.append(freezes.version_of(freezes.standing_on(bank.stored(bank.alices))))

    asked, clerk = _asked(bank, RequestKind.UNFREEZE_ACCOUNT, account=bank.alices), bank.clerks[seat]
    decision: dict[str, Any] = {"actor": clerk, "public_id": asked.public_id, "reason": REASON}
    return Step(lambda: requests.approve_request(**decision, seen=read[0]), begin=begin)


def approve_close(bank: Bank, seat: int) -> Step:
    account = opening.open_account(actor=bank.alice, kind=AccountKind.SAVINGS, idempotency_key=bank.key())
    _owe_interest(account)
    step = _approval(bank, seat, RequestKind.CLOSE_ACCOUNT, account=account)
    return replace(step, change={bank.alices.pk: AMOUNT})


def raise_limit(bank: Bank, seat: int) -> Step:
    amount = _limit(bank) + 2 + seat
    return _approval(bank, seat, RequestKind.RAISE_DAILY_LIMIT, payload=json.dumps({"amount": f"{amount}"}))


def counter_in(bank: Bank, seat: int) -> Step:
    asked: dict[str, Any] = {
        "actor": bank.clerks[seat],
        "account": bank.stored(bank.alices),
        "idempotency_key": bank.key(),
    }
    return Step(lambda: cash.deposit_at_counter(amount=AMOUNT, **asked), {bank.alices.pk: AMOUNT})


def counter_out(bank: Bank, seat: int) -> Step:
    asked: dict[str, Any] = {
        "actor": bank.clerks[seat],
        "account": bank.stored(bank.alices),
        "idempotency_key": bank.key(),
    }
    code, origin = fresh_code(bank.alice), an_origin()
    return Step(
        lambda: cash.withdraw_at_counter(amount=AMOUNT, customer_code=code, origin=origin, **asked),
        {bank.alices.pk: -AMOUNT},
    )


# --- By jobs -------------------------------------------------------------------------------------------------


def expire(bank: Bank, seat: int) -> Step:
    order = _held(bank)
    return Step(lambda: holds.expire_order(order=order, at=order.expires_at))


def interest(bank: Bank, seat: int) -> Step:
    _owe_interest(bank.savings)
    return Step(lambda: accrue_interest(at=timezone.now()))


@own_transaction
def _post_batch(orders: list[TransferOrder]) -> None:
    postings = ledger.post_many([records.movement_of(order, at=order.created_at) for order in orders])
    for order, posting in zip(orders, postings, strict=True):
        records.mark_posted(order, posting)
    TransferOrder.objects.bulk_create(orders)
    record_many(records.report_of_posted(*pair) for pair in zip(orders, postings, strict=True))


def batch(bank: Bank, seat: int) -> Step:
    """Post payments to and fro and cash, all at once."""
    now, till = timezone.now(), cash.cash_account_for(bank.alices)
    sides = [
        (OrderKind.PAYMENT, bank.bob, bank.bobs, bank.alices),
        (OrderKind.PAYMENT, bank.alice, bank.alices, bank.bobs),
        (OrderKind.DEPOSIT, bank.alice, till, bank.alices),
    ]
    orders = []
    for kind, actor, source, target in sides:
        asked = Instruction(kind, actor, source, target, AMOUNT, bank.key(), now, BATCH)
        orders.append(asked.as_order())
        if kind == OrderKind.PAYMENT:
            known = known_payees.known_payee(actor, target)
            payee_names.put_on_order(orders[-1], by_name(), known)
    return Step(lambda: _post_batch(orders), {bank.alices.pk: AMOUNT})


ACTS: dict[str, Callable[[Bank, int], Step]] = {
    act.__name__: act
    for act in (
        *(deposit, withdraw, pay, pay_back, own_transfer, cancel, freeze_own, file_freeze, open_account, close),
        *(lower_limit, release, reject, reverse, ask_to_reverse, agree_to_reverse, freeze_for_the_bank),
        *(approve_freeze, unfreeze, approve_unfreeze, approve_close, raise_limit, counter_in, counter_out),
        *(expire, interest, batch),
    )
}


# --- What they need ------------------------------------------------------------------------------------------


def _at_the_counter(bank: Bank, seat: int) -> dict[str, Any]:
    return {"actor": bank.clerks[seat], "account": bank.stored(bank.alices), "idempotency_key": bank.key()}


def _held(bank: Bank) -> TransferOrder:
    """Return a payment from Alice to Bob that waits."""
    order = _payment(bank, bank.alice, bank.alices, bank.bobs, MUCH)()
    return TransferOrder.objects.select_related("source__owner", "target__owner").get(pk=order.pk)


def _moved(bank: Bank, amount: Decimal) -> Transaction:
    """Return a payment from Alice to Bob that was a mistake."""
    with override_settings(SUSPICIOUS_AMOUNT=MUCH):
        return _payment(bank, bank.alice, bank.alices, bank.bobs, amount)().transaction


def _freeze(bank: Bank) -> None:
    account = bank.stored(bank.alices)
    if account.is_active:
        set_status(account, AccountStatus.FROZEN, FreezeKind.SUPPORT)


def _asked(bank: Bank, kind: RequestKind, account: BankAccount | None, **asks: Any) -> ServiceRequest:
    """Return a request that waits: the other clerk's, if there is one."""
    waiting = ServiceRequest.objects.filter(kind=kind.value, account=account, state=RequestState.PENDING)
    with transaction.atomic():
        return waiting.first() or requests.save_new(bank.alice, kind, account=account, **asks)


def _approval(bank: Bank, seat: int, kind: RequestKind, account: BankAccount | None = None, **asks: Any) -> Step:
    asked, clerk = _asked(bank, kind, account, **asks), bank.clerks[seat]
    return Step(lambda: requests.approve_request(actor=clerk, public_id=asked.public_id, reason=REASON))


def _owe_interest(account: BankAccount) -> None:
    yesterday = (datetime.now(tz=UTC) - timedelta(days=2)).date()
    owed = {"due": AMOUNT, "accrued_through": yesterday}
    SavingsInterest.objects.update_or_create(account=account, defaults=owed)


def _limit(bank: Bank) -> Decimal:
    limit = CustomerLimit.objects.get(user=bank.alice).daily_limit
    assert limit is not None
    return limit
