"""Filters of the staff's lists into which something is typed, and those that Django's own would make slow (R6.4).

Whatever was typed that means nothing is said in the filter, and the list is empty: never everything.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.actions import Action
from foundation.admin.filters import PersonFilter


class ActionFilter(admin.SimpleListFilter):
    """By action, from the catalogue: Django's own would look through the whole log for the actions there are."""

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
    """Apart from `ActorFilter`: one question with OR would read all that a busy person ever did."""

    title = "whom it concerns"
    column = "concerns_id"
    inputs = (("concerns", "E-mail address"),)
