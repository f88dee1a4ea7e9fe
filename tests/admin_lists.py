"""Every way to look at each list of the staff's area, from the registry: for tests and benchmarks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import BooleanField
from django.urls import reverse
from django.utils import timezone

from foundation.admin.counting import MOST_COUNTED, bounded_count
from foundation.admin.filters import TypedFilter

# Values for typed filters and searches, from a person's row. A new parameter needs a value here.
Samples = dict[str, str]


@dataclass(frozen=True)
class View:
    """One way to look at a list: which, how, and its address."""

    model: Any
    name: str
    url: str

    def __str__(self) -> str:
        return f"{self.model._meta.model_name} {self.name}"


def samples_for(*, email: str, number: str, reference: str) -> Samples:
    return {
        "user": email, "actor": email, "concerns": email, "account": number, "amount_from": "4.00",
        "amount_to": "6.00", "reference": reference, "email": email[:9], "subject_id": "1",
    }  # fmt: skip


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def views_of(page: Any, samples: Samples, at: datetime) -> Iterator[View]:
    """Yield the first page, the last that can be reached, each choice of each filter, each date step, a search."""
    for name, parameters in _choices(page, samples, at):
        yield View(page.model, name, f"{url(page.model, 'changelist')}?{urlencode(parameters)}")


def all_views(samples: Samples, at: datetime) -> list[View]:
    return [view for page in admin.site._registry.values() for view in views_of(page, samples, at)]


def _choices(page: Any, samples: Samples, at: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "first page", {}
    rows = min(bounded_count(page.model._default_manager.all()).number, MOST_COUNTED)
    yield "last page", {"p": max(1, -(-rows // page.list_per_page))}
    for one in page.filters():
        yield from _choices_of_filter(page, one, samples)
    if page.date_hierarchy:
        day, chosen = timezone.localtime(at), {}
        for part in ("year", "month", "day"):
            chosen[f"{page.date_hierarchy}__{part}"] = getattr(day, part)
            yield part, dict(chosen)
    if searched := page.search_beginnings + page.search_wholes:
        yield "search", {"q": samples[searched[0]]}
    if page.search_folded:
        yield "search by last name", {"q": "Adl"}
        yield "search by both names", {"q": "Adler, Anna"}


def _choices_of_filter(page: Any, one: Any, samples: Samples) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(one, str):
        field = page.model._meta.get_field(one)
        values = ["1", "0"] if isinstance(field, BooleanField) else [value for value, _ in field.choices]
        for value in values:
            yield f"{one} {value}", {f"{one}__exact": value}
    elif issubclass(one, TypedFilter):
        for name in one.parameters():
            yield name, {name: samples[name]}
        if len(one.parameters()) > 1:
            yield " and ".join(one.parameters()), {name: samples[name] for name in one.parameters()}
    else:
        for value, _ in one.lookups(one, None, page):
            yield f"{one.parameter_name} {value}", {one.parameter_name: value}
