from django.db import migrations, models


class Migration(migrations.Migration):
    """When somebody last changed something, so that a replica that is behind does not hide it from them."""

    dependencies = [
        ("accounts", "0011_api_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="usersession",
            name="wrote_at",
            field=models.DateTimeField(null=True),
        ),
    ]
