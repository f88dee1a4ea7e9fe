"""How texts are compared where an index must serve the comparison, and columns of texts without accents and case."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models.lookups import StartsWith

from foundation.text import folded

_AFTER_ALL_ELSE = "\U0010ffff"


class BeginsWith(StartsWith):
    """`startswith` that an index serves on every engine.

    On SQLite Django's own is a case-blind LIKE, which cannot use an index in binary order: here the beginning is a
    range of that order.
    """

    lookup_name = "begins_with"

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return connection.operators["startswith"] % rhs

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        text, parameters = self.process_lhs(compiler, connection)
        return f"({text} >= %s AND {text} < %s)", [
            *parameters, self.rhs, *parameters, f"{self.rhs}{_AFTER_ALL_ELSE}",
        ]  # fmt: skip


class FoldedField(models.CharField):
    """The text of the field `folded_of` of the same row, folded for searches; written whenever the row is."""

    def __init__(self, *args: Any, folded_of: str = "", **kwargs: Any) -> None:
        self.folded_of = folded_of
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        # For the database, an ordinary column of characters.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str | None:
        text: str | None = getattr(model_instance, self.folded_of)
        value = None if text is None else folded(text, self.max_length)
        setattr(model_instance, self.attname, value)
        return value


class WithFoldedFields(models.Model):
    """A row with folded fields: saving a text saves its folded copy too."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None:
            written = set(update_fields)
            update_fields = [*written, *(field.name for field in folded_fields(self) if field.folded_of in written)]
        super().save(*args, update_fields=update_fields, **kwargs)


def folded_fields(model: models.Model | type[models.Model]) -> list[FoldedField]:
    return [field for field in model._meta.concrete_fields if isinstance(field, FoldedField)]
