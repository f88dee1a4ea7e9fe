"""Races with real threads and real processes on a real database file (R3.4, R3.5, R3.9)."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from accounts.models import AccountKind, BankAccount
from foundation.limiter import limiter
from foundation.limiter.limiter import TooOften
from foundation.models import RateWindow
from tests import acts
from tests.asvs import proves
from tests.processes import process_environment, run_together
from tests.test_concurrency import balance, pay
from transfers.accounts import closing, opening
from transfers.ledger import verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, Payee
from transfers.orders.limits import DailyLimitReached
from transfers.payees import services as payees

with_commits = pytest.mark.django_db(transaction=True)


def race(*calls: Callable[[], Any]) -> Counter[str]:
    """Run all calls at the same moment, each in a thread of its own; count the outcomes by name."""
    outcomes: list[str] = []
    together = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            together.wait()
            call()
            outcomes.append("done")
        except Exception as error:  # noqa: BLE001 - whatever escapes is what the test is about
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


@pytest.fixture
def no_minute_limits(settings: Any) -> None:
    settings.TRANSFERS_PER_MINUTE = settings.DEPOSITS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 10_000


class TestOneAccountOfAHundred:
    """However many try, ten times ten succeed; nothing is lost and no lock error reaches a user."""

    pytestmark = with_commits

    def test_twenty_threads(self, no_minute_limits: None, alice: Any, bob: Any, open_account: Callable) -> None:
        source, target = open_account(alice, "100.00"), open_account(bob)
        outcomes = race(*(pay(alice, source, target, "10.00", f"thread {number}") for number in range(20)))
        assert outcomes == {"done": 10, InsufficientFunds.__name__: 10}
        assert [balance(source), balance(target)] == [Decimal(0), Decimal(100)]
        assert list(verification.faults()) == []

    def test_four_processes(self, alice: Any, bob: Any, open_account: Callable, tmp_path: Path) -> None:
        source, target = open_account(alice, "100.00"), open_account(bob)
        acts.know(alice, target)
        runs = [(number, source.pk, target.pk) for number in range(4)]
        said = run_together(PROCESS, runs, begin=tmp_path / "begin", environment=process_environment())
        outcomes = sum(map(Counter, said), Counter[str]())
        assert outcomes == {"done": 10, InsufficientFunds.__name__: 14}
        assert [balance(source), balance(target)] == [Decimal(0), Decimal(100)]
        assert list(verification.faults()) == []


PROCESS = """
import django, json, sys, time
from pathlib import Path
django.setup()
from decimal import Decimal
from accounts.models import BankAccount
from transfers.orders import sending

begin, number, source, target = Path(sys.argv[1]), *sys.argv[2:]
source, target = BankAccount.objects.get(pk=source), BankAccount.objects.get(pk=target)
print("ready", flush=True)
while not begin.exists():
    time.sleep(0.001)
outcomes = []
for turn in range(6):
    try:
        sending.transfer(
            actor=source.owner, source=source, target=target, amount=Decimal(10),
            idempotency_key=f"process {number} turn {turn}",
        )
        outcomes.append("done")
    except Exception as error:
        outcomes.append(type(error).__name__)
print(json.dumps(outcomes))
"""


@proves("V2.3.2")
@pytest.mark.django_db(transaction=True)
def test_two_accounts_in_parallel_cannot_beat_the_daily_limit(
    no_minute_limits: None, alice: Any, bob: Any, open_account: Callable
) -> None:
    """R3.9: exact under parallel requests from several accounts, withdrawals included."""
    sources = [open_account(alice, "100000.00") for _ in range(2)]
    target = open_account(bob)

    def withdraw(number: int) -> Callable[[], Any]:
        return lambda: acts.withdraw(
            actor=alice, account=sources[number % 2], amount=Decimal(4000), idempotency_key=f"withdrawal {number}"
        )

    payments = [pay(alice, sources[number % 2], target, "4000.00", f"payment {number}") for number in range(8)]
    outcomes = race(*payments, *(withdraw(number) for number in range(8)))
    assert outcomes == {"done": 6, DailyLimitReached.__name__: 10}
    assert CustomerLimit.objects.get(user=alice).used == Decimal(24_000)
    assert sum(balance(source) for source in sources) == Decimal(200_000 - 24_000)


@pytest.mark.django_db(transaction=True)
def test_of_sixty_parallel_requests_five_get_through_a_limit_of_five() -> None:
    """A cache's counter lets twenty to thirty-seven pass."""
    calls = [lambda: limiter.take("a key", limiter.Limit(5, 60))] * 60
    assert race(*calls) == {"done": 5, TooOften.__name__: 55}
    assert len(RateWindow.objects.get(key="a key").stamps) == 5


