"""Count rows up to a limit: a larger number tells people nothing, and costs more and more time (R5.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import IntegerField, QuerySet, Subquery

MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Count:
    """A number of rows; `is_more`: there are more than were counted."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.is_more else f"{self.number:,}"


def bounded_count(rows: QuerySet[Any], most: int = MOST_COUNTED) -> Count:
    """Count up to `most` rows, and no further."""
    number = rows.order_by()[: most + 1].count()
    return Count(min(number, most), is_more=number > most)


class BoundedCount(Subquery):
    """`bounded_count()` as an expression: a number that stops at one more than `MOST_COUNTED`."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: MOST_COUNTED + 1])


def bounded_counts(rows: Mapping[str, QuerySet[Any]]) -> dict[str, Count]:
    """Return the `bounded_count()` of each, under the same names, in one statement."""
    if not rows:
        return {}
    # Portable SQL selects from something; there are always roles.
    numbers = Group.objects.order_by("pk").values_list(*(BoundedCount(one) for one in rows.values()))[0]
    return {
        name: Count(min(number, MOST_COUNTED), is_more=number > MOST_COUNTED)
        for name, number in zip(rows, numbers, strict=True)
    }
