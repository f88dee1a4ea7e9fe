from django.db import migrations, models


class Migration(migrations.Migration):
    """What the staff's list of tickets is sorted by while it is filtered by status (R5.4)."""

    dependencies = [("support", "0003_indexes_for_lists")]

    operations = [
        migrations.AddIndex("ticket", models.Index(fields=["status", "created_at"], name="ticket_status_created")),
    ]
