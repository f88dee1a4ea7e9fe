from typing import Any

from django.db import migrations


def _columns(apps: Any) -> tuple[Any, Any, Any]:
    """The model, its column as it is, and as it is to be."""
    user = apps.get_model("accounts", "User")
    present = user._meta.get_field("first_name")
    longer = present.clone()
    longer.max_length = present.max_length + 50
    longer.set_attributes_from_name("first_name")
    longer.model = user
    return user, present, longer


def widen(apps: Any, schema_editor: Any) -> None:
    user, present, longer = _columns(apps)
    schema_editor.alter_field(user, present, longer)


def narrow(apps: Any, schema_editor: Any) -> None:
    user, present, longer = _columns(apps)
    schema_editor.alter_field(user, longer, present)


class Migration(migrations.Migration):
    """Another type for a column that every request reads, by statements which were prepared for the old one."""

    dependencies = [("later", "0002_index_of_entries"), ("accounts", "0005_second_administrator")]

    operations = [migrations.RunPython(widen, narrow)]
