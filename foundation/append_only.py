"""Rows that are written once and never again: at model, queryset and database depth (R3.1, R6.2).

The admin is the fourth depth (`foundation.admin.read_only.ReadOnlyAdmin`). The triggers stop what the ORM never sees:
raw SQL, a console, another program. `append_only_triggers()` makes them in a migration, and a database check reports a
missing one (on SQLite, Django's AlterField silently drops them).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from django.apps import apps
from django.core import checks
from django.db import connections, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper


class AppendOnlyError(TypeError):
    """Something tried to change or delete a row that is written once."""


class AppendOnlyQuerySet(models.QuerySet):
    def _refuse(self) -> NoReturn:
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed or deleted.")

    def update(self, **kwargs: Any) -> NoReturn:
        self._refuse()

    def delete(self) -> NoReturn:
        self._refuse()

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def update_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def _raw_delete(self, using: str | None) -> NoReturn:
        self._refuse()

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        if any(kwargs.get(option) for option in ("update_conflicts", "ignore_conflicts")) or args[1:]:
            self._refuse()
        return super().bulk_create(objs, *args, **kwargs)


class AppendOnlyModel(models.Model):
    """A row that can be inserted and read, and nothing else."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} rows are never changed.")
        # An explicit INSERT: for a key that exists already, plain save() would try an UPDATE.
        super().save(force_insert=True, using=kwargs.get("using"))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted.")


def append_only_models() -> list[type[AppendOnlyModel]]:
    return [model for model in apps.get_models() if issubclass(model, AppendOnlyModel)]


def trigger_names(vendor: str, table: str) -> list[str]:
    """Return names of the triggers that `create_sql` makes for `table`."""
    events = {
        "sqlite": ["update", "delete"],
        "postgresql": ["change", "truncate"],
        "microsoft": ["change"],
    }
    return [f"{table}_no_{event}" for event in events[vendor]]


def create_sql(vendor: str, table: str) -> list[str]:
    """Return the statements that make `table` append-only on one engine.

    SQLite also needs `PRAGMA recursive_triggers=ON` (the settings set it), or REPLACE deletes without firing a trigger.
    SQL Server has no BEFORE trigger: INSTEAD OF refuses, and INSERT with OUTPUT still works since no INSERT trigger
    exists. The application's login there must not have the ALTER right (docs/architecture.md).
    """
    message = _message(table)
    if vendor == "sqlite":
        return [
            f'CREATE TRIGGER "{table}_no_{event}" BEFORE {event.upper()} ON "{table}" '
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for event in ("update", "delete")
        ]
    if vendor == "postgresql":
        return [
            f'CREATE OR REPLACE FUNCTION "{table}_refuse"() RETURNS trigger LANGUAGE plpgsql AS '
            f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
            f'CREATE TRIGGER "{table}_no_change" BEFORE UPDATE OR DELETE ON "{table}" '
            f'FOR EACH ROW EXECUTE FUNCTION "{table}_refuse"()',
            f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON "{table}" '
            f'FOR EACH STATEMENT EXECUTE FUNCTION "{table}_refuse"()',
        ]
    if vendor == "microsoft":
        return [
            f"CREATE TRIGGER [{table}_no_change] ON [{table}] INSTEAD OF UPDATE, DELETE AS "
            f"BEGIN THROW 50001, '{message}', 1; END"
        ]
    raise NotImplementedError(f"No append-only triggers are written for {vendor}.")


def _message(table: str) -> str:
    return f"{table} is append-only"


def drop_sql(vendor: str, table: str) -> list[str]:
    """Return the statements that undo `create_sql`, for the way back of a migration and for tests that tamper."""
    if vendor == "postgresql":
        return [
            *(f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"' for name in trigger_names(vendor, table)),
            f'DROP FUNCTION IF EXISTS "{table}_refuse"()',
        ]
    quote = "[{}]" if vendor == "microsoft" else '"{}"'
    return [f"DROP TRIGGER IF EXISTS {quote.format(name)}" for name in trigger_names(vendor, table)]


def append_only_triggers(app_label: str, *model_names: str) -> migrations.RunPython:
    """Return a migration operation that makes the tables of these models append-only; reversed, it undoes that."""

    def run(schema_editor: Any, historical_apps: Any, make_sql: Any) -> None:
        for model_name in model_names:
            table = historical_apps.get_model(app_label, model_name)._meta.db_table
            for statement in make_sql(schema_editor.connection.vendor, table):
                schema_editor.execute(statement)

    return migrations.RunPython(
        lambda historical_apps, schema_editor: run(schema_editor, historical_apps, create_sql),
        lambda historical_apps, schema_editor: run(schema_editor, historical_apps, drop_sql),
    )


@contextmanager
def triggers_lifted(schema_editor: Any, table: str) -> Iterator[None]:
    """Lift the triggers while a migration fills a new column of existing rows. They are back when the transaction ends,
    however it ends."""
    vendor = schema_editor.connection.vendor
    for statement in drop_sql(vendor, table):
        schema_editor.execute(statement)
    yield
    for statement in create_sql(vendor, table):
        schema_editor.execute(statement)


# Name and text of each trigger that is switched on: a trigger of the right name may have a harmless text.
_STANDING_TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'",
    "microsoft": "SELECT name, OBJECT_DEFINITION(object_id) FROM sys.triggers WHERE is_disabled = 0",
}


def missing_triggers(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the append-only triggers that this database should have and lacks; tables that do not exist yet are left
    out."""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(_STANDING_TRIGGERS[connection.vendor])
        standing = dict(cursor.fetchall())
    return [
        name
        for model in append_only_models()
        if model._meta.db_table in tables
        for name in trigger_names(connection.vendor, model._meta.db_table)
        if f"'{_message(model._meta.db_table)}'" not in (standing.get(name) or "")
    ]


def check_triggers_stand(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that every append-only trigger exists: `manage.py check --database default`."""
    return [
        checks.Error(
            f"The append-only trigger {name} is missing from the database '{alias}'.",
            hint="Rows that must never change can be changed. Find out who dropped it, then recreate it.",
            id="audit.E001",
        )
        for alias in databases or []
        for name in missing_triggers(connections[alias])
    ]
