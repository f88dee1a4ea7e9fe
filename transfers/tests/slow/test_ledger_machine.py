"""Long random walks through the services, compared step by step with a model of a few lines (R3.1, R3.3, R3.4)."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.models import AccountKind, AccountStatus, BankAccount, User
from foundation.refusals import Refusal
from tests import acts
from tests.staff_acts import set_status
from transfers.accounts import closing, opening
from transfers.ledger import verification
from transfers.models import Entry, TransferOrder
from transfers.orders import cash
from transfers.orders.limits import DailyLimitReached

DAILY_LIMIT = 500_00
ACTIVE, FROZEN, CLOSED = AccountStatus.ACTIVE, AccountStatus.FROZEN, AccountStatus.CLOSED


class Model:
    """What ought to be, in minor units: a dictionary for each fact, and no rule but these."""

    def __init__(self) -> None:
        self.balance: dict[int, int] = {}
        self.held: dict[int, int] = {}
        self.status: dict[int, AccountStatus] = {}
        self.used: dict[int, int] = {}

    def can_pay(self, account: int, amount: int) -> bool:
        return self.status[account] == ACTIVE and self.balance[account] - self.held[account] >= amount

    def within_limit(self, owner: int, amount: int) -> bool:
        return self.used.get(owner, 0) + amount <= DAILY_LIMIT


class BankMachine(RuleBasedStateMachine):
    """Two customers do what they like with their accounts, and the bank freezes and holds."""

    people: ClassVar[list[User]]
    keys: ClassVar[Any] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        # Each walk is rolled back as a test is; the services take it for the outside of all transactions.
        self.outside = transaction.atomic()
        self.outside._from_testcase = True  # type: ignore[attr-defined]
        self.outside.__enter__()
        self.model = Model()
        self.accounts: list[BankAccount] = []
        self.done: list[tuple[Callable[..., TransferOrder], dict[str, Any], TransferOrder]] = []

    def teardown(self) -> None:
        try:
            assert list(verification.faults()) == []
        finally:
            transaction.set_rollback(True)
            self.outside.__exit__(None, None, None)

    def pick(self, number: int) -> BankAccount:
        return self.accounts[number % len(self.accounts)]

    def attempt(self, allowed: bool, service: Callable[..., TransferOrder], **arguments: Any) -> bool:
        """Run the service; it must succeed exactly when the model allows it."""
        arguments["idempotency_key"] = f"the walk {next(self.keys)}"
        try:
            order = service(**arguments)
        except Refusal:
            assert not allowed
            return False
        assert allowed
        self.done.append((service, arguments, order))
        return True

    @initialize()
    def begin(self) -> None:
        for person in self.people:
            self.open(person, 100_00)

    def open(self, owner: User, deposit: int) -> None:
        account = opening.open_account(
            actor=owner,
            kind=AccountKind.CHECKING,
            opening_deposit=Decimal(deposit) / 100,
            idempotency_key=f"the walk {next(self.keys)}",
        )
        self.accounts.append(account)
        self.model.balance[account.pk], self.model.held[account.pk] = deposit, 0
        self.model.status[account.pk] = ACTIVE

    numbers = st.integers(0, 5)
    amounts = st.integers(1, 120_00)

    @rule(number=st.integers(0, 1), deposit=st.integers(0, 50_00))
    def open_another(self, number: int, deposit: int) -> None:
        if len(self.accounts) < 5:
            self.open(self.people[number], deposit)

    @rule(number=numbers, amount=amounts)
    def deposit(self, number: int, amount: int) -> None:
        account = self.pick(number)
        allowed = self.model.status[account.pk] == ACTIVE
        if self.attempt(allowed, cash.deposit, actor=account.owner, account=account, amount=Decimal(amount) / 100):
            self.model.balance[account.pk] += amount

    @rule(number=numbers, amount=amounts)
    def withdraw(self, number: int, amount: int) -> None:
        account = self.pick(number)
        owner = account.owner_id or 0
        allowed = self.model.can_pay(account.pk, amount) and self.model.within_limit(owner, amount)
        if self.attempt(allowed, acts.withdraw, actor=account.owner, account=account, amount=Decimal(amount) / 100):
            self.model.balance[account.pk] -= amount
            self.model.used[owner] = self.model.used.get(owner, 0) + amount

    @rule(payer=numbers, payee=numbers, amount=amounts)
    def transfer(self, payer: int, payee: int, amount: int) -> None:
        debit, credit = self.pick(payer), self.pick(payee)
        owner, outgoing = debit.owner_id or 0, debit.owner_id != credit.owner_id
        allowed = (
            debit.pk != credit.pk
            and self.model.can_pay(debit.pk, amount)
            and self.model.status[credit.pk] == ACTIVE
            and (not outgoing or self.model.within_limit(owner, amount))
        )
        arguments = {"actor": debit.owner, "source": debit, "target": credit, "amount": Decimal(amount) / 100}
        if self.attempt(allowed, acts.transfer, **arguments):
            self.model.balance[debit.pk] -= amount
            self.model.balance[credit.pk] += amount
            if outgoing:
                self.model.used[owner] = self.model.used.get(owner, 0) + amount

    @rule(number=st.integers(0, 99))
    def repeat(self, number: int) -> None:
        """R3.5: whatever has happened since, the same request returns the same order and moves nothing."""
        if self.done:
            service, arguments, order = self.done[number % len(self.done)]
            assert service(**arguments).pk == order.pk

    @rule(number=numbers, frozen=st.booleans())
    def freeze(self, number: int, frozen: bool) -> None:
        account = self.pick(number)
        if self.model.status[account.pk] != CLOSED:
            self.model.status[account.pk] = FROZEN if frozen else ACTIVE
            set_status(account, self.model.status[account.pk])

    @rule(number=numbers, share=st.integers(1, 4))
    def hold(self, number: int, share: int) -> None:
        account = self.pick(number)
        amount = (self.model.balance[account.pk] - self.model.held[account.pk]) // share
        if amount:
            self.model.held[account.pk] += amount
            self.set_held(account)
            key = f"the walk {next(self.keys)}"
            TransferOrder.objects.create(
                kind="payment",
                initiator=self.people[0],
                source=account,
                target=account,
                amount=Decimal(amount) / 100,
                key_digest=key,
                inputs_digest=key,
                state="held",
            )

    @rule(number=numbers)
    def reject(self, number: int) -> None:
        account = self.pick(number)
        TransferOrder.objects.filter(source=account, state="held").update(state="rejected", decided_at=timezone.now())
        self.model.held[account.pk] = 0
        self.set_held(account)

    def set_held(self, account: BankAccount) -> None:
        held = Decimal(self.model.held[account.pk]) / 100
        BankAccount.objects.filter(pk=account.pk).update(held=held)

    @rule(number=numbers)
    def close(self, number: int) -> None:
        account = self.pick(number)
        allowed = self.model.status[account.pk] == ACTIVE and not self.model.balance[account.pk]
        try:
            closing.close_account(actor=account.owner, account=account)  # type: ignore[arg-type]
        except Refusal:
            assert not allowed
        else:
            assert allowed
            self.model.status[account.pk] = CLOSED

    @rule(amount=st.integers(1, 30_000))
    def beyond_the_limit(self, amount: int) -> None:
        first = next(account for account in self.accounts if account.owner_id == self.people[0].pk)
        over = Decimal(DAILY_LIMIT - self.model.used.get(self.people[0].pk, 0) + amount) / 100
        with pytest.raises(DailyLimitReached):
            acts.withdraw(
                actor=self.people[0], account=first, amount=over, idempotency_key=f"the walk {next(self.keys)}"
            )

    @invariant()
    def the_bank_is_as_the_model_says(self) -> None:
        rows = BankAccount.objects.filter(pk__in=self.model.balance)
        seen = {row.pk: (int(row.balance * 100), int(row.held * 100), row.status) for row in rows}
        model = self.model
        assert seen == {pk: (model.balance[pk], model.held[pk], model.status[pk]) for pk in model.balance}

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        inside = sum(self.model.balance.values())
        vaults = sum(BankAccount.objects.filter(kind=AccountKind.CASH).values_list("balance", flat=True), Decimal(0))
        assert vaults * 100 == inside
        assert Entry.objects.filter(balance_after__lt=Decimal(0), account__owner__isnull=False).count() == 0


def test_no_walk_leaves_the_model(no_minute_limits: None, alice: Any, bob: Any, settings: Any) -> None:
    settings.DAILY_TRANSFER_LIMIT = Decimal(DAILY_LIMIT) / 100
    BankMachine.people = [alice, bob]
    run_state_machine_as_test(BankMachine, settings=profile())


def profile() -> settings:
    return settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
