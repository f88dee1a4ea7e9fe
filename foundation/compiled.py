"""Statements that the ORM compiles once for each kind of database, to be run with different values.

Compiling a query in Python costs several times what the database takes to run it (docs/adr/0005). No SQL is written
here: what runs is what the ORM would run on SQLite, PostgreSQL and SQL Server. All statements go to the primary
database, whatever a router says about reading, except a `Select` with `may_be_behind`.

A statement is declared with a function that builds the query, and a field for each of its arguments:

    _found = Select(lambda email: User.objects.filter(email=email), User._meta.get_field("email"))
    users = _found.instances("alice@example.com")

The fields prepare the values, so a value may be anything that its field takes. Where an argument is a list of values
(`pk__in=ids`), give a `list`; there is one statement for each length. Each value is used in the statement once: for a
value that is needed twice, declare two arguments.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models import sql
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

from foundation.binding import Prepare, preparer
from foundation.drivers import DriverText

M = TypeVar("M", bound=models.Model)

_MOST_ROWS = 256
_LENGTHS = (128, 64, 32, 16, 8, 4, 2, 1)
_MOST_PARAMETERS = 2048  # SQL Server takes 2,100
_SCALAR = -1


class _Slot(NamedTuple):
    """A place for a value, and the stand-in while compiling."""

    field: models.Field
    stand_in: Any
    prepared: Any


class _Statement:
    """A compiled text, and which of its parameters is replaced by which value."""

    def __init__(self, text: str, params: Sequence[Any], slots: Sequence[_Slot]) -> None:
        database = connections[DEFAULT_DB_ALIAS]
        self.text = text
        self.on_driver = DriverText(text, database)
        # psycopg's JSON wrapper equals nothing else: its content is compared.
        stand_ins = [_unwrapped(slot.prepared) for slot in slots]
        bare = [_unwrapped(param) for param in params]
        # Constants are numbered after the slots.
        self._constants = [param for param, one in zip(params, bare, strict=True) if one not in stand_ins]
        numbers = iter(range(len(slots), len(slots) + len(self._constants)))
        self._places = [stand_ins.index(one) if one in stand_ins else next(numbers) for one in bare]
        if sorted(self._places) != list(range(len(slots) + len(self._constants))):
            raise AssertionError(f"A value got lost in compiling: {text}")
        self._are_in_order = self._places == list(range(len(slots)))
        self._prepare = [preparer(slot.field, database, slot.field.get_db_prep_value) for slot in slots]

    def bind(self, values: Sequence[Any], database: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters for the driver, with `values` in the slots."""
        prepared = [prepare(value, database) for prepare, value in zip(self._prepare, values, strict=True)]
        if self._are_in_order:
            return prepared
        prepared += self._constants
        return [prepared[place] for place in self._places]


class _Rows(_Statement):
    """A compiled SELECT, and how its rows become tuples and instances."""

    def __init__(self, queryset: Any, slots: Sequence[_Slot]) -> None:
        compiler = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        text, params = compiler.as_sql()
        super().__init__(text, params, slots)
        self.model: type[models.Model] = queryset.model
        self.locks: bool = compiler.query.select_for_update
        # The columns after them are there only for the order.
        self._width: int | None = compiler.col_count if compiler.has_extra_select else None
        columns = [expression for expression, *_ in compiler.select]
        self._converters = [
            (place, convert, expression)
            for place, (converters, expression) in compiler.get_converters(columns).items()
            for convert in converters
        ]
        # A queryset has names of fields when it returns values, not when it returns instances.
        self._instances = _Instances(compiler) if queryset._fields is None else None

    def run(self, values: Sequence[Any], database: BaseDatabaseWrapper) -> list[tuple]:
        if self.locks and database.get_autocommit():
            raise TransactionManagementError("Rows are locked inside a transaction only.")
        rows = self.on_driver.rows(database, self.bind(values, database))
        return rows if self._width is None else [row[: self._width] for row in rows]

    def converted(self, row: tuple, database: BaseDatabaseWrapper) -> list[Any]:
        values = list(row)
        for place, convert, expression in self._converters:
            values[place] = convert(values[place], expression, database)
        return values

    def instance(self, row: tuple, database: BaseDatabaseWrapper) -> Any:
        if self._instances is None:
            raise TypeError("A query for values has no instances.")
        return self._instances.made_from(self.converted(row, database))


