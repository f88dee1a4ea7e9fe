"""A request that arrives twice is carried out once (R3.5)."""

from collections.abc import Callable
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from accounts.models import BankAccount
from tests import acts
from tests.asvs import proves
from transfers.models import TransferOrder
from transfers.tests.test_idempotency import KEY


@pytest.fixture
def send(alice: Any, everyday: BankAccount, bobs: BankAccount) -> Callable[..., TransferOrder]:
    def transfer(**changes: Any) -> TransferOrder:
        arguments = {
            "actor": alice,
            "source": everyday,
            "target": bobs,
            "amount": Decimal("10.00"),
            "description": "Lunch",
            "idempotency_key": KEY,
        }
        return acts.transfer(**arguments | changes)

    return transfer


@proves("V2.3.3", "V15.4.2")
@pytest.mark.django_db(transaction=True)
def test_parallel_requests_with_one_key_move_once_and_all_get_the_same_order(
    send: Callable, everyday: BankAccount, balance_of: Callable
) -> None:
    """The second waits for the first, if that is still running."""
    results: list[Any] = []
    together = Barrier(8)

    def request() -> None:
        try:
            together.wait()
            results.append(send().public_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            results.append(error)
        finally:
            connection.close()

    threads = [Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = TransferOrder.objects.get(kind="payment")
    assert results == [order.public_id] * 8
    assert balance_of(everyday) == Decimal("90.00")
