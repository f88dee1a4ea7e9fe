"""A bank with many rows, written in batches: for tests of the number of statements, and for benchmarks."""

import itertools
import secrets
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import account_numbers
from accounts.models import AccountKind, BankAccount, User
from accounts.roles import Role
from audit.actions import Action
from audit.services import Report, record_many
from foundation.keys.encryption import lookup_digest
from transfers.ledger import posting as ledger
from transfers.models import OrderKind, OrderState, TransactionKind, TransferOrder

BATCH = 2_000
_FIRST_NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas")
_LAST_NAMES = ("Adler", "Braun", "Conrad", "Dietz", "Ernst", "Fuchs", "Graf", "Haas", "Irmer", "Jung", "Kern")


def make_customers(count: int, *, at: datetime) -> list[BankAccount]:
    """Make customers with an account each, opened one second after another until `at`; one in 500 is locked."""
    group = Group.objects.get(name=Role.CUSTOMER.value)
    accounts: list[BankAccount] = []
    unused = _new_numbers(count)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        users = User.objects.bulk_create(
            [_customer(number, at - timedelta(seconds=count - number)) for number in numbers]
        )
        User.groups.through.objects.bulk_create(
            User.groups.through(user_id=user.pk, group_id=group.pk) for user in users
        )
        accounts += BankAccount.objects.bulk_create([_account_of(user, unused.pop()) for user in users])
    return accounts


def _customer(number: int, at: datetime) -> User:
    return User(
        email=f"customer{number}@example.com",
        password="!",
        first_name=_FIRST_NAMES[number % 10],
        last_name=_LAST_NAMES[number % 11],
        is_active=number % 300 != 7,
        locked_at=at if number % 500 == 3 else None,
        created_at=at,
    )


def _new_numbers(count: int) -> set[str]:
    """Return different numbers: among 100,000 random ones two are usually alike."""
    numbers: set[str] = set()
    while len(numbers) < count:
        numbers.add(account_numbers.new_number())
    return numbers


def _account_of(user: User, number: str) -> BankAccount:
    return BankAccount(
        owner=user,
        kind=AccountKind.SAVINGS if user.pk % 4 == 0 else AccountKind.CHECKING,
        number=number,
        number_digest=lookup_digest(number),
        opened_at=user.created_at,
    )


def move_money(count: int, accounts: list[BankAccount], *, at: datetime, days: int = 200) -> None:
    """Make this many transactions, each with an order and an audit entry, over the days until `at`.

    First each account is paid into; then people pay one another. One order in 200 is held, without a transaction; one
    transaction in 1,000 is a fee.
    """
    step = timedelta(days=days) / count
    own = BankAccount.objects.order_by("pk")
    desk, fees = own.filter(kind=AccountKind.CASH)[0], own.filter(kind=AccountKind.FEES)[0]
    plans = _plans(count, accounts, desk, fees, at, step)
    while batch := list(itertools.islice(plans, BATCH)):
        with transaction.atomic():
            _write(batch)


def _plans(
    count: int, accounts: list[BankAccount], desk: BankAccount, fees: BankAccount, at: datetime, step: timedelta
) -> Iterator[tuple[ledger.Planned, BankAccount, BankAccount]]:
    for number in range(count):
        payer, payee = accounts[number % len(accounts)], accounts[(number * 7 + 1) % len(accounts)]
        kind, source, target = TransactionKind.TRANSFER, payer, payee
        if number < len(accounts):
            kind, source, target = TransactionKind.DEPOSIT, desk, payer
        elif number % 1_000 == 5 or payer.pk == payee.pk:
            kind, target = TransactionKind.FEE, fees
        amount = Decimal(1_000_000 if kind == TransactionKind.DEPOSIT else number % 997 + 1) / 100
        owner: Any = payer.owner
        legs = ledger.transfer_legs(debit=source.pk, credit=target.pk, amount=amount)
        yield ledger.Planned(kind, legs, owner, at - step * (count - number - 1)), source, target


def _write(batch: list[tuple[ledger.Planned, BankAccount, BankAccount]]) -> None:
    postings = ledger.post_many([planned for planned, _, _ in batch])
    orders = [
        _order(planned, source, target, OrderState.POSTED, posting.transaction_id)
        for (planned, source, target), posting in zip(batch, postings, strict=True)
    ]
    orders += [_order(*one, OrderState.HELD, None) for one in batch[5::200]]
    TransferOrder.objects.bulk_create(orders)
    record_many(
        Report(
            action=Action.TRANSFER_CREATED if order.state == OrderState.POSTED else Action.TRANSFER_HELD,
            actor=order.initiator, subject=order, details={"kind": order.kind}, at=order.created_at,
        )
        for order in orders
    )  # fmt: skip


def _order(
    planned: ledger.Planned, source: BankAccount, target: BankAccount, state: OrderState, transaction_id: Any
) -> TransferOrder:
    key = secrets.token_hex(32)
    return TransferOrder(
        public_id=uuid.uuid4(), kind=OrderKind.PAYMENT, initiator=planned.initiated_by, source=source, target=target,
        amount=planned.legs[0].amount, key_digest=key, inputs_digest=key, state=state, transaction_id=transaction_id,
        created_at=planned.at,
    )  # fmt: skip
