from typing import Any

from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Concat, Lower

from foundation.append_only import triggers_lifted
from foundation.text import folded

_ROWS_AT_ONCE = 2_000
_WRITTEN_AT_ONCE = 200  # three parameters each, and SQL Server takes 2,100
_MAX_CHARS = 300


def fold_what_is_there(apps: Any, schema_editor: Any) -> None:
    """By the database where the text is ASCII, which it folds by itself; the others are read and folded here."""
    model = apps.get_model("transfers", "Transaction")
    rows = model.objects.using(schema_editor.connection.alias)
    with triggers_lifted(schema_editor, model._meta.db_table):
        rows.update(search_text=Lower(Concat("reference", Value("\n"), "description")))
        last = None
        while batch := list((rows.filter(pk__gt=last) if last else rows).order_by("pk")[:_ROWS_AT_ONCE]):
            last = batch[-1].pk
            others = [row for row in batch if not row.description.isascii() or "`" in row.description]
            for row in others:
                row.search_text = folded(f"{row.reference}\n{row.description}", _MAX_CHARS)
            rows.bulk_update(others, ["search_text"], batch_size=_WRITTEN_AT_ONCE)


class Migration(migrations.Migration):
    """Searches in histories fold accents and case, on every engine alike (R3.7)."""

    dependencies = [("transfers", "0005_cancelled_and_expired")]

    operations = [
        migrations.AddField("transaction", "search_text", models.CharField(max_length=_MAX_CHARS, null=True)),
        migrations.RunPython(fold_what_is_there, migrations.RunPython.noop),
    ]
