from django.db import migrations, models


class Migration(migrations.Migration):
    """What the staff's list of fraud alerts is sorted by (R5.4)."""

    dependencies = [("transfers", "0008_indexes_for_lists")]

    operations = [
        migrations.AddIndex("fraudalert", models.Index(fields=["created_at"], name="fraud_alert_created")),
    ]
