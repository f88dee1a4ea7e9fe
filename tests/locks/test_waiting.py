"""Two services that waited for each other on PostgreSQL, until the database gave one of them up."""

from collections.abc import Callable
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import AccountStatus, BankAccount
from foundation.locking import lock, sweep
from foundation.models import RateWindow
from support.models import RequestKind, ServiceRequest
from support.requests import services as requests
from tests import acts
from transfers.accounts import freezing
from transfers.models import TransferOrder
from transfers.orders import placing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


def test_a_freeze_that_is_filed_while_its_customer_pays_waits_and_is_not_waited_for(
    alice: Any, bob: Any, open_account: Callable, given_up: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R2.5, R3.4. The payment has locked the account, and writes rows that point at its customer; the request to freeze
    has locked the customer, and wants the account."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    is_paying, has_customer = Event(), Event()
    write, locked_row = placing._write, freezing._locked_row

    def write_slowly(*judged: Any) -> TransferOrder:
        is_paying.set()
        assert has_customer.wait(30)
        return write(*judged)

    def lock_and_tell(account: BankAccount) -> BankAccount:
        has_customer.set()
        return locked_row(account)

    def file() -> ServiceRequest:
        assert is_paying.wait(30)
        return requests.file_request(actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=source)

    monkeypatch.setattr(placing, "_write", write_slowly)
    monkeypatch.setattr(freezing, "_locked_row", lock_and_tell)
    pay = {"actor": alice, "source": source, "target": target, "amount": Decimal(30), "idempotency_key": "the payment"}
    order, request = acts.at_once(lambda: acts.transfer(**pay), file)
    assert isinstance(order, TransferOrder), order
    assert isinstance(request, ServiceRequest), request
    assert given_up == []
    source.refresh_from_db()
    assert (source.balance, source.status) == (Decimal(70), AccountStatus.FROZEN)


def test_a_sweep_leaves_what_somebody_has_locked() -> None:
    old = "2026-01-01T00:00:00Z"
    for key in ("a", "b"):
        RateWindow.objects.create(key=key, last_at=old)
    is_locked, is_swept = Event(), Event()

    def use() -> None:
        with transaction.atomic():
            lock(RateWindow.objects).get(key="b")
            is_locked.set()
            assert is_swept.wait(30)

    def sweep_meanwhile() -> int:
        assert is_locked.wait(30)
        try:
            with transaction.atomic():
                return sweep(RateWindow.objects.filter(last_at=old))
        finally:
            is_swept.set()

    assert acts.at_once(use, sweep_meanwhile) == [None, 1]
    assert [row.key for row in RateWindow.objects.all()] == ["b"]
