"""Rows that any number of workers share out: each takes different ones, for a while (ADR 25).

A row says from when on it is due. Whoever takes it moves that time on: until then nobody else sees it, and then it is
due again, should the worker have been killed meanwhile. So a lease needs no column and no clean-up. It shares out the
work and proves nothing: what must happen once is decided where it is written down.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import models

from foundation.locking import lock
from foundation.transactions import own_transaction

M = TypeVar("M", bound=models.Model)


@own_transaction
def take(due: "models.QuerySet[M]", *, due_at: str, until: datetime, limit: int) -> list[M]:
    """The first `limit` rows of `due`, which nobody else gets before `until`: the column `due_at` of each says so now.

    Rows that another worker is just taking are left to it. On SQLite one writer at a time takes rows.
    """
    rows = list(lock(due, skip_locked=True)[:limit])
    if rows:
        due.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(**{due_at: until})
    return rows


@own_transaction
def recall(waiting: "models.QuerySet[M]", *, due_at: str, now: datetime, longest: timedelta, lease: timedelta) -> None:
    """Have those of the waiting rows due after a lease that would be so much later than anybody puts one off: twice
    `longest`, since machines' clocks differ. Not at once: whoever took one before the clock was set back may be at it.
    What is locked just now is left to the next time.
    """
    too_late = lock(waiting.filter(**{f"{due_at}__gt": now + 2 * longest}), skip_locked=True)
    waiting.model._default_manager.filter(pk__in=too_late.values("pk")).update(**{due_at: now + lease})
