"""A button at the counter that is pressed twice, while the first request is still running (R3.5, R3.10)."""

from collections.abc import Callable
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from tests.acts import wrong_code_for
from tests.staff_acts import an_origin, fresh_code
from transfers.models import TransferOrder
from transfers.orders import cash, placing
from transfers.orders.cash import WrongCustomerCode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pay_out(sam: Any, everyday: BankAccount) -> Callable[..., TransferOrder]:
    def withdraw(code: str, amount: str = "20.00", key: str = "the cash paid out") -> TransferOrder:
        return cash.withdraw_at_counter(
            origin=an_origin(),
            actor=sam,
            account=everyday,
            amount=Decimal(amount),
            customer_code=code,
            idempotency_key=key,
        )

    return withdraw


@pytest.fixture
def second_while_first_runs(pay_out: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Stop the first request where it holds the customer's limit row, until the second waits for that."""
    write, begin = placing._write, placing._begin
    is_posting, second_has_begun = Event(), Event()

    def write_slowly(*args: Any) -> TransferOrder:
        is_posting.set()
        assert second_has_begun.wait(5)
        return write(*args)

    def begin_and_tell(instruction: Any) -> Any:
        if is_posting.is_set():
            second_has_begun.set()
        return begin(instruction)

    def run(first: dict[str, Any], second: dict[str, Any]) -> list[Any]:
        results: list[Any] = [None, None]

        def request(number: int, given: dict[str, Any]) -> None:
            try:
                results[number] = pay_out(**given)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                results[number] = error
            finally:
                connection.close()

        threads = [Thread(target=request, args=[0, first]), Thread(target=request, args=[1, second])]
        threads[0].start()
        assert is_posting.wait(5)
        threads[1].start()
        for thread in threads:
            thread.join()
        return results

    monkeypatch.setattr(placing, "_write", write_slowly)
    monkeypatch.setattr(placing, "_begin", begin_and_tell)
    return run


def test_the_second_click_gets_the_order_of_the_first_though_the_code_is_used_up(
    alice: Any, everyday: BankAccount, second_while_first_runs: Callable, balance_of: Callable
) -> None:
    click = {"code": fresh_code(alice)}
    first, second = second_while_first_runs(click, click)
    assert isinstance(first, TransferOrder)
    assert second == first
    assert balance_of(everyday) == Decimal(80)
    assert not AuditEntry.objects.filter(action="WITHDRAWAL_REFUSED").exists()


def test_the_same_key_for_something_else_is_refused_as_always(
    alice: Any, everyday: BankAccount, second_while_first_runs: Callable, pay_out: Callable, balance_of: Callable
) -> None:
    code = fresh_code(alice)
    _, second = second_while_first_runs({"code": code}, {"code": code, "amount": "30.00"})
    assert isinstance(second, IdempotencyConflict)
    with pytest.raises(IdempotencyConflict):
        pay_out(fresh_code(alice), "30.00")
    assert balance_of(everyday) == Decimal(80)
    assert AuditEntry.objects.filter(action="WITHDRAWAL_REFUSED").count() == 2


def test_a_wrong_code_alone_is_still_a_wrong_code(alice: Any, pay_out: Callable) -> None:
    with pytest.raises(WrongCustomerCode):
        pay_out(wrong_code_for(fresh_code(alice)))
