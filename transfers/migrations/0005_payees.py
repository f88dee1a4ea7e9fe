import uuid
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Max, Min

_CUSTOMERS_AT_ONCE = 500
_ROWS_AT_ONCE = 200  # seven columns each: within SQL Server's 2,100 parameters


def remember_whom_customers_have_paid(apps: Any, schema_editor: Any) -> None:
    """One payee for each customer and account that a payment of theirs has reached, a few hundred customers at a
    time. A payment without a transaction is still held, or was rejected: it makes nobody known."""
    alias = schema_editor.connection.alias
    orders = apps.get_model("transfers", "TransferOrder").objects.using(alias)
    payee_model = apps.get_model("transfers", "Payee")
    paid = orders.filter(kind="payment", transaction__isnull=False)
    customers = paid.order_by("initiator_id").values_list("initiator_id", flat=True).distinct()
    last = 0
    while chunk := list(customers.filter(initiator_id__gt=last)[:_CUSTOMERS_AT_ONCE]):
        groups = (
            paid.filter(initiator_id__gt=last, initiator_id__lte=chunk[-1])
            .order_by("initiator_id", "target_id")
            .values_list("initiator_id", "target_id")
            .annotate(first=Min("transaction__created_at"), latest=Max("transaction__created_at"))
        )
        payees = [
            payee_model(customer_id=customer, account_id=account, first_paid_at=first, last_paid_at=latest)
            for customer, account, first, latest in groups
        ]
        payee_model.objects.using(alias).bulk_create(payees, batch_size=_ROWS_AT_ONCE)
        last = chunk[-1]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_email_change"),
        ("transfers", "0004_index_for_sums"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="transferorder",
            name="kind",
            field=models.CharField(
                choices=[
                    ("deposit", "Deposit"),
                    ("withdrawal", "Withdrawal"),
                    ("own", "Transfer between own accounts"),
                    ("payment", "Transfer"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="Payee",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("label", models.CharField(blank=True, max_length=60)),
                ("first_paid_at", models.DateTimeField()),
                ("last_paid_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.bankaccount"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="payees",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("customer", "account"), name="payee_once")],
                "indexes": [models.Index(fields=["customer", "last_paid_at"], name="payee_customer_latest")],
            },
        ),
        migrations.RunPython(remember_whom_customers_have_paid, migrations.RunPython.noop),
    ]
