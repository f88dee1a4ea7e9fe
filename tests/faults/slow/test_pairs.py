"""Every two acts of money at the same moment, on the same accounts of the same customers (R3.4, R3.5, R3.9).

The bank's order of locks (docs/locks.md) rules out that they wait for each other; here the database confirms it.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations_with_replacement
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.db import connection

from accounts.models import AccountKind, BankAccount
from accounts.roles import Role
from foundation.refusals import Refusal
from tests import acts
from tests.asvs import proves
from tests.faults.slow.acts_of_money import ACTS, BATCH, HELD_ABOVE, Bank, Step
from transfers.ledger import verification
from transfers.models import CustomerLimit, OrderState, TransferOrder
from transfers.orders.limits import OUTGOING_KINDS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_minute_limits")]

TURNS = 2
PAIRS = list(combinations_with_replacement(ACTS, 2))
FREEZES = {"freeze_own", "file_freeze", "freeze_for_the_bank", "approve_freeze", "unfreeze", "approve_unfreeze"}

# What an act may be refused with, and by which act at the same moment. Everything else is a fault.
TOLD = {
    **dict.fromkeys(["AccountNotActive", "SourceNotActive", "TargetNotActive"], FREEZES),
    **dict.fromkeys(["PayeeCannotReceive", "InterestOwed"], FREEZES),
    **dict.fromkeys(["FrozenAlready", "WrongStatus"], FREEZES),
    "AdministratorsFreeze": {"freeze_for_the_bank"},
    "FreezeCameSince": FREEZES,
    "AlreadyAsked": {"file_freeze", "approve_freeze"},
    "IllegalStep": {"approve_freeze", "approve_unfreeze", "raise_limit"},
    "NotARaise": {"raise_limit"},
    "NotLower": {"lower_limit"},
    "WrongCustomerCode": {"counter_out"},
    "AccountNotEmpty": {"interest"},
}


@pytest.fixture
def no_minute_limits(settings: Any) -> None:
    settings.TRANSFERS_PER_MINUTE = settings.DEPOSITS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 10_000


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    """Set the clock to noon, so that no midnight comes while the limits of a day are counted."""
    with time_machine.travel(datetime(2026, 11, 3, 12, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def bank(alice: Any, bob: Any, make_user: Callable, open_account: Callable, settings: Any) -> Bank:
    settings.SUSPICIOUS_AMOUNT, settings.ALERT_PAYMENTS_PER_HOUR = HELD_ABOVE, 10**6
    settings.ALERT_AMOUNT = settings.STEP_UP_AMOUNT = settings.CASH_IN_DAILY_LIMIT = Decimal(10**6)
    settings.DAILY_TRANSFER_LIMIT, settings.DAILY_LIMIT_CEILING = Decimal(10**6), Decimal(10**9)
    settings.MAX_OPEN_ACCOUNTS = settings.MAX_OPEN_REQUESTS = 10**4
    # The paid account has the lower id, and the other way round.
    bobs = open_account(bob, "100000.00")
    made = {
        role: tuple(make_user(f"{name}{number}", role_of) for number in (0, 1))
        for role, name, role_of in (
            ("clerks", "Sam", Role.SUPPORT),
            ("administrators", "Ada", Role.ADMIN),
            ("agreeing", "Anna", Role.ADMIN),
        )
    }
    alices, savings = open_account(alice, "100000.00"), open_account(alice, "10000.00", AccountKind.SAVINGS)
    acts.know(alice, bobs)
    acts.know(bob, alices)
    CustomerLimit.objects.filter(user=alice).update(daily_limit=Decimal(10**6))
    return Bank(alice=alice, bob=bob, alices=alices, savings=savings, bobs=bobs, **made)


class TwoAtOnce:
    """Two threads, each with a connection of its own, that run what they are given at the same moment."""

    def __init__(self) -> None:
        self._meet = Barrier(3)
        self._steps: list[Step | None] = [None, None]
        self._outcomes: list[Any] = [None, None]
        self._threads = [Thread(target=self._work, args=[seat], daemon=True) for seat in (0, 1)]

    def __enter__(self) -> "TwoAtOnce":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._steps = [None, None]
        self._meet.wait(timeout=60)
        for thread in self._threads:
            thread.join(timeout=60)

    def run(self, first: Step, second: Step) -> list[Any]:
        """Return what each returned or raised."""
        self._steps = [first, second]
        self._meet.wait(timeout=60)
        self._meet.wait(timeout=120)
        return list(self._outcomes)

    def _work(self, seat: int) -> None:
        try:
            while True:
                self._meet.wait(timeout=600)
                step = self._steps[seat]
                if step is None:
                    return
                try:
                    self._outcomes[seat] = step.run()
                except Exception as error:  # noqa: BLE001 - the test looks at it
                    self._outcomes[seat] = error
                self._meet.wait(timeout=120)
        finally:
            connection.close()


@contextmanager
def no_deadlocks() -> Iterator[None]:
    """Check PostgreSQL's count of resolved deadlocks; each connection reports to it when it ends, or before."""
    before = resolved_deadlocks()
    yield
    assert resolved_deadlocks() == before


