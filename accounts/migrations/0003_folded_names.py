from typing import Any

from django.db import migrations, models

from foundation.text import folded

_ROWS_AT_ONCE = 2_000
_WRITTEN_AT_ONCE = 200  # five parameters each, and SQL Server takes 2,100
_MAX_CHARS = 200


def fold_what_is_there(apps: Any, schema_editor: Any) -> None:
    rows, last = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias), 0
    while batch := list(rows.filter(pk__gt=last).only("first_name", "last_name").order_by("pk")[:_ROWS_AT_ONCE]):
        last = batch[-1].pk
        for user in batch:
            user.folded_first_name = folded(user.first_name, _MAX_CHARS)
            user.folded_last_name = folded(user.last_name, _MAX_CHARS)
        rows.bulk_update(batch, ["folded_first_name", "folded_last_name"], batch_size=_WRITTEN_AT_ONCE)


class Migration(migrations.Migration):
    """Staff find people without accents and case, on every engine alike (R5.6)."""

    dependencies = [("accounts", "0002_roles")]

    operations = [
        migrations.AddField(
            "user",
            "folded_first_name",
            models.CharField(db_index=True, default="", editable=False, max_length=_MAX_CHARS),
            preserve_default=False,
        ),
        migrations.AddField(
            "user",
            "folded_last_name",
            models.CharField(blank=True, db_index=True, default="", editable=False, max_length=_MAX_CHARS),
            preserve_default=False,
        ),
        migrations.RunPython(fold_what_is_there, migrations.RunPython.noop),
        migrations.AlterField("user", "first_name", models.CharField(max_length=100)),
        migrations.AlterField("user", "last_name", models.CharField(blank=True, max_length=100)),
    ]
