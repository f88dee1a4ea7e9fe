from django.db import migrations

from accounts.roles import GRANTS, grant


class Migration(migrations.Migration):
    """Auditors and administrators see the blocks of the audit log (R6.3)."""

    dependencies = [("accounts", "0005_pin"), ("audit", "0003_blocks")]

    operations = [migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop)]
