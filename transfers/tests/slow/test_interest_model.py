"""Interest against a model of ten lines, and beside payments and another run (R3.4, R9.2)."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import AccountKind, AccountStatus, BankAccount
from foundation.models import RateWindow
from tests import acts
from tests.asvs import proves
from tests.processes import process_environment
from transfers.interest import posting as interest
from transfers.interest.counting import MICRO
from transfers.interest.posting import accrue_interest
from transfers.ledger import verification
from transfers.models import Entry, SavingsInterest, TransactionKind

FIRST = date(2026, 8, 20)
OPENED = datetime(2026, 8, 20, 6, 0, tzinfo=UTC)
DAYS = 75
CHANGE = 33


def expected(moves: dict[int, int], rates: tuple[int, int]) -> tuple[int, int]:
    """Return the paid interest in minor units, and the rest in micro units: exact fractions, one day after the
    other."""
    there, left, paid = 0, Fraction(0), 0
    for number in range(DAYS):
        there += moves.get(number, 0)
        left += round(Fraction(there * rates[number >= CHANGE], 365))
        if (FIRST + timedelta(days=number + 1)).day == 1:
            month = round(left / MICRO)
            there, paid, left = there + month, paid + month, left - month * MICRO
    return paid, int(left)


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    moves=st.dictionaries(st.integers(0, DAYS - 1), st.integers(1, 10**8), max_size=5),
    runs=st.lists(st.tuples(st.integers(1, DAYS - 1), st.booleans()), max_size=5),
    rates=st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)),
)
def test_whenever_the_bank_counts_and_whatever_it_freezes_the_sum_is_the_models(
    alice: Any,
    open_account: Callable,
    no_minute_limits: None,
    settings: Any,
    moves: dict[int, int],
    runs: list[tuple[int, bool]],
    rates: tuple[int, int],
) -> None:
    """Runs on any days, late ones among them, with the account frozen in some."""
    settings.MAX_OPEN_ACCOUNTS = 100
    changes = FIRST + timedelta(days=CHANGE)
    settings.SAVINGS_RATE = f"2020-01-01:{Decimal(rates[0]) / 10**6:f},{changes}:{Decimal(rates[1]) / 10**6:f}"
    RateWindow.objects.all().delete()
    account = open_account(alice, kind=AccountKind.SAVINGS, at=OPENED)
    steps = sorted([(day, 0, minor) for day, minor in moves.items()] + [(day, 1, frozen) for day, frozen in runs])
    for day, is_run, value in [*steps, (DAYS, 1, False)]:
        at = OPENED + timedelta(days=day, hours=is_run)
        if is_run:
            set_status(account, AccountStatus.FROZEN if value else AccountStatus.ACTIVE)
            accrue_interest(at=at)
            set_status(account, AccountStatus.ACTIVE)
        else:
            key = f"move-{account.pk}-{day}"
            acts.deposit(actor=alice, account=account, amount=Decimal(value) / 100, idempotency_key=key, at=at)
    row = SavingsInterest.objects.get(account=account)
    paid = sum(Entry.objects.filter(account=account, transaction__kind="interest").values_list("amount", flat=True))
    assert (int(paid * 100) + row.accrual.due, row.accrual.micro) == expected(moves, rates)
    assert row.accrual.due == 0


def set_status(account: BankAccount, status: AccountStatus) -> None:
    BankAccount.objects.filter(pk=account.pk).update(status=status)


@proves("V2.3.3", "V15.4.2")
@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_and_payments_beside_them_count_each_account_once(
    alice: Any, bob: Any, open_account: Callable, no_minute_limits: None, settings: Any, monkeypatch: Any
) -> None:
    """No deadlock, no cent twice."""
    settings.SAVINGS_RATE = "0.0365"
    monkeypatch.setattr(interest, "BATCH", 2)
    later = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)
    saved = [open_account(owner, "1000.00", AccountKind.SAVINGS, at=OPENED) for owner in (alice, bob) * 4]
    failures: list[BaseException] = []

    def work(do: Callable[[], Any]) -> None:
        try:
            do()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            close_old_connections()
            connection.close()

    def pay(owner: Any, accounts: list[BankAccount]) -> None:
        for number, (source, target) in enumerate(zip(accounts, accounts[1:] + accounts[:1], strict=True)):
            acts.transfer(
                actor=owner, source=source, target=target, amount=Decimal("1.00"), at=later,
                idempotency_key=f"beside-{owner.pk}-{number}",
            )  # fmt: skip

    jobs: list[Callable[[], Any]] = [lambda: accrue_interest(at=later)] * 2
    jobs += [lambda: pay(alice, saved[0::2]), lambda: pay(bob, saved[1::2])]
    threads = [threading.Thread(target=work, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    amounts = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account__in=saved)
    assert sorted(amounts.values_list("amount", flat=True)) == [Decimal("1.20")] * 8 + [Decimal("3.00")] * 8
    assert list(verification.faults()) == []
    assert accrue_interest(at=later).accounts == 0


_KILLED = """
import os, signal, sys
from datetime import datetime
import django
django.setup()
from transfers.interest import posting as interest
interest.BATCH = 2
save, calls = interest._save, []
def save_or_die(plans):
    save(plans)
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
interest._save = save_or_die
interest.accrue_interest(at=datetime.fromisoformat(sys.argv[1]))
"""


@proves("V2.3.3")
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_of_a_batch_it_goes_on_with_that_batch(
    alice: Any, open_account: Callable, settings: Any, repository: Path
) -> None:
    settings.SAVINGS_RATE = "0.0365"
    later = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)
    saved = [open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED) for _ in range(6)]
    environment = process_environment() | {"SAVINGS_RATE": "0.0365"}
    command = [sys.executable, "-c", _KILLED, later.isoformat()]
    assert subprocess.run(command, cwd=repository, env=environment, timeout=120).returncode == -signal.SIGKILL
    paid = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account__in=saved)
    assert paid.values("account").distinct().count() == 2
    assert accrue_interest(at=later).accounts == 4
    assert sorted(paid.values_list("amount", flat=True)) == [Decimal("1.20")] * 6 + [Decimal("3.00")] * 6
    assert list(verification.faults()) == []
