from django.db import migrations, models

from accounts.roles import GRANTS, grant


class Migration(migrations.Migration):
    """What administrators may do to people and accounts, and when that makes payments wait (R1.5, R1.8, R5.1)."""

    dependencies = [("accounts", "0006_audit_blocks_seen")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("lock_user", "Can lock people out"),
                    ("unlock_user", "Can let locked people in again"),
                    ("change_role", "Can give people another role"),
                    ("edit_user", "Can edit people's names, addresses and whether they are active"),
                ]
            },
        ),
        migrations.AlterModelOptions(
            name="bankaccount",
            options={
                "permissions": [
                    ("freeze_account", "Can freeze customers' accounts"),
                    ("unfreeze_account", "Can unfreeze customers' accounts"),
                ]
            },
        ),
        migrations.AddField(
            model_name="user",
            name="hardened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
    ]
