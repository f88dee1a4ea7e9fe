from django.db import migrations, models


class Migration(migrations.Migration):
    """What the staff's lists of tickets and requests are sorted by (R5.4)."""

    dependencies = [("support", "0002_roles")]

    operations = [
        migrations.AddIndex("ticket", models.Index(fields=["created_at"], name="ticket_created")),
        migrations.AddIndex("servicerequest", models.Index(fields=["created_at"], name="service_request_created")),
    ]
