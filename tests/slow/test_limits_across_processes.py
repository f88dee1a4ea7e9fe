"""Sixty transfers at once through two worker processes: five pass, with and without a shared cache (R3.9).

The limiter's promises one by one, for both stores, are in `accounts/tests/test_limiter.py`.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import BankAccount
from foundation.limiter.limiter import LimitsUnavailable
from foundation.models import RateWindow
from tests import acts
from tests.processes import process_environment, run_together
from transfers.ledger import verification
from transfers.models import Transaction
from transfers.orders import sending

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = """
import django, json, sys, threading, time
from pathlib import Path
django.setup()
from decimal import Decimal
from django.db import connection
from accounts.models import BankAccount
from transfers.orders import sending

begin, worker, source, target = Path(sys.argv[1]), *sys.argv[2:]
source, target = BankAccount.objects.select_related("owner").get(pk=source), BankAccount.objects.get(pk=target)
outcomes, together = [], threading.Barrier(31)

def transfer(number):
    connection.ensure_connection()
    together.wait()
    try:
        sending.transfer(
            actor=source.owner, source=source, target=target, amount=Decimal(1),
            idempotency_key=f"worker {worker} thread {number}",
        )
        outcomes.append("done")
    except Exception as error:
        outcomes.append(type(error).__name__)
    finally:
        connection.close()

threads = [threading.Thread(target=transfer, args=[number]) for number in range(30)]
for thread in threads:
    thread.start()
print("ready", flush=True)
while not begin.exists():
    time.sleep(0.001)
together.wait()
for thread in threads:
    thread.join()
print(json.dumps(outcomes))
"""


@pytest.fixture(params=["rows", "shared cache"])
def cache_setting(request: pytest.FixtureRequest) -> str:
    """What CACHE_URL is for the two workers."""
    if request.param == "rows":
        return ""
    request.getfixturevalue("shared_cache")
    return request.getfixturevalue("cache_url")


def test_of_sixty_transfers_through_two_workers_five_pass(
    cache_setting: str, alice: Any, bob: Any, open_account: Callable, tmp_path: Path
) -> None:
    source, target = open_account(alice, "100.00"), open_account(bob)
    acts.know(alice, target)  # so that no code is asked for
    before = Transaction.objects.count()
    environment = process_environment() | {"TRANSFERS_PER_MINUTE": "5", "CACHE_URL": cache_setting}
    runs = [(number, source.pk, target.pk) for number in range(2)]
    said = run_together(WORKER, runs, begin=tmp_path / "begin", environment=environment)
    outcomes = sum(map(Counter, said), Counter[str]())
    assert outcomes == {"done": 5, "TooOften": 55}
    assert Transaction.objects.count() - before == 5
    assert BankAccount.objects.get(pk=target.pk).balance == Decimal(5)
    assert RateWindow.objects.filter(key=f"transfer:{alice.pk}").exists() == (not cache_setting)
    assert list(verification.faults()) == []


def test_without_its_cache_no_money_goes_out(
    alice: Any, bob: Any, open_account: Callable, new_key: Callable[[], str], settings: Any
) -> None:
    """Not even a limit that nobody has touched lets anything pass uncounted."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    settings.CACHE_URL = "unix:///nowhere/cache.sock"
    before = Transaction.objects.count()
    with pytest.raises(LimitsUnavailable):
        sending.transfer(actor=alice, source=source, target=target, amount=Decimal(1), idempotency_key=new_key())
    assert Transaction.objects.count() == before
