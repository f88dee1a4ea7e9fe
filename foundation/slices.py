"""Reading large tables in constant memory, in order of a unique key, on every engine.

Not `.iterator()`: on SQL Server it reads everything at once, and an open cursor leaves no room for the queries in
between. Not OFFSET from the beginning either, which costs more with every page.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
T = TypeVar("T")

# Few enough to be looked up together: SQL Server takes 2,100 parameters in one statement.
BATCH = 500


def batches(rows: "QuerySet[Any, T]", *, by: str = "pk") -> Iterator[list[T]]:
    """Yield the rows in order of a unique column, `BATCH` at a time; the last list may be empty."""
    size = BATCH
    batch = list(rows.order_by(by)[:size])
    yield batch
    while len(batch) == size:
        batch = list(rows.filter(**{f"{by}__gt": getattr(batch[-1], by)}).order_by(by)[:size])
        yield batch


def ranges(rows: "QuerySet[M]", *, size: int) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of primary keys that cut the rows into slices of `size`: each slice begins after the first key, which
    is None at the very beginning, and goes up to the second. Only keys are read. Rows that are added at the end
    meanwhile are left out."""
    low, end = None, rows.order_by("-pk").values_list("pk", flat=True).first()
    while low != end:
        keys = within(rows, low, end).order_by("pk").values_list("pk", flat=True)
        high = keys[size - 1 : size].first()
        yield low, end if high is None else high
        low = end if high is None else high


def within(rows: "QuerySet[M]", low: Any, high: Any, *, by: str = "pk") -> "QuerySet[M]":
    """Return the rows after the key `low`, or from the beginning where it is None, up to `high`, or to the end."""
    if low is not None:
        rows = rows.filter(**{f"{by}__gt": low})
    return rows if high is None else rows.filter(**{f"{by}__lte": high})
