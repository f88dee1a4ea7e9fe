"""Statements that the ORM compiles once for each kind of database, then run with other values.

Compiling a query in Python costs several times what the database takes to run it (docs/adr/0005). No SQL is written
here: what runs is what the ORM would run on SQLite, PostgreSQL and SQL Server. All of it goes to the primary
database, whatever a router says about reading.

A statement is declared with a function that builds the query, and a field for each of its arguments:

    _found = Select(lambda email: User.objects.filter(email=email), User._meta.get_field("email"))
    users = _found.instances("alice@example.com")

The fields prepare the values, so that they may be whatever the fields take. Where an argument is a list of values
(`pk__in=ids`), give a `list`; there is one statement for each length. Each value stands in the statement once: for a
value that is needed twice, declare two arguments.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models import sql
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

M = TypeVar("M", bound=models.Model)

_LENGTHS = (256, 64, 16, 4, 2, 1)
_MOST_PARAMETERS = 2048  # SQL Server takes 2,100
_SCALAR = -1


class _Slot(NamedTuple):
    """A place for a value, and what stands there while compiling."""

    field: models.Field
    stand_in: Any
    prepared: Any

    @property
    def takes_integers_as_they_are(self) -> bool:
        return type(self.stand_in) is type(self.prepared) is int and self.stand_in == self.prepared


class _Statement:
    """A compiled text, and which of its parameters is replaced by which value."""

    def __init__(self, text: str, params: Sequence[Any], slots: Sequence[_Slot]) -> None:
        self.text = text
        stand_ins = [slot.prepared for slot in slots]
        self._params = [(stand_ins.index(param), None) if param in stand_ins else (None, param) for param in params]
        if sorted(slot for slot, _ in self._params if slot is not None) != list(range(len(slots))):
            raise AssertionError(f"A value got lost in compiling: {text}")
        self._fields = [(slot.field, slot.takes_integers_as_they_are) for slot in slots]

    def bind(self, values: Sequence[Any]) -> list[Any]:
        """The parameters for the driver, where the slots hold `values`."""
        database = connections[DEFAULT_DB_ALIAS]
        prepared = [
            value if as_it_is and type(value) is int else field.get_db_prep_value(value, database, prepared=False)
            for value, (field, as_it_is) in zip(values, self._fields, strict=True)
        ]
        return [param if slot is None else prepared[slot] for slot, param in self._params]


class _Rows(_Statement):
    """A compiled SELECT, and how its rows become tuples and instances."""

    def __init__(self, queryset: Any, slots: Sequence[_Slot]) -> None:
        compiler = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        text, params = compiler.as_sql()
        super().__init__(text, params, slots)
        self.locks: bool = compiler.query.select_for_update
        # What stands behind them is there for the order alone.
        self._width: int | None = compiler.col_count if compiler.has_extra_select else None
        columns = [expression for expression, *_ in compiler.select]
        self._converters = [
            (place, convert, expression)
            for place, (converters, expression) in compiler.get_converters(columns).items()
            for convert in converters
        ]
        # A queryset has names of fields where it is for values, not for instances.
        self._instances = _Instances(compiler) if queryset._fields is None else None

    def run(self, values: Sequence[Any]) -> list[tuple]:
        database = connections[DEFAULT_DB_ALIAS]
        if self.locks and database.get_autocommit():
            raise TransactionManagementError("Rows are locked inside a transaction only.")
        with database.cursor() as cursor:
            cursor.execute(self.text, self.bind(values))
            rows = cursor.fetchall()
        return rows if self._width is None else [row[: self._width] for row in rows]

    def converted(self, row: tuple) -> list[Any]:
        database, values = connections[DEFAULT_DB_ALIAS], list(row)
        for place, convert, expression in self._converters:
            values[place] = convert(values[place], expression, database)
        return values

    def instance(self, row: tuple) -> Any:
        if self._instances is None:
            raise TypeError("A query for values has no instances.")
        return self._instances.made_from(self.converted(row))


class _Instances:
    """How the values of a row become an instance, as `QuerySet` makes them: related ones and annotations included."""

    def __init__(self, compiler: Any) -> None:
        places = compiler.klass_info["select_fields"]
        self._model: type[models.Model] = compiler.klass_info["model"]
        self._columns = slice(places[0], places[-1] + 1)
        self._names = [expression.target.attname for expression, *_ in compiler.select[self._columns]]
        # The types are those of Django 6.1, where it takes one argument more.
        self._related = get_related_populators(compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]
        self._annotations: dict[str, int] = compiler.annotation_col_map or {}

    def made_from(self, values: list[Any]) -> models.Model:
        made = self._model.from_db(DEFAULT_DB_ALIAS, self._names, values[self._columns])
        for related in self._related:
            related.populate(values, made)
        for name, place in self._annotations.items():
            setattr(made, name, values[place])
        return made


S = TypeVar("S", bound=_Statement)


class _Compiled(Generic[S]):
    """Compiles at the first use with this kind of database and lists of these lengths."""

    def __init__(self, fields: Sequence[models.Field]) -> None:
        self._fields = fields
        self._statements: dict[tuple[str, tuple[int, ...]], S] = {}

    def _bound(self, values: Sequence[Any]) -> tuple[S, Sequence[Any]]:
        """The statement for these values, and the values one by one."""
        shape = tuple([len(value) if type(value) is list else _SCALAR for value in values])
        key = (connections[DEFAULT_DB_ALIAS].vendor, shape)
        statement = self._statements.get(key)
        if statement is None:
            statement = self._statements[key] = self._compile(shape)
        if max(shape, default=_SCALAR) == _SCALAR:
            return statement, values
        return statement, [one for value in values for one in (value if type(value) is list else [value])]

    def _compile(self, shape: tuple[int, ...]) -> S:
        """The statement for this kind of database, with lists of these lengths.

        Raises:
            EmptyResultSet: no row could ever match; a list must not be empty.
            AssertionError: a value does not stand in the statement once, as it was given.
            TypeError: nothing can stand in for the values of a field.
        """
        raise NotImplementedError

    def _slots(self, shape: tuple[int, ...]) -> tuple[list[_Slot], list[Any]]:
        """The slots one by one, and the arguments of the function that builds the query."""
        slots: list[_Slot] = []
        arguments: list[Any] = []
        for field, length in zip(self._fields, shape, strict=True):
            added = [_slot(field, len(slots) + number) for number in range(abs(length))]
            slots += added
            stand_ins = [slot.stand_in for slot in added]
            arguments.append(stand_ins[0] if length == _SCALAR else stand_ins)
        return slots, arguments


class Select(_Compiled[_Rows], Generic[M]):
    """The rows of `build(*values)`, a queryset of instances or a `values_list()`."""

    def __init__(self, build: Callable[..., "models.QuerySet[M, Any]"], *fields: models.Field) -> None:
        super().__init__(fields)
        self._build = build

    def rows(self, *values: Any) -> list[tuple]:
        """The rows with columns as the database has them: the cheapest, where the columns are integers and texts."""
        statement, bound = self._bound(values)
        return statement.run(bound)

    def tuples(self, *values: Any) -> list[tuple]:
        """The rows with columns as the fields give them."""
        statement, bound = self._bound(values)
        return [tuple(statement.converted(row)) for row in statement.run(bound)]

    def instances(self, *values: Any) -> list[M]:
        """The rows as instances, with what `select_related()`, `defer()` and `annotate()` ask for."""
        statement, bound = self._bound(values)
        return [statement.instance(row) for row in statement.run(bound)]

    def instance_or_new(self, *values: Any, new: Callable[[], M]) -> tuple[M, bool]:
        """The row, or the one that `new()` saves where there is none, as `get_or_create()` does; and whether it is new.

        Raises:
            IntegrityError: `new()` cannot be saved, and nobody else has made the row meanwhile.
        """
        if rows := self.instances(*values):
            return rows[0], False
        try:
            with transaction.atomic(using=DEFAULT_DB_ALIAS):
                return new(), True
        except IntegrityError:
            if rows := self.instances(*values):
                return rows[0], False
            raise

    def _compile(self, shape: tuple[int, ...]) -> _Rows:
        slots, arguments = self._slots(shape)
        return _Rows(self._build(*arguments), slots)


class Update(_Compiled[_Statement]):
    """`UPDATE` of the rows of a queryset: `build(*values)` gives it, and what each column becomes.

    A value that a column becomes is prepared by the field that is declared for it, not by the column's: for a column of
    money that is written in minor units, declare a field of integers. Expressions may stand there too.
    """

    def __init__(
        self, build: Callable[..., tuple["models.QuerySet[Any, Any]", Mapping[str, Any]]], *fields: models.Field
    ) -> None:
        super().__init__(fields)
        self._build = build

    def execute(self, *values: Any) -> int:
        """Run; return how many rows matched."""
        statement, bound = self._bound(values)
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(statement.text, statement.bind(bound))
            return cursor.rowcount

    def execute_many(self, rows: Sequence[Sequence[Any]]) -> None:
        """Run for each row of values, handed to the driver at once. Drivers do not agree on how many rows
        matched: read again what must have changed."""
        statement, _ = self._bound(rows[0])
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.executemany(statement.text, [statement.bind(values) for values in rows])

    def _compile(self, shape: tuple[int, ...]) -> _Statement:
        slots, arguments = self._slots(shape)
        matching, columns = self._build(*arguments)
        query: sql.UpdateQuery = matching.query.chain(sql.UpdateQuery)  # type: ignore[assignment]
        query.add_update_values({name: _in_its_field(value, slots) for name, value in columns.items()})
        query.annotations = {}  # what they stand for is in the conditions by now
        text, params = query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
        return _Statement(text, params, slots)


class Insert:
    """`INSERT` of n rows at once, for which the database gives no keys back, or of one instance, for which it does."""

    def __init__(self, model: type[models.Model], field_names: Sequence[str] = ()) -> None:
        """Args: field_names: in the order of the values; all but a key that the database makes, if not given."""
        self._model = model
        by_name = {field.name: field for field in model._meta.concrete_fields}
        made = model._meta.auto_field
        names = field_names or [name for name, field in by_name.items() if field is not made]
        self._fields = [by_name[name] for name in names]
        self._texts: dict[tuple[str, int], tuple[str, bool]] = {}
        self._texts_with_key: dict[str, str] = {}

    def execute(self, rows: Sequence[Sequence[Any]]) -> None:
        """Insert; each row has the values of the fields in order, as attributes of the model would."""
        start = 0
        while start < len(rows):
            # Few different lengths, so few statements to compile.
            most = min(len(rows) - start, _MOST_PARAMETERS // len(self._fields))
            length = next(size for size in _LENGTHS if size <= most)
            self._execute(rows[start : start + length])
            start += length

    def _execute(self, rows: Sequence[Sequence[Any]]) -> None:
        database = connections[DEFAULT_DB_ALIAS]
        key = (database.vendor, len(rows))
        if key not in self._texts:
            self._texts[key] = self._compile(rows)
        text, by_column = self._texts[key]
        prepared = [
            [field.get_db_prep_save(value, database) for field, value in zip(self._fields, row, strict=True)]
            for row in rows
        ]
        if by_column:
            params: list[Any] = [list(column) for column in zip(*prepared, strict=True)]
        else:
            params = [value for row in prepared for value in row]
        with database.cursor() as cursor:
            cursor.execute(text, params)

    def save(self, instance: models.Model) -> None:
        """Insert an instance, which then has the key that the database made, as `Model.save()` does without signals.

        What the statement does not name must have a default in the database, or be NULL.
        """
        database, key = connections[DEFAULT_DB_ALIAS], self._model._meta.pk
        if database.vendor not in self._texts_with_key:
            self._texts_with_key[database.vendor] = self._as_sql([instance], [key])[0]
        params = [field.get_db_prep_save(field.pre_save(instance, True), database) for field in self._fields]
        with database.cursor() as cursor:
            cursor.execute(self._texts_with_key[database.vendor], params)
            (made,) = cursor.fetchone()
        setattr(instance, key.attname, made)
        instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS

    def _compile(self, rows: Sequence[Sequence[Any]]) -> tuple[str, bool]:
        objects = [
            self._model(**{field.attname: value for field, value in zip(self._fields, row, strict=True)})
            for row in rows
        ]
        text, params = self._as_sql(objects, None)
        # PostgreSQL may take one array for each column (UNNEST) instead of one value for each cell.
        by_column = len(rows) > 1 and len(params) == len(self._fields)
        if not by_column and len(params) != len(self._fields) * len(rows):
            raise AssertionError(f"Unknown layout of parameters: {text}")
        return text, by_column

    def _as_sql(
        self, objects: Sequence[models.Model], returning: Sequence[models.Field] | None
    ) -> tuple[str, Sequence[Any]]:
        query = sql.InsertQuery(self._model)
        query.insert_values(self._fields, objects)
        compiler = query.get_compiler(using=DEFAULT_DB_ALIAS)
        compiler.returning_fields = returning
        statements = compiler.as_sql()
        if len(statements) != 1:
            raise AssertionError("The rows do not go into one statement.")
        return statements[0]


def _in_its_field(value: Any, slots: Sequence[_Slot]) -> Any:
    """A stand-in with the field that was declared for it; anything else as it is."""
    return next((models.Value(value, slot.field) for slot in slots if slot.stand_in is value), value)


# --- Stand-ins ----------------------------------------------------------------------------------------------


def _slot(field: models.Field, number: int) -> _Slot:
    field = getattr(field, "target_field", field)  # a foreign key takes what the key takes that it points at
    for stand_in in _stand_ins(field, number):
        if _is_of_its_type(field, stand_in):
            return _Slot(
                field, stand_in, field.get_db_prep_value(stand_in, connections[DEFAULT_DB_ALIAS], prepared=False)
            )
    raise TypeError(f"Nothing can stand in for a value of {field!r}.")


def _stand_ins(field: models.Field, number: int) -> Iterator[Any]:
    """Values of each type, too odd to be a literal of ours."""
    _, most = BaseDatabaseOperations.integer_field_ranges.get(field.get_internal_type(), (0, 10**16))
    yield most // 13 * 10 + number
    yield Decimal(7_700_000_001 + number)
    yield f"<a value for slot {number}>"
    yield UUID(int=7_700_000_000_000_001 + number)
    yield datetime(7007, 7, 7, tzinfo=UTC) + timedelta(microseconds=number)
    yield date(7007, 7, 7) + timedelta(days=number)


def _is_of_its_type(field: models.Field, value: Any) -> bool:
    """Whether the field takes values of this type, and leaves them as they are."""
    try:
        return type(field.to_python(value)) is type(value)
    except (TypeError, ValidationError):
        return False
