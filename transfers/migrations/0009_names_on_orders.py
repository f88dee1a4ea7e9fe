from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat, Trim

NAME_CHECKS = [
    ("not_needed", "Not needed"),
    ("match", "Match"),
    ("near", "Near match"),
    ("no_match", "No match"),
    ("not_checked", "Not checked"),
    ("skipped", "Skipped by the payer"),
]
UNCONFIRMED = ("no_match", "not_checked", "skipped")


def name_old_orders(apps: Any, schema_editor: Any) -> None:
    """By the present names: nobody has kept others. A payment was the first one if none had gone there before."""
    orders = apps.get_model("transfers", "TransferOrder").objects
    accounts = apps.get_model("accounts", "BankAccount").objects
    whole = Trim(Concat("owner__first_name", Value(" "), "owner__last_name"))
    for side, column in (("source", "payer_name"), ("target", "payee_name")):
        names = accounts.filter(pk=OuterRef(side)).values_list(whole)
        orders.filter(**{f"{side}__owner__isnull": False}).update(**{column: Subquery(names)})
    earlier = orders.filter(
        kind="payment",
        transaction__isnull=False,
        target=OuterRef("target"),
        source__owner=OuterRef("source__owner"),
        created_at__lt=OuterRef("created_at"),
    )
    orders.filter(~Exists(earlier), kind="payment").update(is_first_payment=True)


class Migration(migrations.Migration):
    """Each order keeps the names of its day, and whether it was a first payment (R2.6, R3.6)."""

    dependencies = [("transfers", "0008_cash_in")]

    operations = [
        migrations.AddField("transferorder", "payer_name", models.CharField(blank=True, default="", max_length=201)),
        migrations.AddField("transferorder", "payee_name", models.CharField(blank=True, default="", max_length=201)),
        migrations.AddField(
            "transferorder", "payee_name_typed", models.CharField(blank=True, default="", max_length=201)
        ),
        migrations.AddField(
            "transferorder",
            "name_check",
            models.CharField(choices=NAME_CHECKS, default="not_needed", max_length=12),
        ),
        migrations.AddField("transferorder", "is_first_payment", models.BooleanField(default=False)),
        migrations.AddField("payee", "typed_name", models.CharField(blank=True, default="", max_length=201)),
        migrations.AddField(
            "payee", "name_check", models.CharField(choices=NAME_CHECKS, default="not_needed", max_length=12)
        ),
        migrations.AlterField(
            "payee",
            "account",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="payee_rows", to="accounts.bankaccount"
            ),
        ),
        # Before any row is changed: PostgreSQL alters no table whose changes are still to be checked.
        migrations.AddConstraint(
            "transferorder",
            models.CheckConstraint(
                name="order_name_typed_or_confirmed",
                condition=Q(payee_name_typed="") | Q(name_check__in=UNCONFIRMED),
            ),
        ),
        migrations.AddConstraint(
            "payee",
            models.CheckConstraint(
                name="payee_name_typed_or_confirmed", condition=Q(typed_name="") | Q(name_check__in=UNCONFIRMED)
            ),
        ),
        migrations.RunPython(name_old_orders, migrations.RunPython.noop),
    ]