class _Instances:
    """How the values of a row become an instance, as `QuerySet` makes them: related ones and annotations included."""

    def __init__(self, compiler: Any) -> None:
        places = compiler.klass_info["select_fields"]
        self._model: type[models.Model] = compiler.klass_info["model"]
        self._columns = slice(places[0], places[-1] + 1)
        self._names = [expression.target.attname for expression, *_ in compiler.select[self._columns]]
        # The types are those of Django 6.1, which takes one argument more here.
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
    """Compiles at the first use with a kind of database and lists of certain lengths."""

    def __init__(self, fields: Sequence[models.Field]) -> None:
        self._fields = fields
        # By the kind of database, and the lengths of the lists or the number of single values.
        self._statements: dict[tuple[str, tuple[int, ...] | int], S] = {}

    def _bound(self, values: Sequence[Any]) -> tuple[S, Sequence[Any], BaseDatabaseWrapper]:
        """Return the statement for these values, the values one by one, and the database."""
        database = connections[DEFAULT_DB_ALIAS]
        are_lists = list in map(type, values)
        shape = (
            tuple([len(value) if type(value) is list else _SCALAR for value in values]) if are_lists else len(values)
        )
        key = (database.vendor, shape)
        statement = self._statements.get(key)
        if statement is None:
            compiled = self._compile(shape if isinstance(shape, tuple) else (_SCALAR,) * shape)
            statement = self._statements[key] = compiled
        if are_lists:
            values = [one for value in values for one in (value if type(value) is list else [value])]
        return statement, values, self._asked(statement, database)

    def _compile(self, shape: tuple[int, ...]) -> S:
        """Return the database that runs the statement.

        Raises:
            EmptyResultSet: no row could ever match; a list must not be empty.
            AssertionError: a value is not in the statement once, as it was given.
            TypeError: nothing can stand in for the values of a field.
        """
        raise NotImplementedError

    def _asked(self, statement: S, primary: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
        """Return the database that runs the statement."""
        return primary

    def _slots(self, shape: tuple[int, ...]) -> tuple[list[_Slot], list[Any]]:
        """Return the slots one by one, and the arguments of the function that builds the query."""
        slots: list[_Slot] = []
        arguments: list[Any] = []
        for field, length in zip(self._fields, shape, strict=True):
            added = [_slot(field, len(slots) + number) for number in range(abs(length))]
            slots += added
            stand_ins = [slot.stand_in for slot in added]
            arguments.append(stand_ins[0] if length == _SCALAR else stand_ins)
        return slots, arguments


class Select(_Compiled[_Rows], Generic[M]):
    """The rows of `build(*values)`, a queryset of instances or a `values_list()`.

    Args:
        may_be_behind: read where a queryset would read: from the replica, inside a function that is also marked so
            (`foundation.replica`).
    """

    def __init__(
        self, build: Callable[..., "models.QuerySet[M, Any]"], *fields: models.Field, may_be_behind: bool = False
    ) -> None:
        super().__init__(fields)
        self._build = build
        self._may_be_behind = may_be_behind

    def rows(self, *values: Any) -> list[tuple]:
        """Return the rows with columns as the database has them: cheapest where the columns are integers and texts."""
        statement, bound, database = self._bound(values)
        return statement.run(bound, database)

    def tuples(self, *values: Any) -> list[tuple]:
        """Return the rows with columns as the fields convert them."""
        statement, bound, database = self._bound(values)
        return [tuple(statement.converted(row, database)) for row in statement.run(bound, database)]

    def instances(self, *values: Any) -> list[M]:
        """Return the rows as instances, as `select_related()`, `defer()` and `annotate()` ask."""
        statement, bound, database = self._bound(values)
        return [statement.instance(row, database) for row in statement.run(bound, database)]

    def instance_or_new(self, *values: Any, new: Callable[[], M]) -> tuple[M, bool]:
        """Return the row, and whether it is new: where there is none, `new()` saves one, as `get_or_create()` does.

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

    def _asked(self, statement: _Rows, primary: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
        return connections[router.db_for_read(statement.model)] if self._may_be_behind else primary

    def _compile(self, shape: tuple[int, ...]) -> _Rows:
        slots, arguments = self._slots(shape)
        return _Rows(self._build(*arguments), slots)


class Update(_Compiled[_Statement]):
    """`UPDATE` for the rows of a queryset: `build(*values)` returns it, and the new value of each column.

    The field declared for a new value prepares it, not the column's own field: for a column of money written in minor
    units, declare an integer field. Expressions are allowed too.
    """

    def __init__(
        self, build: Callable[..., tuple["models.QuerySet[Any, Any]", Mapping[str, Any]]], *fields: models.Field
    ) -> None:
        super().__init__(fields)
        self._build = build

    def execute(self, *values: Any) -> int:
        """Run it; return how many rows matched."""
        statement, bound, database = self._bound(values)
        return statement.on_driver.count(database, statement.bind(bound, database))

    def execute_many(self, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each row of values, handed to the driver at once. Drivers do not agree on how many rows matched:
        read again what must have changed."""
        statement, _, database = self._bound(rows[0])
        statement.on_driver.many(database, [statement.bind(values, database) for values in rows])

    def _compile(self, shape: tuple[int, ...]) -> _Statement:
        slots, arguments = self._slots(shape)
        matching, columns = self._build(*arguments)
        query: sql.UpdateQuery = matching.query.chain(sql.UpdateQuery)  # type: ignore[assignment]
        query.add_update_values({name: _in_its_field(value, slots) for name, value in columns.items()})
        query.annotations = {}  # what they stand for is in the conditions by this point
        text, params = query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
        return _Statement(text, params, slots)


class Insert:
    """`INSERT` of n rows at once, for which the database returns no keys, or of one instance, for which it does.

    A field declared for a column, `amount=BigIntegerField()`, prepares the values instead of the column's own: for a
    column of money written in minor units, use an integer field.
    """

    def __init__(self, model: type[models.Model], field_names: Sequence[str] = (), **prepared_by: models.Field) -> None:
        """Take the columns, and the fields that prepare values in place of their own.

        Args:
            field_names: in the order of the values; if not given, all except a key that the database makes.
        """
        self._model = model
        by_name = {field.name: field for field in model._meta.concrete_fields}
        made = model._meta.auto_field
        names = field_names or [name for name, field in by_name.items() if field is not made]
        self._fields = [by_name[name] for name in names]
        if not prepared_by.keys() <= set(names):
            raise ValueError(f"Not among the fields: {sorted(prepared_by.keys() - set(names))}")
        self._prepared_by = [prepared_by.get(field.name, field) for field in self._fields]
        # Columns left out become NULL: SQL Server's drivers ask the server for the type of each parameter that is NULL.
        self._nullable = [
            place for place, field in enumerate(self._fields) if field.null and not field.has_db_default()
        ]
        self._most_at_once = min(_MOST_ROWS, _MOST_PARAMETERS // len(self._fields))
        self._statements: dict[tuple[str, int, tuple[int, ...], bool], _Inserted] = {}

    def execute(self, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the rows; each has the values of the fields in order, as attributes of the model would be."""
        start = 0
        while start < len(rows):
            # Few different lengths, so few statements to compile.
            length = next(size for size in (self._most_at_once, *_LENGTHS) if size <= len(rows) - start)
            self._execute(rows[start : start + length])
            start += length

    def _execute(self, rows: Sequence[Sequence[Any]]) -> None:
        database = connections[DEFAULT_DB_ALIAS]
        statement = self._statement(rows, database)
        statement.on_driver.count(database, statement.bind(rows, database))

    def save(self, instance: models.Model) -> None:
        """Insert an instance, which then has the key that the database made, as `Model.save()` does without signals."""
        database = connections[DEFAULT_DB_ALIAS]
        rows = [[field.pre_save(instance, True) for field in self._fields]]
        statement = self._statement(rows, database, with_key=True)
        ((key,),) = statement.on_driver.rows(database, statement.bind(rows, database))
        instance.pk = key
        instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS

    def _statement(
        self, rows: Sequence[Sequence[Any]], database: BaseDatabaseWrapper, *, with_key: bool = False
    ) -> "_Inserted":
        """Return the statement for this number of rows, in which the same columns are NULL.

        Raises:
            ValueError: a row has too few values, or too many.
        """
        for row in rows:
            if len(row) != len(self._fields):
                raise ValueError("A row is longer or shorter than the list of its fields.")
        left_out = tuple([place for place in self._nullable if all([row[place] is None for row in rows])])
        key = (database.vendor, len(rows), left_out, with_key)
        statement = self._statements.get(key)
        if statement is None:
            statement = self._statements[key] = self._compile(len(rows), left_out, database, with_key=with_key)
        return statement

    def _compile(
        self, length: int, left_out: Sequence[int], database: BaseDatabaseWrapper, *, with_key: bool
    ) -> "_Inserted":
        places = [place for place in range(len(self._fields)) if place not in left_out]
        fields = [self._fields[place] for place in places]
        query = sql.InsertQuery(self._model)
        query.insert_values(fields, [self._model(**{field.attname: None for field in fields}) for _ in range(length)])
        compiler = query.get_compiler(using=DEFAULT_DB_ALIAS)
        compiler.returning_fields = [self._model._meta.pk] if with_key else None
        statements = compiler.as_sql()
        if len(statements) != 1:
            raise AssertionError("The rows do not go into one statement.")
        text, params = statements[0]
        # PostgreSQL may take one array for each column (UNNEST) instead of one value for each cell.
        is_by_column = length > 1 and len(params) == len(fields)
        if not is_by_column and len(params) != len(fields) * length:
            raise AssertionError(f"Unknown layout of parameters: {text}")
        columns = [
            (place, preparer(self._prepared_by[place], database, self._prepared_by[place].get_db_prep_save))
            for place in places
        ]
        return _Inserted(text, columns, is_by_column=is_by_column)


class _Inserted:
    """A compiled INSERT: which columns of a row it takes, how each is prepared, and in which layout."""

    def __init__(self, text: str, columns: Sequence[tuple[int, Prepare]], *, is_by_column: bool) -> None:
        self.text = text
        self.on_driver = DriverText(text, connections[DEFAULT_DB_ALIAS])
        self.is_by_column = is_by_column
        self._columns = columns

    def bind(self, rows: Sequence[Sequence[Any]], database: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters for the driver."""
        if self.is_by_column:
            return [[prepare(row[place], database) for row in rows] for place, prepare in self._columns]
        return [prepare(row[place], database) for row in rows for place, prepare in self._columns]


def _in_its_field(value: Any, slots: Sequence[_Slot]) -> Any:
    """Return a stand-in with the field that was declared for it; return anything else unchanged."""
    return next((models.Value(value, slot.field) for slot in slots if slot.stand_in is value), value)


# --- Stand-ins ----------------------------------------------------------------------------------------------


def _slot(field: models.Field, number: int) -> _Slot:
    field = getattr(field, "target_field", field)  # a foreign key takes what the key that it points at takes
    for stand_in in _stand_ins(field, number):
        if _is_of_its_type(field, stand_in):
            return _Slot(
                field, stand_in, field.get_db_prep_value(stand_in, connections[DEFAULT_DB_ALIAS], prepared=False)
            )
    raise TypeError(f"Nothing can stand in for a value of {field!r}.")


def _stand_ins(field: models.Field, number: int) -> Iterator[Any]:
    """Return values of each type, too odd to be one of our literals."""
    _, most = BaseDatabaseOperations.integer_field_ranges.get(field.get_internal_type(), (0, 10**16))
    yield most // 13 * 10 + number
    yield Decimal(7_700_000_001 + number)
    yield f"<a value for slot {number}>"
    yield UUID(int=7_700_000_000_000_001 + number)
    yield datetime(7007, 7, 7, tzinfo=UTC) + timedelta(microseconds=number)
    yield date(7007, 7, 7) + timedelta(days=number)


def _unwrapped(param: Any) -> Any:
    return getattr(param, "obj", param)


def _is_of_its_type(field: models.Field, value: Any) -> bool:
    """Return whether the field takes values of this type unchanged."""
    try:
        return type(field.to_python(value)) is type(value)
    except (TypeError, ValidationError):
        return False
