"""An index or a constraint that SQL Server refuses, or that its backend silently leaves out, is caught (issue 7, Shows
1)."""

import re
from typing import Any

import pytest
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.test.utils import isolate_apps

from tests.mssql.catalog import ServerError
from tests.mssql.ddl_rules import ddl_faults, missing
from tests.mssql.pretended import pretended
from tests.mssql.rules import faults


def found_in(**meta: Any) -> str:
    """Return the findings when a table with this Meta is made."""
    with isolate_apps("transfers"), pretended(2022) as connection:

        class Thing(models.Model):  # noqa: DJ008 - nobody reads its rows
            name = models.CharField(max_length=100)
            note = models.CharField(max_length=1000, null=True)  # noqa: DJ001 - that it may be NULL is the point
            text = models.TextField()
            number = models.IntegerField()

            class Meta:
                app_label = "transfers"

        for name, value in meta.items():
            setattr(Thing._meta, name, value)
        with connection.schema_editor() as editor:
            editor.create_model(Thing)
        sent = connection.server.sent
        found = [fault for text, values in sent for fault in faults(text, values)]
        return "\n".join(found + ddl_faults(connection.server.catalog) + missing(connection.server.catalog, [Thing]))


def index(*fields: Any, **options: Any) -> dict[str, Any]:
    return {"indexes": [models.Index(*fields, name="thing_bad", **options)]}


def unique(*fields: Any, **options: Any) -> dict[str, Any]:
    return {"constraints": [models.UniqueConstraint(*fields, name="thing_bad", **options)]}


@pytest.mark.parametrize(
    ("meta", "fault"),
    [
        (index(fields=["number"], condition=Q(name="a") | Q(number=1)), "condition that no filtered index takes"),
        (index(fields=["number"], condition=~Q(name="a")), "condition that no filtered index takes"),
        (index(fields=["number"], condition=Q(name__startswith="a")), "condition that no filtered index takes"),
        (index(fields=["number"], condition=Q(number=models.F("id"))), "condition that no filtered index takes"),
        (unique(fields=["number"], condition=Q(number__gt=1) & ~Q(name="a")), "condition that no filtered index takes"),
        (index(fields=["note"]), "thing_bad has a key of 2000 bytes"),
        (index(fields=["name", "note"]), "thing_bad has a key of 2200 bytes"),
        (index(fields=["text"]), "thing_bad has a column that can be in no key"),
        (unique(fields=["text"]), "thing_bad has a column that can be in no key"),
        (unique(fields=["note"]), "thing_bad lets note be NULL in one row only"),
        (unique(fields=["name"], condition=Q(number=1), nulls_distinct=True), "thing_bad is not there"),
        (unique(Lower("name")), "thing_bad is not there"),
        (unique(fields=["name"], deferrable=models.Deferrable.DEFERRED), "thing_bad is not there"),
        (index(fields=["name"], include=["note"]), ""),
        (index(fields=["-number", "name"], condition=Q(number__gt=1, name__in=["a", "b"], note=None)), ""),
        (unique(fields=["number", "name"]), ""),
        (unique(fields=["number"], condition=Q(name="a")), ""),
        ({"unique_together": [["number", "name"]]}, ""),
    ],
)
def test_a_bad_index_or_constraint_is_caught_and_a_good_one_is_not(meta: dict[str, Any], fault: str) -> None:
    found = found_in(**meta)
    assert (fault in found) if fault else (found == "")


def test_an_index_over_an_expression_is_caught() -> None:
    with pytest.raises(ServerError) as error:
        found_in(**index(Lower("name")))
    assert "thing_bad" in str(error.value)


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        (models.CharField(max_length=4001), "bad is longer than 4000 characters"),
        (models.TextField(unique=True), "has a column that can be in no key"),
        (models.CharField(max_length=851, unique=True), "has a key of 1702 bytes"),
        (models.CharField(max_length=451, primary_key=True), "has a key of 902 bytes"),
        (models.IntegerField(db_column="x" * 129), "is too long"),
        (models.CharField(max_length=850, unique=True, null=True), ""),
        (models.CharField(max_length=4000), ""),
    ],
)
def test_a_bad_column_is_caught_and_a_good_one_is_not(field: models.Field, fault: str) -> None:
    with isolate_apps("transfers"), pretended(2019) as connection:
        thing: Any = type(
            "Thing",
            (models.Model,),
            {"bad": field, "__module__": __name__, "Meta": type("Meta", (), {"app_label": "transfers"})},
        )
        with connection.schema_editor() as editor:
            editor.create_model(thing)
        found = "\n".join(ddl_faults(connection.server.catalog) + missing(connection.server.catalog, [thing]))
    assert (fault in found) if fault else (found == "")


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("ALTER TABLE [t] DROP COLUMN [a]", "t_a depend on it"),
        ("ALTER TABLE [t] ALTER COLUMN [a] int NOT NULL", "t_a depend on it"),
        ("ALTER TABLE [t] ALTER COLUMN [a] nvarchar(5) NOT NULL", "t_a depend on it"),
        ("ALTER TABLE [t] ALTER COLUMN [a] nvarchar(20) NULL", "t_a depend on it"),
        ("ALTER TABLE [t] DROP CONSTRAINT [t_a]", "no constraint t_a"),
        ("ALTER TABLE [t] ADD [a] int NULL", "has a column a already"),
        ("ALTER TABLE [t] ADD CONSTRAINT [t_b_check] CHECK ([b] > 0)", "is a t_b_check already"),
        ("ALTER TABLE [t] ADD CONSTRAINT [t_fk] FOREIGN KEY ([a]) REFERENCES [t] ([id])", "ties columns of two types"),
        ("CREATE INDEX [t_a] ON [t] ([b])", "is a t_a already"),
        ("CREATE INDEX [t_c] ON [t] ([c])", "has no column c"),
        ("DROP INDEX [t_b] ON [t]", "has no index t_b"),
        ("DROP INDEX [t_a] ON [s]", "no table s"),
        ("CREATE TABLE [t] ([id] int NOT NULL)", "is a table t already"),
        ("EXEC sp_rename '[t].[a]', [b], 'COLUMN'", "has a column b already"),
    ],
)
def test_a_change_that_the_server_would_refuse_now_is_refused(statement: str, refusal: str) -> None:
    with pretended(2022) as connection:
        catalog = connection.server.catalog
        assert catalog.statement(
            "CREATE TABLE [t] ([id] bigint NOT NULL PRIMARY KEY IDENTITY (1, 1), [a] nvarchar(10) NOT NULL, "
            "[b] int NOT NULL CONSTRAINT t_b_check CHECK ([b] >= 0))"
        )
        assert catalog.statement("CREATE INDEX [t_a] ON [t] ([a])")
        with pytest.raises(ServerError, match=re.escape(refusal)):
            catalog.statement(statement)


def test_a_longer_text_and_another_name_make_no_trouble_under_an_index() -> None:
    with pretended(2022) as connection:
        catalog = connection.server.catalog
        for statement in (
            "CREATE TABLE [t] ([a] nvarchar(10) NOT NULL)",
            "CREATE INDEX [t_a] ON [t] ([a])",
            "ALTER TABLE [t] ALTER COLUMN [a] nvarchar(20) NOT NULL",
            "EXEC sp_rename '[t].[a]', [b], 'COLUMN'",
            "EXEC sp_rename [t], [u]",
        ):
            assert catalog.statement(statement)
        assert catalog.tables["u"].columns == {"b": "nvarchar(20) NOT NULL"}
        assert catalog.tables["u"].parts["t_a"]["columns"] == ["b"]
