"""Sixty transfers at once through two worker processes: five are judged, with and without a shared cache (R3.9).

The limiter's promises one by one, for both stores, are in `accounts/tests/test_limiter.py`.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.limiter.limiter import LimitsUnavailable
from tests import acts
from tests.asvs import proves
from tests.processes import process_environment, run_together
from tests.staff_acts import an_origin, fresh_code
from transfers.ledger import verification
from transfers.models import OrderState, Transaction
from transfers.orders import sending
from transfers.orders.step_up import Proof, StepUpRequired
from transfers.payees import services as payees

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = """
import django, json, sys, threading, time
from pathlib import Path
django.setup()
from decimal import Decimal
from django.db import connection
from accounts.models import BankAccount
from audit.models import AuditEntry
from transfers.orders import sending

begin, worker, source, target, amount = Path(sys.argv[1]), *sys.argv[2:]
source, target = BankAccount.objects.select_related("owner").get(pk=source), BankAccount.objects.get(pk=target)
outcomes, together = [], threading.Barrier(31)

def transfer(number):
    connection.ensure_connection()
    together.wait()
    try:
        sending.transfer(
            actor=source.owner, source=source, target=target, amount=Decimal(amount),
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
    """Return the CACHE_URL of the two workers."""
    if request.param == "rows":
        return ""
    request.getfixturevalue("shared_cache")
    return request.getfixturevalue("cache_url")


@pytest.fixture
def sixty_at_once(
    cache_setting: str, alice: Any, bob: Any, open_account: Callable, tmp_path: Path
) -> Callable[[str], Counter[str]]:
    """Return the outcomes of sixty payments of this amount from 100.00, through two processes, at five a minute."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    acts.know(alice, target)  # so that no code is asked for

    def run(amount: str) -> Counter[str]:
        environment = process_environment() | {"TRANSFERS_PER_MINUTE": "5", "CACHE_URL": cache_setting}
        runs = [(number, source.pk, target.pk, amount) for number in range(2)]
        said = run_together(WORKER, runs, begin=tmp_path / "begin", environment=environment)
        return sum(map(Counter, said), Counter[str]())

    return run


@proves("V2.4.1", "V15.4.2")
def test_of_sixty_transfers_through_two_workers_five_pass(sixty_at_once: Callable, bob: Any) -> None:
    before = Transaction.objects.count()
    assert sixty_at_once("1") == {"done": 5, "TooOften": 55}
    assert Transaction.objects.count() - before == 5
    assert BankAccount.objects.get(owner=bob).balance == Decimal(5)
    assert list(verification.faults()) == []


@proves("V2.4.1")
def test_of_sixty_that_are_refused_five_are_judged_and_each_is_recorded(sixty_at_once: Callable) -> None:
    before = Transaction.objects.count()
    assert sixty_at_once("100.01") == {"InsufficientFunds": 5, "TooOften": 55}
    assert Transaction.objects.count() == before
    refused = AuditEntry.objects.filter(action="TRANSFER_REFUSED").values_list("details", flat=True)
    assert Counter(one["reason"] for one in refused) == {"insufficient_funds": 5, "too_often": 55}


def test_without_its_cache_a_code_and_a_look_up_wait_and_other_payments_go_on(
    alice: Any, bob: Any, charlie: Any, open_account: Callable, new_key: Callable[[], str], settings: Any
) -> None:
    """The limits of money are in the customer's row; even a new customer's payments are counted there."""
    source, target, stranger = open_account(alice, "100.00"), open_account(bob), open_account(charlie)
    acts.know(alice, target)
    settings.CACHE_URL = "unix:///nowhere/cache.sock"
    payment: dict[str, Any] = {"actor": alice, "source": source, "amount": Decimal(1)}
    sending.transfer(**payment, target=target, idempotency_key=new_key())
    assert payees.find_payee(actor=alice, number=target.number).account == target
    with pytest.raises(LimitsUnavailable):
        payees.find_payee(actor=alice, number=stranger.number)
    first = payment | {"target": stranger, "idempotency_key": new_key(), "name_given": acts.by_name()}
    with pytest.raises(StepUpRequired) as asked:
        sending.transfer(**first)
    proof = Proof(an_origin(), asked.value.challenge.public_id, fresh_code(alice))
    with pytest.raises(LimitsUnavailable):
        sending.transfer(**first, proof=proof)
    assert BankAccount.objects.get(pk=stranger.pk).balance == 0
    settings.CACHE_URL = ""
    assert sending.transfer(**first, proof=proof).state == OrderState.POSTED, "neither code nor place was used up"
