"""Filters of the staff's lists with fields to type into."""

from typing import Any
from urllib.parse import parse_qsl

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

MAX_TYPED_CHARS = 254
# Parameters of Django's change list: the page, and that a filter was not understood.
_NOT_KEPT = {"p", "e"}


class NotUnderstood(ValueError):
    """The text typed into a filter means nothing; the exception's text says why."""


class TypedFilter(admin.ListFilter):
    """A filter with fields to type into. `inputs` are pairs of parameter and label; `narrowed()` is for subclasses.

    `ordering`, if set, is the list's order while the filter is used: the order of the filter's index.
    """

    template = "admin/typed_filter.html"
    inputs: tuple[tuple[str, str], ...] = ()
    input_type = "text"
    ordering: tuple[str, ...] = ()

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        typed = {name: params.pop(name, [""])[-1].strip() for name, _ in self.inputs}
        # The attribute that Django's own filters have, and that the change list reads.
        self.used_parameters: dict[str, Any] = {name: value for name, value in typed.items() if value}
        self.problem = ""

    def has_output(self) -> bool:
        return True

    @classmethod
    def parameters(cls) -> list[str]:
        return [name for name, _ in cls.inputs]

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters())

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that match `used_parameters`.

        Raises:
            NotUnderstood
        """
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.used_parameters:
            return queryset
        try:
            if any(len(value) > MAX_TYPED_CHARS for value in self.used_parameters.values()):
                raise NotUnderstood("This is too long.")
            return self.narrowed(queryset)
        except NotUnderstood as error:
            self.problem = str(error)
            return queryset.none()

    def choices(self, changelist: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return what the template needs: the other filters in use, and the address of the list without this one."""
        kept = [
            (name, value)
            for name, value in parse_qsl(changelist.get_query_string().lstrip("?"), keep_blank_values=True)
            if name not in _NOT_KEPT and name not in self.parameters()
        ]
        return [{"kept": kept}]

    @property
    def fields(self) -> list[dict[str, str]]:
        return [
            {"name": name, "label": label, "value": self.used_parameters.get(name, "")} for name, label in self.inputs
        ]


class PersonFilter(TypedFilter):
    """Filters by a person's full e-mail address; `column` holds the person's id."""

    input_type = "email"
    column = ""

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        people: Any = get_user_model()._default_manager
        try:
            person = people.get_by_natural_key(next(iter(self.used_parameters.values())))
        except get_user_model().DoesNotExist as error:
            raise NotUnderstood("Nobody has this e-mail address.") from error
        return rows.filter(**{self.column: person.pk})
