from django.db import migrations, models
from django.db.models import Q

from accounts.roles import GRANTS, grant


class Migration(migrations.Migration):
    """What the staff's lists of people and accounts are sorted, filtered and searched by (R5.4), and who may
    download the audit log (R6.4).
    """

    dependencies = [("accounts", "0007_staff_acts"), ("audit", "0004_export")]

    operations = [
        migrations.AlterField("user", "first_name", models.CharField(db_index=True, max_length=100)),
        migrations.AlterField("user", "last_name", models.CharField(blank=True, db_index=True, max_length=100)),
        migrations.AddIndex("user", models.Index(fields=["created_at"], name="user_created")),
        migrations.AddIndex("user", models.Index(fields=["is_active", "created_at"], name="user_active_created")),
        migrations.AddIndex(
            "user", models.Index(fields=["locked_at"], name="user_locked", condition=Q(locked_at__isnull=False))
        ),
        migrations.AddIndex("bankaccount", models.Index(fields=["opened_at"], name="bank_account_opened")),
        migrations.AddIndex(
            "bankaccount", models.Index(fields=["status", "opened_at"], name="bank_account_status_opened")
        ),
        migrations.AddIndex("bankaccount", models.Index(fields=["kind", "opened_at"], name="bank_account_kind_opened")),
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
    ]
