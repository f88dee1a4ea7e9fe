"""Every column of the bank that depends on a key of a ring, found in the models, so that none is forgotten (R8.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models import CharField, Count, ExpressionWrapper, F, Model, Q, QuerySet

from foundation.compiled import Update
from foundation.keys.encryption import (
    DecryptionFailed,
    DigestField,
    EncryptedField,
    Sealed,
    lookup_digest,
    lookup_digests,
    seal,
)

_STORED = "stored_{}"


@dataclass(frozen=True)
class SealedTable:
    """The columns of one model that hold something sealed, or a digest of it."""

    model: type[Model]
    sealed: tuple[EncryptedField, ...]
    digests: tuple[DigestField, ...]

    def __str__(self) -> str:
        return self.model._meta.label_lower

    @property
    def table_name(self) -> str:
        return self.model._meta.db_table

    def ring_of_columns(self) -> dict[str, str]:
        """Return the setting that holds the keys of each column, by the column's name."""
        sealed = {field.name: "FIELD_KEYS" for field in self.sealed}
        return sealed | {field.name: "LOOKUP_KEYS" for field in self.digests}


def sealed_tables() -> list[SealedTable]:
    """Return all tables with sealed columns, in the order of their names."""
    tables = (
        SealedTable(
            model,
            tuple(field for field in model._meta.local_concrete_fields if isinstance(field, EncryptedField)),
            tuple(field for field in model._meta.local_concrete_fields if isinstance(field, DigestField)),
        )
        for model in apps.get_models()
    )
    return sorted((table for table in tables if table.sealed or table.digests), key=str)


def current_kid(ring: str) -> str:
    """Return the id of the key that seals now."""
    return next(iter(getattr(settings, ring)))


def under_old_keys(table: SealedTable) -> QuerySet[Any]:
    """Return the rows with at least one column that is not under the first key of its ring."""
    waits = Q()
    for name, ring in table.ring_of_columns().items():
        waits |= _is_there(name) & ~_is_under(name, current_kid(ring))
    return _as_stored(table).filter(waits)


def rings_of_strangers(table: SealedTable, kids: set[tuple[str, str]], using: str) -> set[str]:
    """Return the rings of which some value of the table names a key that is not among `kids`, as (ring, kid); columns
    that do not exist yet are left out."""
    described = connections[using].introspection.get_table_description
    with connections[using].cursor() as cursor:
        made = {column.name for column in described(cursor, table.table_name)}
    lacking = set()
    for name, ring in table.ring_of_columns().items():
        if name not in made:  # our columns are named like their fields
            continue
        stranger = _is_there(name)
        for of_ring, kid in kids:
            if of_ring == ring:
                stranger &= ~_is_under(name, kid)
        if _as_stored(table).using(using).filter(stranger).exists():
            lacking.add(ring)
    return lacking


def rows_by_key(table: SealedTable, kids: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return how many values of the table need each of these keys, as (ring, kid), and under ("…_KEYS", "") how many
    name none of them; in one pass over the table."""
    columns, kids = table.ring_of_columns(), list(kids)
    counts: dict[str, Count] = {}
    for name, ring in columns.items():
        counts[f"{name}__all"] = Count("pk", filter=_is_there(name))
        for of_ring, kid in kids:
            if of_ring == ring:
                counts[f"{name}__{kid}"] = Count("pk", filter=_is_under(name, kid))
    found = _as_stored(table).aggregate(**counts)
    result = dict.fromkeys(kids, 0)
    for name, ring in columns.items():
        named = {kid: found[f"{name}__{kid}"] for of_ring, kid in kids if of_ring == ring}
        for kid, count in named.items():
            result[ring, kid] += count
        result[ring, ""] = result.get((ring, ""), 0) + found[f"{name}__all"] - sum(named.values())
    return result


def as_stored(table: SealedTable, row: Model) -> dict[str, Any]:
    """Return what the columns of `row` hold in the database, for `sealed_anew()` and `replace()`."""
    values = {name: row.__dict__[name] for name in table.ring_of_columns()}
    return {name: value.stored if isinstance(value, Sealed) else value for name, value in values.items()}


def sealed_anew(table: SealedTable, row: Model) -> dict[str, str]:
    """Return the new values for the columns that are not under the first key of their ring, by name.

    Raises:
        DecryptionFailed: a value does not open, or a digest does not match the value beside it: sealing it again would
            make it look honest.
    """
    stored, anew = as_stored(table, row), {}
    for field in table.sealed:
        plain = getattr(row, field.name)
        if plain is not None and not _names(stored[field.name], "FIELD_KEYS"):
            anew[field.name] = seal(plain, field.context_of(row))
    for digest in table.digests:
        found = stored[digest.name]
        if found is None or _names(found, "LOOKUP_KEYS"):
            continue
        plain = getattr(row, digest.digest_of)
        if plain is None or found not in lookup_digests(plain):
            raise DecryptionFailed(f"A digest is not that of its value ({table}.{digest.name}).")
        anew[digest.name] = lookup_digest(plain)
    return anew


def replace(table: SealedTable, pk: int, *, stored: Mapping[str, str | None], anew: Mapping[str, str]) -> bool:
    """Write `anew` to the row if its columns still hold what was `stored`; return whether they did.

    One conditional UPDATE, so that no edit made meanwhile is overwritten, whatever the engine locks.
    """
    names = tuple(anew)
    rows = _replacing(table, names).execute(pk, *(stored[name] for name in names), *(anew[name] for name in names))
    return bool(rows)


@cache
def _replacing(table: SealedTable, names: tuple[str, ...]) -> Update:
    """Return the statement of `replace()`: the key, the old values of the columns, their new values. Compiled again for
    each row, it would take ten times as long as the database does, with a batch of rows locked (ADR 5)."""

    def build(pk: Any, *texts: str) -> tuple[QuerySet[Any], dict[str, str]]:
        held = dict(zip(map(_STORED.format, names), texts, strict=False))
        return _as_stored(table).filter(pk=pk, **held), dict(zip(names, texts[len(names) :], strict=True))

    # As texts, which encrypted fields refuse.
    return Update(build, table.model._meta.pk, *[CharField() for _ in range(2 * len(names))])


def _names(stored: str, ring: str) -> bool:
    return stored.startswith(f"{current_kid(ring)}.")


def _as_stored(table: SealedTable) -> QuerySet[Any]:
    """Return rows whose columns can be compared as stored text, which an encrypted field refuses."""
    texts = {_STORED.format(name): ExpressionWrapper(F(name), CharField()) for name in table.ring_of_columns()}
    return table.model._base_manager.alias(**texts)


def _is_there(name: str) -> Q:
    return Q(**{f"{_STORED.format(name)}__isnull": False})


def _is_under(name: str, kid: str) -> Q:
    return Q(**{f"{_STORED.format(name)}__startswith": f"{kid}."})
