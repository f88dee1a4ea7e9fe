from django.db import migrations

from accounts.roles import GRANTS, grant


class Migration(migrations.Migration):
    """The four roles as groups (R1.7)."""

    dependencies = [
        ("accounts", "0001_people_and_bank_accounts"),
        ("audit", "0001_audit_log"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    # Going back leaves the groups: users may be in them.
    operations = [migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop)]
