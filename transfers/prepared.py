"""Statements of the hot path: compiled by the ORM once for each connection kind, then run with other values.

Compiling a query in Python costs several times what the database takes to run it (docs/adr/0005). No SQL is
written here: what runs is what the ORM would run on SQLite, PostgreSQL and SQL Server. All of it goes to the
primary database, whatever a router says about reading: money is never decided on a replica.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import sql

# Stand-ins for values while compiling: integers too odd to be a literal of ours.
_SLOT = 7_700_000_000_000_001
_LENGTHS = (256, 64, 16, 4, 2, 1)


class _Statement:
    """A compiled text, and which of its parameters is replaced by which value."""

    def __init__(self, text: str, params: Sequence[Any], slots: Sequence[int]) -> None:
        self.text = text
        self._params = [(slots.index(param), None) if param in slots else (None, param) for param in params]
        used = sorted(slot for slot, _ in self._params if slot is not None)
        if used != list(range(len(slots))):
            raise AssertionError(f"A value got lost in compiling: {text}")

    def bind(self, values: Sequence[int]) -> list[Any]:
        return [param if slot is None else values[slot] for slot, param in self._params]


class _Prepared:
    """Compiles at the first use with this database engine and this number of values."""

    def __init__(self) -> None:
        self._statements: dict[tuple[str, int], _Statement] = {}

    def _statement(self, count: int) -> _Statement:
        key = (connection.vendor, count)
        if key not in self._statements:
            slots = [_SLOT + number for number in range(count)]
            text, params = self._query(slots).get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
            self._statements[key] = _Statement(text, params, slots)
        return self._statements[key]

    def _query(self, slots: list[int]) -> sql.Query:
        raise NotImplementedError


class PreparedSelect(_Prepared):
    """The rows of `build(values)`, a `values_list()` of integers and texts; columns come as the database has them."""

    def __init__(self, build: Callable[[list[int]], models.QuerySet]) -> None:
        super().__init__()
        self._build = build

    def _query(self, slots: list[int]) -> sql.Query:
        return self._build(slots).query

    def rows(self, values: Sequence[int]) -> list[tuple]:
        statement = self._statement(len(values))
        with connection.cursor() as cursor:
            cursor.execute(statement.text, statement.bind(values))
            return cursor.fetchall()


class PreparedUpdate(_Prepared):
    """`UPDATE model SET … WHERE …` where all values are integers as the columns hold them (money: minor units)."""

    def __init__(self, model: type[models.Model], *, set_fields: Sequence[str], where_fields: Sequence[str]) -> None:
        super().__init__()
        self._model = model
        self._set_fields = set_fields
        self._where_fields = where_fields

    def _query(self, slots: list[int]) -> sql.UpdateQuery:
        set_slots, where_slots = slots[: len(self._set_fields)], slots[len(self._set_fields) :]
        matching = self._model._default_manager.filter(**dict(zip(self._where_fields, where_slots, strict=True)))
        query: sql.UpdateQuery = matching.query.chain(sql.UpdateQuery)  # type: ignore[assignment]
        columns = {
            name: models.ExpressionWrapper(models.Value(slot), models.BigIntegerField())
            for name, slot in zip(self._set_fields, set_slots, strict=True)
        }
        query.add_update_values(columns)
        return query

    def execute(self, values: Sequence[int]) -> int:
        """Run with the values of `set_fields`, then of `where_fields`; return how many rows matched."""
        statement = self._statement(len(values))
        with connection.cursor() as cursor:
            cursor.execute(statement.text, statement.bind(values))
            return cursor.rowcount

    def execute_many(self, rows: Sequence[Sequence[int]]) -> None:
        """Run for each row of values, handed to the driver at once. Drivers do not agree on how many rows
        matched: read again what must have changed."""
        statement = self._statement(len(rows[0]))
        with connection.cursor() as cursor:
            cursor.executemany(statement.text, [statement.bind(values) for values in rows])


class PreparedInsert:
    """`INSERT` of n rows at once. The database gives no keys back: make them yourself, or do without."""

    def __init__(self, model: type[models.Model], field_names: Sequence[str]) -> None:
        self._model = model
        by_name = {field.name: field for field in model._meta.concrete_fields}
        self._fields = [by_name[name] for name in field_names]
        self._texts: dict[tuple[str, int], tuple[str, bool]] = {}

    def execute(self, rows: Sequence[Sequence[Any]]) -> None:
        """Insert; each row has the values of the fields in order, as attributes of the model would."""
        start = 0
        while start < len(rows):
            # Few different lengths, so few statements to compile, each within SQL Server's 2,100 parameters.
            length = next(size for size in _LENGTHS if size <= len(rows) - start)
            self._execute(rows[start : start + length])
            start += length

    def _execute(self, rows: Sequence[Sequence[Any]]) -> None:
        key = (connection.vendor, len(rows))
        if key not in self._texts:
            self._texts[key] = self._compile(rows)
        text, by_column = self._texts[key]
        prepared = [
            [field.get_db_prep_save(value, connection) for field, value in zip(self._fields, row, strict=True)]
            for row in rows
        ]
        if by_column:
            params: list[Any] = [list(column) for column in zip(*prepared, strict=True)]
        else:
            params = [value for row in prepared for value in row]
        with connection.cursor() as cursor:
            cursor.execute(text, params)

    def _compile(self, rows: Sequence[Sequence[Any]]) -> tuple[str, bool]:
        objects = [
            self._model(**{field.attname: value for field, value in zip(self._fields, row, strict=True)})
            for row in rows
        ]
        query = sql.InsertQuery(self._model)
        query.insert_values(self._fields, objects)
        statements = query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
        if len(statements) != 1:
            raise AssertionError("The rows do not go into one statement.")
        text, params = statements[0]
        # PostgreSQL may take one array for each column (UNNEST) instead of one value for each cell.
        by_column = len(rows) > 1 and len(params) == len(self._fields)
        if not by_column and len(params) != len(self._fields) * len(rows):
            raise AssertionError(f"Unknown layout of parameters: {text}")
        return text, by_column
