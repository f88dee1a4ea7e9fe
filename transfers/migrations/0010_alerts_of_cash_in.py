from django.db import migrations, models


class Migration(migrations.Migration):
    """An alert may also be of much cash that was paid in at the counter (R3.10); the column stays as it is."""

    dependencies = [("transfers", "0009_fraud_alerts_by_time")]

    operations = [
        migrations.AlterField(
            "fraudalert",
            "rule",
            models.CharField(
                choices=[
                    ("large_amount", "Large amount"),
                    ("many_payments", "Many payments in an hour"),
                    ("suspicious_amount", "Suspicious amount"),
                    ("counter_deposit", "Much cash paid in at the counter"),
                ],
                max_length=20,
            ),
        ),
    ]
