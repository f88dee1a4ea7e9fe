from typing import Any

from django.db import migrations, models


def _column() -> models.CharField:
    column = models.CharField(max_length=20, null=True)
    column.set_attributes_from_name("later_note")
    return column


def add(apps: Any, schema_editor: Any) -> None:
    schema_editor.add_field(apps.get_model("transfers", "Transaction"), _column())


def remove(apps: Any, schema_editor: Any) -> None:
    schema_editor.remove_field(apps.get_model("transfers", "Transaction"), _column())


class Migration(migrations.Migration):
    """A column of every transaction, which no row is written anew for."""

    dependencies = [("transfers", "0009_names_on_orders")]

    operations = [migrations.RunPython(add, remove)]
