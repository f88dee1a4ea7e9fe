"""Read-only pages for the staff's admin that stay fast however long the table is (R5.1, R5.4).

On the ground floor, since every app's admin needs it.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache, cached_property, reduce
from itertools import pairwise
from operator import and_, or_
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from foundation.admin.counting import MOST_COUNTED, bounded_count
from foundation.admin.table import Table, moment_text
from foundation.money import MoneyField, format_money
from foundation.replica import may_be_behind
from foundation.text import folded

MOST_FOUND = 1_000
_MOST_WORDS = 5
_LONGEST_WORD = 254
_DATE_PARTS = ("year", "month", "day")


class BoundedPaginator(Paginator):
    """Counts to `MOST_COUNTED` and no further: nobody reads more pages than that, and counting millions takes
    seconds."""

    @cached_property
    def count(self) -> int:
        return bounded_count(self.object_list).number  # type: ignore[arg-type]


class CarefulChangeList(ChangeList):
    """Django's list, protected against forged addresses that would break it or make it read the whole table."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Do as Django does, and refuse more.

        Raises:
            IncorrectLookupParameters: also for NUL, which PostgreSQL refuses, and for dates that nobody means, such
                as a month of no year, or a year whose end a datetime does not reach.
        """
        if any("\x00" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters("NUL")
        if self.date_hierarchy:
            parts = [self.params.get(f"{self.date_hierarchy}__{part}") for part in _DATE_PARTS]
            if any(finer and not coarser for coarser, finer in pairwise(parts)):
                raise IncorrectLookupParameters("A month without its year, or a day without its month.")
            if parts[0] is not None and not (parts[0].isdecimal() and 1900 <= int(parts[0][:5]) < 3000):
                raise IncorrectLookupParameters("Not a year.")
        return super().get_filters(request)

    def get_results(self, request: HttpRequest) -> None:
        """Do as Django does, but read only the columns that the list shows, of each row and of the rows joined to
        it."""
        super().get_results(request)
        shown_by: Any = self.model_admin
        if shown_by.list_reads:
            self.result_list = self.result_list.only(*shown_by.list_reads)

    @cached_property
    def table(self) -> Table:
        """For the template, the headings and rows of this page."""
        return Table(self)


@cache
def _moment(name: str) -> Callable[[Any], str]:
    """Return the field as a moment to the second; where it is empty, a dash, as Django shows it."""

    @admin.display(description=name.replace("_", " "))
    def shown(row: Any) -> str:
        at = getattr(row, name)
        return "-" if at is None else moment_text(at)

    shown.__name__ = name
    return shown


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows to roles that may view them. Nobody adds, changes or deletes one here, superusers included.

    Lists are searched by the beginnings of `search_beginnings`, by those of `search_folded` without accents and case,
    and by the whole of `search_wholes`: fields of the model, or of the model at `search_path`, each with an index. A
    list has one order; `date_hierarchy` names a column with an index. `list_reads` names the columns to read where the
    joined rows have many more; any other column would be read row by row.
    """

    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    most_counted = MOST_COUNTED
    sortable_by = ()
    list_reads: tuple[str, ...] = ()
    search_beginnings: tuple[str, ...] = ()
    search_folded: tuple[str, ...] = ()
    search_wholes: tuple[str, ...] = ()
    search_path = ""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._with_moments(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self._with_moments(super().get_fields(request, obj))

    def _with_moments(self, names: Iterable[Any]) -> list[Any]:
        moments = {field.name for field in self.opts.fields if isinstance(field, DateTimeField)}
        return [_moment(name) if name in moments else name for name in names]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user: Any = request.user
        return user.has_role_permission(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CarefulChangeList

    @may_be_behind
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list; written out here, where its data may come from the replica."""
        response = super().changelist_view(request, {"media": self._drawn_media} | (extra_context or {}))
        return response.render() if hasattr(response, "render") else response

    @cached_property
    def _drawn_media(self) -> dict[str, SafeString]:
        """The tags that name the scripts and style sheets of a list, the same on every page."""
        return {kind: self.media[kind].render() for kind in ("css", "js")}

    @may_be_behind
    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list; say so when a filter is not understood, where Django would silently show all rows."""
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters:
            messages.warning(request, "That filter, date or page was not understood, so nothing was filtered.")
            raise

    def filters(self) -> tuple[Any, ...]:
        """Return the filters of the list."""
        return tuple(self.list_filter)

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return self.filters()

    def parameters(self) -> set[str]:
        """Return the address parameters that the list may be filtered by."""
        offered = {f"{self.date_hierarchy}__{part}" for part in _DATE_PARTS} if self.date_hierarchy else set()
        for one in self.filters():
            if isinstance(one, str):
                offered.add(f"{one}__exact")
            else:
                offered.update(one.parameters() if hasattr(one, "parameters") else [one.parameter_name])
        return offered

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow only the filters that the page offers: `?password__startswith=` would read out a hash bit by bit."""
        return lookup in self.parameters()

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return the list's own order, or that of a filter in use whose index gives another."""
        for one in self.filters():
            ordering = getattr(one, "ordering", ())
            if ordering and any(request.GET.get(name, "").strip() for name in one.parameters()):
                return ordering
        return super().get_ordering(request)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Return a non-empty value, which shows the search box; `get_search_results` does the search."""
        return self.search_beginnings + self.search_folded + self.search_wholes

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows in which each word of the search begins, or equals, one of the fields. A folded field may
        also begin with the whole search, since names may have several words: `Archer, Alice` and `von Löw` are found.

        The search runs first, up to `MOST_FOUND` rows: a database that joins, finds and sorts in one statement may
        choose to read the whole table.
        """
        words = [word[:_LONGEST_WORD] for word in re.sub("[\x00,]", " ", search_term).split()[:_MOST_WORDS]]
        if not words:
            return queryset, False
        path = self.search_path
        searched: Any = self.opts.get_field(path).related_model if path else self.model
        keys = self._keys(searched, reduce(and_, map(self.rows_with, words)))
        if len(words) > 1 and self.search_folded and len(keys) <= MOST_FOUND:
            keys = list(dict.fromkeys(keys + self._keys(searched, self._folded_with(" ".join(words)))))
        if len(keys) > MOST_FOUND:
            messages.warning(request, f"More than {MOST_FOUND:,} match: not all are shown. Search for more of it.")
        return queryset.filter(**{f"{path or 'pk'}__in": keys[:MOST_FOUND]}), False

    @staticmethod
    def _keys(model: Any, condition: Q) -> list[Any]:
        return list(model._default_manager.filter(condition).values_list("pk", flat=True)[: MOST_FOUND + 1])

    def _folded_with(self, text: str) -> Q:
        """Return the condition that a folded field begins with the text."""
        wanted = folded(text)
        conditions = [Q(**{f"{field}__begins_with": wanted}) for field in self.search_folded if wanted]
        return reduce(or_, conditions, Q(pk__in=[]))

    def rows_with(self, word: str) -> Q:
        """Return the condition that one word of a search makes. Words are tried in several cases, since no index serves
        a case-blind comparison on PostgreSQL."""
        spellings = sorted({word, word.lower(), word.capitalize(), word.upper()})
        return reduce(
            or_,
            [Q(**{f"{field}__begins_with": text}) for field in self.search_beginnings for text in spellings]
            + [Q(**{f"{field}__in": spellings}) for field in self.search_wholes],
            self._folded_with(word),
        )


@cache
def _money(name: str) -> Callable[[Any], str]:
    """Return the field as people write amounts, for lists and rows. admin.css knows it by its name."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def shown(row: Any) -> str:
        return format_money(getattr(row, name))

    shown.__name__ = f"money_{name}"
    return shown


class MoneyAdmin(ReadOnlyAdmin):
    """Shows each amount of its model with the currency."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._with_money(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._with_money(super().get_fields(request, obj))

    def _with_money(self, names: Iterable[Any]) -> list[Any]:
        amounts = {field.name for field in self.opts.fields if isinstance(field, MoneyField)}
        return [_money(name) if name in amounts else name for name in names]
