from decimal import Decimal

import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import migrations, models


def refuse_less_than_none(apps, schema_editor):
    """On the way back: the version before keeps no interest that was paid too much, and would forget it."""
    rows = apps.get_model("transfers", "SavingsInterest").objects.using(schema_editor.connection.alias)
    overpaid = rows.filter(due__lt=Decimal(0)).count()
    if overpaid:
        raise CommandError(
            f"Savings accounts that were paid too much interest, to be set against their next: {overpaid}. The version "
            "before cannot keep that, so this migration is not undone. Stay with this version until they are settled."
        )


class Migration(migrations.Migration):
    dependencies = [("transfers", "0006_folded_text")]

    operations = [
        migrations.CreateModel(
            name="CountedRates",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("digest", models.CharField(max_length=64, unique=True)),
            ],
        ),
        # What was paid too much, and could not be taken back, is less than nothing that is due.
        migrations.RemoveConstraint("savingsinterest", "savings_interest_due"),
        migrations.AddField("savingsinterest", "reversals_to", models.BigIntegerField(default=0)),
        migrations.AddField(
            "savingsinterest",
            "counted_by",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="transfers.countedrates",
            ),
        ),
        # The last, and so the first on the way back, where the constraint would fail without a word of why.
        migrations.RunPython(migrations.RunPython.noop, refuse_less_than_none),
    ]
