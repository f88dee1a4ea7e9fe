from typing import Any

from django.db import migrations, models

_INDEX = models.Index(fields=["posted_at", "amount"], name="later_entry_posted_amount")


def add(apps: Any, schema_editor: Any) -> None:
    schema_editor.add_index(apps.get_model("transfers", "Entry"), _INDEX)


def remove(apps: Any, schema_editor: Any) -> None:
    schema_editor.remove_index(apps.get_model("transfers", "Entry"), _INDEX)


class Migration(migrations.Migration):
    """An index over every entry; apart from the one before, since a transaction that locks two tables in turn could
    wait for a payment that waits for it."""

    dependencies = [("later", "0001_note_of_a_transaction")]

    operations = [migrations.RunPython(add, remove)]
