"""A new fraud rule takes no migration: the program lists the rules, not the database (R3.10)."""

import transfers.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("transfers", "0009_names_on_orders"),
    ]

    operations = [
        migrations.AlterField(
            model_name="fraudalert",
            name="rule",
            field=models.CharField(choices=transfers.models.rule_choices, max_length=20),
        ),
    ]
