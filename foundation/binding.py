"""Prepare values for the driver as the field does, but faster where the type is known beforehand.

Most of what a field does to a value is finding out its type. A whole number for an integer column, a text for a text
column and the like are recognised by type; the field prepares all others.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations

Prepare = Callable[[Any, BaseDatabaseWrapper], Any]

_WHAT_PREPARES = ("get_prep_value", "get_db_prep_value", "get_db_prep_save", "to_python")


def preparer(field: models.Field, database: BaseDatabaseWrapper, by_field: Prepare) -> Prepare:
    """Return the function that prepares a value of the field for this kind of database, as the field's own
    `get_db_prep_value` or `get_db_prep_save` would (`by_field`); it raises what they raise."""
    field = getattr(field, "target_field", field)
    if _prepares_as(field, models.CharField) or _prepares_as(field, models.TextField):
        return _as_it_is(str, by_field)
    if any(_prepares_as(field, kind) for kind in (models.IntegerField, models.BigAutoField)):
        return _of_integers(field, database, by_field)
    if _prepares_as(field, models.UUIDField):
        if database.features.has_native_uuid_field:
            return _as_it_is(UUID, by_field)
        return _made(UUID, lambda value: value.hex, by_field)
    if _prepares_as(field, models.DateTimeField) and settings.USE_TZ and database.timezone is UTC:
        return _of_moments(database, by_field)
    return by_field


def _prepares_as(field: models.Field, kind: type[models.Field]) -> bool:
    """Return whether the field's class has not overridden what Django's class does."""
    return isinstance(field, kind) and all(getattr(type(field), name) is getattr(kind, name) for name in _WHAT_PREPARES)


def _as_it_is(kind: type, by_field: Prepare) -> Prepare:
    def prepare(value: Any, database: BaseDatabaseWrapper) -> Any:
        return value if type(value) is kind else by_field(value, database)

    return prepare


def _made(kind: type, make: Callable[[Any], Any], by_field: Prepare) -> Prepare:
    def prepare(value: Any, database: BaseDatabaseWrapper) -> Any:
        return make(value) if type(value) is kind else by_field(value, database)

    return prepare


def _of_integers(field: models.Field, database: BaseDatabaseWrapper, by_field: Prepare) -> Prepare:
    if database.vendor == "postgresql":
        # Each with its column's type, otherwise the size of a number would make another prepared statement.
        kinds: dict[str, Any] = database.ops.integerfield_type_map  # type: ignore[attr-defined]
        return _made(int, kinds[field.get_internal_type().replace("Auto", "Integer")], by_field)
    if type(database.ops).adapt_integerfield_value is BaseDatabaseOperations.adapt_integerfield_value:
        return _as_it_is(int, by_field)
    return by_field


def _of_moments(database: BaseDatabaseWrapper, by_field: Prepare) -> Prepare:
    """Return the function that prepares moments: in UTC, and as text on SQLite."""
    if database.vendor == "sqlite":

        def prepare(value: Any, database: BaseDatabaseWrapper) -> Any:
            if type(value) is datetime and value.tzinfo is UTC:
                return str(value)[: -len("+00:00")]
            return by_field(value, database)

        return prepare

    if database.vendor in ("postgresql", "microsoft"):

        def as_it_is(value: Any, database: BaseDatabaseWrapper) -> Any:
            return value if type(value) is datetime and value.tzinfo is UTC else by_field(value, database)

        return as_it_is
    return by_field
