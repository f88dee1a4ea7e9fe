"""Filters of the staff's lists with fields to type into, and those that would be slow in Django's own form (R6.4).

A text that means nothing is reported in the filter, and the list is empty: it never shows everything.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.actions import Action
from foundation.admin.filters import PersonFilter


class ActionFilter(admin.SimpleListFilter):
    """By action, from the catalogue: Django's own would search the whole log for its actions."""

    title = "action"
    parameter_name = "action__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action.value, action.value.replace("_", " ").capitalize()) for action in sorted(Action)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class ActorFilter(PersonFilter):
    title = "who did it"
    column = "actor_id"
    inputs = (("actor", "E-mail address"),)


class ConcernsFilter(PersonFilter):
    """Apart from `ActorFilter`: one query with OR would read everything that a busy person ever did."""

    title = "whom it concerns"
    column = "concerns_id"
    inputs = (("concerns", "E-mail address"),)
