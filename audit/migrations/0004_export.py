from django.db import migrations


class Migration(migrations.Migration):
    """Downloading the log is a permission of its own (R6.4); `accounts` grants it."""

    dependencies = [("audit", "0003_blocks")]

    operations = [
        migrations.AlterModelOptions(
            name="auditentry",
            options={
                "base_manager_name": "objects",
                "permissions": [("export_auditentry", "Can download the audit log")],
                "verbose_name_plural": "audit entries",
            },
        ),
    ]
