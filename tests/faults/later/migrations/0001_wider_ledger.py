from typing import Any

from django.db import migrations, models

_INDEX = models.Index(fields=["posted_at", "amount"], name="later_entry_posted_amount")


def _column() -> models.CharField:
    column = models.CharField(max_length=20, null=True)  # noqa: DJ001 - no row is written anew for it
    column.set_attributes_from_name("later_note")
    return column


def widen(apps: Any, schema_editor: Any) -> None:
    schema_editor.add_field(apps.get_model("transfers", "Transaction"), _column())
    schema_editor.add_index(apps.get_model("transfers", "Entry"), _INDEX)


def narrow(apps: Any, schema_editor: Any) -> None:
    schema_editor.remove_index(apps.get_model("transfers", "Entry"), _INDEX)
    transaction, column = apps.get_model("transfers", "Transaction"), _column()
    column.model = transaction
    schema_editor.remove_field(transaction, column)


class Migration(migrations.Migration):
    """An index over all entries and a column of each transaction: both lock the tables that every payment writes."""

    dependencies = [("transfers", "0009_names_on_orders")]

    operations = [migrations.RunPython(widen, narrow)]
