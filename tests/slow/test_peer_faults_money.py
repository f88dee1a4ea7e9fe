"""Faults of a known peer that must never be ours: those of money (REQUIREMENTS, last section).

Each test is named after the absence of the peer's fault. Faults with tests elsewhere are shown here once, through the
pages, as an attacker would try them.
"""

from collections.abc import Callable
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import BankAccount
from tests import acts
from tests.asvs import proves
from tests.test_peer_faults_money import balance, review_url
from transfers.models import TransferOrder


@pytest.fixture
def hers(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's account with 100.00."""
    return open_account(alice, "100.00")


@proves("V2.3.4")
@pytest.mark.django_db(transaction=True)
def test_twenty_concurrent_confirms_neither_overdraw_nor_lose_an_update(
    alice: Any, bob: Any, browser_of: Callable, hers: BankAccount, open_account: Callable, settings: Any
) -> None:
    """Through the pages, each from a browser of its own."""
    settings.TRANSFERS_PER_MINUTE = 100
    target = open_account(bob)
    acts.know(alice, target)
    confirms = []
    for _ in range(20):
        browser = browser_of(alice)
        confirms.append((browser, review_url(browser, hers, target, "10.00")))
    statuses: list[int] = []

    def confirm(browser: Client, url: str) -> None:
        try:
            statuses.append(browser.post(url).status_code)
        finally:
            connection.close()

    threads = [Thread(target=confirm, args=each) for each in confirms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [302] * 20
    assert [balance(hers), balance(target)] == [Decimal(0), Decimal(100)]
    assert TransferOrder.objects.filter(kind="payment").count() == 10