@pytest.mark.django_db(transaction=True)
def test_of_many_parallel_transfers_five_a_minute_are_tried(alice: Any, bob: Any, open_account: Callable) -> None:
    """R3.9: refused ones included."""
    source, target = open_account(alice, "30.00"), open_account(bob)
    outcomes = race(*(pay(alice, source, target, "10.00", f"transfer {number}") for number in range(20)))
    assert outcomes == {"done": 3, InsufficientFunds.__name__: 2, TooOften.__name__: 15}


@pytest.mark.django_db(transaction=True)
def test_opening_twice_in_parallel_opens_one_account(no_minute_limits: None, alice: Any) -> None:
    """R3.5."""
    call = lambda: opening.open_account(  # noqa: E731
        actor=alice, kind=AccountKind.CHECKING, opening_deposit=Decimal(5), idempotency_key="double click"
    )
    assert race(*[call] * 8) == {"done": 8}
    assert BankAccount.objects.get(owner=alice).balance == Decimal(5)


@pytest.mark.django_db(transaction=True)
def test_parallel_openings_do_not_pass_the_number_of_accounts(
    no_minute_limits: None, alice: Any, settings: Any
) -> None:
    """R2.1."""
    settings.MAX_OPEN_ACCOUNTS = 3

    def open_one(number: int) -> Callable[[], Any]:
        return lambda: opening.open_account(actor=alice, kind=AccountKind.CHECKING, idempotency_key=f"opening {number}")

    assert race(*(open_one(number) for number in range(8))) == {"done": 3, "TooManyAccounts": 5}


@pytest.mark.django_db(transaction=True)
def test_an_account_is_closed_or_paid_into_but_never_both(
    no_minute_limits: None, alice: Any, bob: Any, open_account: Callable
) -> None:
    """R2.3: no money is left on a closed account."""
    source = open_account(alice, "100.00")
    for number in range(5):
        target = open_account(bob)
        race(
            pay(alice, source, target, "1.00", f"to be closed {number}"),
            lambda target=target: closing.close_account(actor=bob, account=target),  # type: ignore[misc]
        )
        target.refresh_from_db()
        assert (target.status, target.balance) in {("closed", Decimal(0)), ("active", Decimal(1))}


@pytest.mark.django_db(transaction=True)
def test_verification_of_a_busy_bank_names_nothing(
    no_minute_limits: None, alice: Any, bob: Any, open_account: Callable
) -> None:
    """R9.2: it may run while the bank is open."""
    source, target = open_account(alice, "1000.00"), open_account(bob)
    found: list[str] = []

    def spend() -> None:
        for turn in range(60):
            pay(alice, source, target, "1.00", f"business {turn}")()

    def verify() -> None:
        for _ in range(25):
            found.extend(verification.faults())

    assert race(spend, verify) == {"done": 2}
    assert found == []


@pytest.mark.django_db(transaction=True)
def test_parallel_first_payments_to_one_payee_are_all_posted_and_make_one_payee(
    no_minute_limits: None, alice: Any, bob: Any, open_account: Callable
) -> None:
    """R3.6: also from two accounts of the customer, which share only the limit row's lock."""
    sources = [open_account(alice, "100.00") for _ in range(2)]
    for turn in range(5):
        target = open_account(bob)
        calls = [pay(alice, source, target, "1.00", f"first payment {turn} {source.pk}") for source in sources]
        assert race(*calls) == {"done": 2}
        assert Payee.objects.filter(customer=alice, account=target).count() == 1
        assert balance(target) == Decimal(2)


@pytest.mark.django_db(transaction=True)
def test_a_payee_is_removed_and_paid_at_once_without_an_error(
    no_minute_limits: None, alice: Any, bob: Any, open_account: Callable
) -> None:
    """In either order the payment is posted; the payee is there or not."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    for turn in range(5):
        pay(alice, source, target, "1.00", f"known by now {turn}")()
        known = Payee.objects.get()

        def remove(public_id: Any = known.public_id) -> None:
            payees.remove_payee(actor=alice, public_id=public_id)

        assert race(remove, pay(alice, source, target, "1.00", f"at once {turn}")) == {"done": 2}
        assert Payee.objects.exclude(pk=known.pk).count() == Payee.objects.count() <= 1
    assert balance(target) == Decimal(10)
