"""A customer lowers their own daily limit at once; only the bank raises it, below its ceiling (R3.9, R4.2)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from tests import acts
from tests.acts import at_once
from tests.asvs import proves
from transfers.models import CustomerLimit, TransferOrder
from transfers.orders import sending
from transfers.orders.limits import DailyLimitReached
from transfers.orders.own_limits import lower_daily_limit

pytestmark = pytest.mark.django_db


@pytest.fixture
def pay(alice: Any, bob: Any, open_account: Callable, new_key: Callable[[], str]) -> Callable[[str], Any]:
    """Alice pays Bob, whom she knows: no code is asked for."""
    source, target = open_account(alice, "1000.00"), open_account(bob)
    acts.know(alice, target)
    return lambda amount: sending.transfer(
        actor=alice, source=source, target=target, amount=Decimal(amount), idempotency_key=new_key()
    )


@proves("V2.3.2")
@pytest.mark.django_db(transaction=True)
def test_no_payment_slips_through_beside_the_change(alice: Any, pay: Callable, settings: Any) -> None:
    """Each payment came before the change or after it; what came after is refused."""
    settings.TRANSFERS_PER_MINUTE = 1000
    results = at_once(
        lambda: lower_daily_limit(actor=User.objects.get(pk=alice.pk), amount=Decimal(0)),
        *[lambda: pay("1.00") for _ in range(10)],
    )
    assert {type(result) for result in results[1:]} <= {DailyLimitReached, TransferOrder}
    used = CustomerLimit.objects.get(user=alice).used
    assert used == sum(not isinstance(result, Exception) for result in results[1:])
    with pytest.raises(DailyLimitReached):
        pay("1.00")
