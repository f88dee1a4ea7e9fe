"""The outcome of a held payment stays, though another like it waits on the same account (R3.4, R3.10, R3.14).

A payment alone on its account that ended twice would free more than is held there, which the ledger refuses.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.staff_acts import REASON
from tests.tables import in_one_world
from transfers.models import TransferOrder
from transfers.orders.holds import cancel_order, expire_order, reject_order, release_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

ENDS: dict[str, Callable[[Any, TransferOrder], Any]] = {
    "release": lambda clerk, order: release_order(actor=clerk, order=order, reason=REASON),
    "reject": lambda clerk, order: reject_order(actor=clerk, order=order, reason=REASON),
    "cancel": lambda clerk, order: cancel_order(actor=order.initiator, order=order),
    "expire": lambda clerk, order: expire_order(order=order, at=order.expires_at),
}


@in_one_world("first", ENDS)
@in_one_world("then", ENDS)
def test_a_payment_that_has_ended_does_not_end_again(
    first: str, then: str, sam: Any, ada: Any, pay: Callable, books: Callable, settings: Any
) -> None:
    settings.SUSPICIOUS_AMOUNT = Decimal(100)
    order, another = pay("150.00"), pay("150.00")
    ENDS[first](sam, order)
    before, ended = books(), row_of(order)
    assert told(ENDS[then], ada, order) == too_late(first, then)
    assert (books(), row_of(order)) == (before, ended)
    assert told(ENDS[then], ada, another) == "done"


def told(end: Callable[[Any, TransferOrder], Any], clerk: Any, order: TransferOrder) -> str:
    try:
        return "nothing to do" if end(clerk, order) is False else "done"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared with what was promised
        return type(error).__name__


def too_late(first: str, then: str) -> str:
    """Return the result of the second act: the same click again has the same answer, and the job finds nothing to
    do."""
    if then == "expire":
        return "nothing to do"
    return "done" if first == then == "cancel" else "DecidedAlready"


def row_of(order: TransferOrder) -> Any:
    return TransferOrder.objects.filter(pk=order.pk).values()[0]
