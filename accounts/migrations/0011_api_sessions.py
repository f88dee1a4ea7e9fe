import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Sessions of the API beside those of the pages, and the refresh tokens by which they go on (R7.1)."""

    dependencies = [
        ("accounts", "0010_devices_and_enrolment_links"),
    ]

    operations = [
        migrations.AddField(
            model_name="usersession",
            name="kind",
            field=models.CharField(choices=[("pages", "Pages"), ("api", "API")], default="pages", max_length=5),
        ),
        migrations.CreateModel(
            name="ApiRefreshToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("jti_digest", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refresh_tokens",
                        to="accounts.usersession",
                    ),
                ),
            ],
        ),
    ]
