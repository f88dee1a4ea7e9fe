"""Admin pages of models with amounts."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts.money import MoneyField, format_money
from audit.read_only_admin import ReadOnlyAdmin


@cache
def _money(name: str) -> Callable[[Any], str]:
    """The field as people write amounts, for lists and rows. admin.css knows it by its name."""

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
