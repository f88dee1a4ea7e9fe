"""Tables, constraints and indexes that SQL Server refuses, or that its backend silently drops (R9.4).

The rules look at a catalog, which holds what the migrations have made, and at the models.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models

from tests.mssql.catalog import Catalog

LONGEST_KEY = {"index": 1700, "primary key": 900}  # bytes; the primary key is what the table is sorted by
MOST_KEY_COLUMNS = 32
LONGEST_TEXT = 4000
LONGEST_NAME = 128

_BYTES = {
    "bit": 1, "smallint": 2, "int": 4, "bigint": 8, "date": 3, "datetimeoffset": 10, "time": 5, "double precision": 8,
}  # fmt: skip
_VALUE = r"(?:N?'[^']*'|-?\d+)"
_TERM = rf"\[\w+\] (?:IS (?:NOT )?NULL|(?:=|<>|<|<=|>|>=) {_VALUE}|IN \({_VALUE}(?:, {_VALUE})*\))"
_CONDITION = re.compile(rf"\(?{_TERM}(?: AND {_TERM})*\)?$")


def ddl_faults(catalog: Catalog) -> list[str]:
    return [
        f"{table}: {fault}"
        for table in catalog.tables
        for fault in (*_columns(catalog, table), *_keys(catalog, table), *_conditions(catalog, table))
    ]


def _columns(catalog: Catalog, table: str) -> Iterator[str]:
    names = [table, *catalog.tables[table].columns, *catalog.tables[table].parts]
    yield from (f"the name {name} is too long" for name in names if len(name) > LONGEST_NAME)
    for column, kind in catalog.tables[table].columns.items():
        length = re.match(r"nvarchar\((\d+)\)", kind)
        if length and int(length[1]) > LONGEST_TEXT:
            yield f"{column} is longer than {LONGEST_TEXT} characters, and not nvarchar(max)"


def _keys(catalog: Catalog, table: str) -> Iterator[str]:
    columns = catalog.tables[table].columns
    for name, one in catalog.tables[table].parts.items():
        if not (one["index"] or one["unique"]):
            continue
        sizes = [_bytes_of(columns[column]) for column in one["columns"]]
        if None in sizes:
            yield f"{name} has a column that can be in no key"
        elif sum(size or 0 for size in sizes) > LONGEST_KEY["primary key" if one["primary_key"] else "index"]:
            yield f"{name} has a key of {sum(size or 0 for size in sizes)} bytes"
        if len(one["columns"]) > MOST_KEY_COLUMNS:
            yield f"{name} has more columns than a key may have"
        if one["unique"]:
            condition = one.get("condition") or ""
            for column in one["columns"]:
                if not columns[column].endswith("NOT NULL") and f"[{column}] IS NOT NULL" not in condition:
                    yield f"{name} lets {column} be NULL in one row only"


def _conditions(catalog: Catalog, table: str) -> Iterator[str]:
    for name, one in catalog.tables[table].parts.items():
        condition = (one.get("condition") or "").removeprefix(" WHERE ")
        if condition and not _CONDITION.match(condition):
            yield f"{name} has a condition that no filtered index takes: {condition}"


def _bytes_of(kind: str) -> int | None:
    """Return the most bytes of a value in a key; None for a type that can be in none."""
    base = re.sub(r" (?:NOT )?NULL$", "", kind)
    if found := re.match(r"(n?)(?:var)?char\((\d+)\)|varbinary\((\d+)\)", base):
        return int(found[3]) if found[3] else int(found[2]) * (2 if found[1] else 1)
    return _BYTES.get(base)


def missing(catalog: Catalog, all_models: Iterable[type[models.Model]]) -> list[str]:
    """Return what the models ask for and the backend did not make: it silently leaves out some kinds of constraint."""
    return [fault for model in all_models if model._meta.managed for fault in _missing_of(catalog, model._meta)]


def _missing_of(catalog: Catalog, meta: Any) -> Iterator[str]:
    table = catalog.tables.get(meta.db_table)
    if table is None:
        yield f"{meta.db_table} is not there"
        return
    for item in (*meta.constraints, *meta.indexes):
        if item.name not in table.parts:
            yield f"{meta.db_table}: {item.name} is not there"
    for field in meta.local_concrete_fields:
        if field.column not in table.columns:
            yield f"{meta.db_table}: {field.column} is not there"
        elif field.unique and not _is_unique(table, [field.column]):
            yield f"{meta.db_table}: {field.column} is not unique"
        elif field.remote_field and field.db_constraint and not _refers(table, field.column):
            yield f"{meta.db_table}: {field.column} refers to nothing"
    for names in meta.unique_together:
        if not _is_unique(table, [meta.get_field(name).column for name in names]):
            yield f"{meta.db_table}: {', '.join(names)} are not unique together"


def _is_unique(table: Any, columns: list[str]) -> bool:
    return any(one["unique"] and one["columns"] == columns for one in table.parts.values())


def _refers(table: Any, column: str) -> bool:
    return any(one["foreign_key"] and one["columns"] == [column] for one in table.parts.values())
