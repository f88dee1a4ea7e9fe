import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

import accounts.money


class Migration(migrations.Migration):
    """What savings have earned and have not been paid (R9.2)."""

    dependencies = [
        ("accounts", "0011_api_sessions"),
        ("transfers", "0012_decision_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavingsInterest",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="savings_interest",
                        serialize=False,
                        to="accounts.bankaccount",
                    ),
                ),
                ("accrued_through", models.DateField()),
                ("accrued", accounts.money.MoneyField(default=Decimal(0))),
                ("accrued_micro", models.IntegerField(default=0)),
                ("due", accounts.money.MoneyField(default=Decimal(0))),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(accrued_micro__gte=0, accrued_micro__lt=1_000_000),
                        name="savings_interest_micro",
                    ),
                    models.CheckConstraint(condition=models.Q(due__gte=Decimal(0)), name="savings_interest_due"),
                ],
            },
        ),
    ]