def resolved_deadlocks() -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        for _ in range(600):  # until the others have ended
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            if cursor.fetchone()[0] == 1:
                break
            time.sleep(0.05)
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@proves("V2.3.4", "V15.4.3")
def test_of_every_two_at_once_none_is_given_up_and_the_books_are_exact(bank: Bank, given_up: list[str]) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    rounds = [pair if turn % 2 else pair[::-1] for turn in range(TURNS) for pair in PAIRS]
    chance.shuffle(rounds)
    done: Counter[str] = Counter()
    strange: list[str] = []
    with no_deadlocks(), TwoAtOnce() as two:
        for number, pair in enumerate(rounds):
            bank.settle()
            steps = [ACTS[name](bank, seat) for seat, name in enumerate(pair)]
            for step in steps:
                step.begin()
            balances = {pk: BankAccount.objects.get(pk=pk).balance for pk in (bank.alices.pk, bank.bobs.pk)}
            outcomes = two.run(*steps)
            about = f"round {number} of seed {seed}: {pair}, {outcomes}"
            for name, other, outcome in zip(pair, pair[::-1], outcomes, strict=True):
                done[name] += not isinstance(outcome, Exception)
                strange += [about] if is_strange(other, outcome) else []
            assert given_up == [], about
            look_at_balances(balances, steps, outcomes, about)
    assert strange == []
    for name in ACTS:
        assert done[name] >= len(ACTS), f"{name} was done {done[name]} times"
    look_at_limits(bank)
    assert list(verification.faults()) == []


def is_strange(other: str, outcome: Any) -> bool:
    """Return whether the act was not carried out, for a reason that the other act does not explain."""
    if not isinstance(outcome, Exception):
        return False
    return not isinstance(outcome, Refusal) or other not in TOLD.get(type(outcome).__name__, ())


def look_at_balances(before: dict[int, Decimal], steps: list[Step], outcomes: list[Any], about: str) -> None:
    """Check that both accounts have their old balance, changed by the acts that were carried out."""
    for pk, balance in before.items():
        changes = [
            step.change.get(pk, Decimal(0))
            for step, outcome in zip(steps, outcomes, strict=True)
            if not isinstance(outcome, Exception)
        ]
        assert BankAccount.objects.get(pk=pk).balance == balance + sum(changes), about


def look_at_limits(bank: Bank) -> None:
    """Check that the used limit is what went out today or is held, and did not come back."""
    for customer in (bank.alice, bank.bob):
        orders = TransferOrder.objects.filter(source__owner=customer, kind__in=[kind.value for kind in OUTGOING_KINDS])
        orders = orders.exclude(description=BATCH)
        out = orders.filter(state__in=[OrderState.POSTED, OrderState.RELEASED, OrderState.HELD])
        total = sum(order.amount for order in out.filter(transaction__reversals__isnull=True))
        assert CustomerLimit.objects.get(user=customer).used == total, customer
