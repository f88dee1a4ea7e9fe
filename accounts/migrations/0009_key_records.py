from django.db import migrations, models


class Migration(migrations.Migration):
    """The keys that the bank has used, each with a value that tells another key of the same name (R8.1)."""

    dependencies = [("accounts", "0008_indexes_for_lists")]

    operations = [
        migrations.CreateModel(
            name="KeyRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ring", models.CharField(max_length=20)),
                ("kid", models.CharField(max_length=8)),
                ("check_value", models.CharField(max_length=64)),
                ("first_used_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("ring", "kid"), name="key_record_kid")],
            },
        ),
    ]
