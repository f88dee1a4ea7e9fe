"""Rows that any number of workers share: each takes different ones, for a while (ADR 25).

A row says when it is due. A worker that takes it moves that time forward: until then no other worker sees it, and if
the worker is killed, the row is due again. So a lease needs no column and no clean-up. It shares the work and proves
nothing: whatever must happen once is decided where it is written down.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import models

from foundation.locking import lock
from foundation.transactions import own_transaction

M = TypeVar("M", bound=models.Model)


@own_transaction
def take(due: "models.QuerySet[M]", *, due_at: str, until: datetime, limit: int) -> list[M]:
    """Take the first `limit` rows of `due`, which no other worker gets before `until`: the column `due_at` of each says
    so.

    Rows that another worker is taking at the moment are left to it. On SQLite one writer at a time takes rows.
    """
    rows = list(lock(due, skip_locked=True)[:limit])
    if rows:
        due.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(**{due_at: until})
    return rows


@own_transaction
def recall(waiting: "models.QuerySet[M]", *, due_at: str, now: datetime, longest: timedelta, lease: timedelta) -> None:
    """Make waiting rows due after a lease if their time is later than anybody would set it: more than twice `longest`
    ahead, since machines' clocks differ. Not at once: the worker that took a row before the clock was set back may
    still be at work. Locked rows are left to the next call."""
    too_late = lock(waiting.filter(**{f"{due_at}__gt": now + 2 * longest}), skip_locked=True)
    waiting.model._default_manager.filter(pk__in=too_late.values("pk")).update(**{due_at: now + lease})
