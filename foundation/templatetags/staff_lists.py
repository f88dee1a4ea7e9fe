"""Tags for the templates of the staff's lists: the dates above a list, and the choices of a filter beside it."""

import calendar
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from typing import Any

from django import template
from django.db.models import Subquery
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from foundation.compiled import Select

register = template.Library()

_PARTS = ("year", "month", "day")


@register.simple_tag
def choice_links(choices: Iterable[dict[str, Any]]) -> SafeString:
    """Return the items of a filter's list, each {selected, query_string, display}: the audit log has more actions than
    a list has rows."""
    chosen = mark_safe(' class="selected"')  # a constant # nosec B308
    return format_html_join(
        "\n",
        '<li{}>\n<a href="{}">{}</a></li>',
        ((chosen if one["selected"] else "", one["query_string"], one["display"]) for one in choices),
    )


@register.inclusion_tag("admin/dates.html")
def dates(cl: Any) -> dict[str, Any]:
    """Return the choices of years, months and days above a list with `date_hierarchy`: the chosen one, the way back up,
    and the steps further down.

    Django's own asks the database which days have rows: a scan of the whole table. Here two look-ups in an index, in
    one statement, give the first and the last row, and every year, month and day between them is offered.
    """
    chosen = [int(cl.params.get(f"{cl.date_hierarchy}__{part}") or 0) for part in _PARTS]
    return {
        "chosen": _name_of(*chosen),
        "back_url": _url(cl, *_one_up(chosen)),
        "choices": [{"label": label, "url": _url(cl, *parts)} for label, *parts in _steps_down(cl, *chosen)],
    }


def _name_of(year: int, month: int, day: int) -> str:
    if not month:
        return str(year or "")
    return date_format(date(year, month, day or 1), "DATE_FORMAT" if day else "YEAR_MONTH_FORMAT")


def _one_up(chosen: list[int]) -> list[int]:
    last = max((index for index, part in enumerate(chosen) if part), default=0)
    return [part for index, part in enumerate(chosen) if index < last]


def _steps_down(cl: Any, year: int, month: int, day: int) -> Iterator[tuple[Any, ...]]:
    if day:
        return
    if month:
        yield from ((str(number), year, month, number) for number in range(1, calendar.monthrange(year, month)[1] + 1))
    elif year:
        yield from ((MONTHS[number], year, number) for number in range(1, 13))
    else:
        yield from ((str(number), number) for number in _years(cl))


def _years(cl: Any) -> range:
    found = _ends_of(cl.model, cl.date_hierarchy).tuples()
    return next((range(timezone.localtime(a).year, timezone.localtime(b).year + 1) for a, b in found), range(0))


@cache
def _ends_of(model: Any, column: str) -> Select:
    """Return the first and the last moment of all rows; no rows if there are none."""
    moments = model._default_manager.values(column)
    ends = {
        name: Subquery(moments.order_by(order)[:1]) for name, order in (("_first", column), ("_last", f"-{column}"))
    }
    # Any row can carry the two look-ups; together in one MIN and MAX they would be a scan on SQLite.
    found = model._default_manager.order_by().annotate(**ends).values_list(*ends)[:1]
    return Select(lambda: found, may_be_behind=True)


def _url(cl: Any, *parts: int) -> str:
    """Return the address of the list with these parts of a date instead of its own."""
    wanted = {f"{cl.date_hierarchy}__{name}": str(part) for name, part in zip(_PARTS, parts, strict=False)}
    return cl.get_query_string(wanted, remove=[f"{cl.date_hierarchy}__", "p"])
