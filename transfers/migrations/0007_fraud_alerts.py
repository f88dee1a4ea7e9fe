import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from accounts.roles import grant
from transfers.roles import GRANTS


class Migration(migrations.Migration):
    """What the fraud rules say, and the index by which they count a customer's payments of an hour (R3.10)."""

    dependencies = [
        ("accounts", "0007_staff_acts"),
        ("transfers", "0006_staff_acts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FraudAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("large_amount", "Large amount"),
                            ("many_payments", "Many payments in an hour"),
                            ("suspicious_amount", "Suspicious amount"),
                        ],
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=6),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=300)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closed_alerts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="transfers.transferorder",
                    ),
                ),
            ],
            options={
                "permissions": [("close_fraud_alert", "Can close fraud alerts")],
                "constraints": [
                    models.UniqueConstraint(fields=("order", "rule"), name="fraud_alert_once"),
                    models.CheckConstraint(
                        name="fraud_alert_closed_by_somebody",
                        condition=Q(state="open", closed_by__isnull=True, closed_at__isnull=True)
                        | Q(state="closed", closed_by__isnull=False, closed_at__isnull=False),
                    ),
                ],
                "indexes": [
                    models.Index(fields=["created_at"], name="fraud_alert_open", condition=Q(state="open")),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="transferorder",
            index=models.Index(fields=["source", "created_at"], name="order_source_created"),
        ),
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
    ]
