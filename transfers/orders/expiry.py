"""Giving back held orders that nobody has decided in time (R3.14), by the bank itself."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from foundation.slices import batches
from transfers.models import OrderState, TransferOrder
from transfers.orders.holds import expire_order

logger = logging.getLogger(__name__)

Progress = Callable[[int], None]


@dataclass
class Run:
    """The result of a run: orders that it gave back, and how many it could not, which are in the log."""

    expired: int = 0
    failed: int = 0


def expire_holds(*, at: datetime | None = None, progress: Progress = lambda done: None) -> Run:
    """Give back every order that has been held for HOLD_EXPIRES_DAYS, each in a transaction of its own.

    It may be stopped and run again, and several runs at once expire each order once. An order that cannot be given back
    is logged and left unchanged; the others do not wait for it.

    Raises:
        Error: the database does not answer; the next run does the rest.
    """
    now = at or timezone.now()
    run = Run()
    for batch in batches(_due(now)):
        for order in batch:
            _expire(order, now, run)
            progress(run.expired)
    return run


def _due(at: datetime) -> QuerySet[TransferOrder]:
    begun_by = at - timedelta(days=settings.HOLD_EXPIRES_DAYS)
    held = TransferOrder.objects.filter(state=OrderState.HELD, created_at__lte=begun_by)
    return held.select_related("source__owner", "target__owner")


def _expire(order: TransferOrder, at: datetime, run: Run) -> None:
    try:
        run.expired += expire_order(order=order, at=at)
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, IntegrityError):
            raise
        logger.exception("Order %s could not be given back", order.public_id)
        run.failed += 1
