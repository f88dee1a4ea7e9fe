import django.db.models.deletion
from django.db import migrations, models


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
    ]
