"""Races with real threads and real processes on a real database file (R3.4, R3.5, R3.9)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, transaction

from accounts.models import BankAccount
from bankproject.errors import server_error
from foundation import transactions
from foundation.models import RateWindow
from foundation.request_context import RequestContext, request_context
from foundation.transactions import ATTEMPTS, own_transaction
from tests import acts
from tests.asvs import proves
from transfers.ledger import verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit


def balance(account: BankAccount) -> Decimal:
    return BankAccount.objects.values_list("balance", flat=True).get(pk=account.pk)


def pay(actor: Any, source: BankAccount, target: BankAccount, amount: str, key: str) -> Callable[[], Any]:
    return lambda: acts.transfer(actor=actor, source=source, target=target, amount=Decimal(amount), idempotency_key=key)


# --- own_transaction ----------------------------------------------------------------------------------------


class Faulty:
    """A service whose database gives it up the first few times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        RateWindow.objects.create(key=f"call {self.calls}", last_at="2026-01-01T00:00:00Z")
        if self.calls <= self.times:
            raise self.error
        return "done"


VICTIMS = [
    OperationalError("database is locked"),
    OperationalError("deadlock detected"),
    OperationalError("could not serialize access due to concurrent update"),
    OperationalError("('40001', '[40001] Transaction (Process ID 52) was deadlocked … (1205)')"),
]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(transactions.time, "sleep", waited.append)
    return waited


@proves("V16.5.3")
@pytest.mark.parametrize("error", VICTIMS, ids=str)
def test_a_deadlock_victim_is_run_again_from_the_beginning(db: Any, no_waiting: list[float], error: Exception) -> None:
    """R3.4: its earlier writes are gone."""
    service = Faulty(2, error)
    assert own_transaction(service)() == "done"
    assert service.calls == 3
    assert list(RateWindow.objects.values_list("key", flat=True)) == ["call 3"]
    assert len(no_waiting) == 2
    assert all(0 <= seconds < 1 for seconds in no_waiting)


def test_what_is_known_by_its_sqlstate_is_a_victim_too() -> None:
    error = OperationalError("something in another language")
    error.__cause__ = Exception()
    error.__cause__.sqlstate = "40P01"  # type: ignore[attr-defined]
    assert transactions.is_deadlock_victim(error)
    assert not transactions.is_deadlock_victim(OperationalError("no such table"))


@proves("V16.5.3")
def test_after_five_tries_the_error_is_let_out(db: Any, no_waiting: list[float]) -> None:
    service = Faulty(ATTEMPTS, VICTIMS[0])
    with pytest.raises(OperationalError, match="locked"):
        own_transaction(service)()
    assert service.calls == ATTEMPTS == 5
    assert not RateWindow.objects.exists()


@proves("V16.5.3")
@pytest.mark.parametrize(
    "words", ["database is locked", "canceling statement due to lock timeout", "Lock request time out period exceeded"]
)
def test_a_request_waits_for_a_lock_once_and_a_job_as_often_as_it_may(
    db: Any, no_waiting: list[float], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """R9.3, F5: five waits are longer than the web server lets a worker live."""
    monkeypatch.setattr(transactions, "_PATIENCE_SECONDS", -1)
    error = OperationalError(words)
    assert transactions.is_locked_out(error)
    in_a_request, in_a_job = Faulty(1, error), Faulty(1, error)
    with request_context(RequestContext(request_id="of-this-request")), pytest.raises(OperationalError):
        own_transaction(in_a_request)()
    assert in_a_request.calls == 1
    assert own_transaction(in_a_job)() == "done"
    RateWindow.objects.all().delete()
    victim = Faulty(2, OperationalError("deadlock detected"))
    with request_context(RequestContext(request_id="of-this-request")):
        assert own_transaction(victim)() == "done", "that costs no wait"


@pytest.mark.parametrize("error", [OperationalError("database is locked"), *VICTIMS[1:]], ids=str)
def test_a_page_that_others_were_in_the_way_of_says_when_to_come_back(error: Exception, rf: Any) -> None:
    """R8.2, F5: it was 500."""
    try:
        raise error
    except OperationalError:
        answer = server_error(rf.get("/"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "One moment, please" in answer.content.decode()


@pytest.mark.parametrize("error", [OperationalError("no such column: x"), InsufficientFunds(), KeyError("x")], ids=repr)
def test_any_other_error_is_let_out_at_once(db: Any, no_waiting: list[float], error: Exception) -> None:
    service = Faulty(1, error)
    with pytest.raises(type(error)):
        own_transaction(service)()
    assert service.calls == 1
    assert not RateWindow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_refuses_to_run_inside_another_transaction() -> None:
    """Its commit would not be final, and another's rollback could undo what was promised."""
    service = Faulty(0, KeyError())
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        own_transaction(service)()
    assert service.calls == 0


def test_a_transfer_survives_two_deadlocks(
    alice: Any, bob: Any, open_account: Callable, no_waiting: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.4: no deadlock reaches a user, and the money moves once."""
    from transfers.ledger import posting as ledger

    source, target = open_account(alice, "100.00"), open_account(bob)
    write, calls = ledger._write, []

    def fail_twice(*args: Any) -> None:
        calls.append(args)
        write(*args)
        if len(calls) <= 2:
            raise OperationalError("database is locked")

    monkeypatch.setattr(ledger, "_write", fail_twice)
    pay(alice, source, target, "10.00", "survives two")()
    assert len(calls) == 3
    assert [balance(source), balance(target)] == [Decimal(90), Decimal(10)]
    assert CustomerLimit.objects.get(user=alice).used == Decimal(10)
    assert list(verification.faults()) == []
