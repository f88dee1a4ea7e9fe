from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision
from django.apps import apps as installed
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import migrations, models

from foundation.currencies import exponent_of
from foundation.money import MoneyField


def refuse_amounts_at_another_scale(apps: Any, schema_editor: Any) -> None:
    """Before this migration decimals came from Babel. Where it had others than ISO 4217, amounts that were written are
    at another scale, and nothing may go on as if they were not."""
    before, now = get_currency_precision(settings.CURRENCY), exponent_of(settings.CURRENCY)
    if before != now and _has_money(schema_editor.connection):
        raise ImproperlyConfigured(
            f"CURRENCY: this database keeps {settings.CURRENCY} with {before} decimals, and ISO 4217 has {now}. "
            "Nothing was changed. Make the database anew, or go on with the version that ran before."
        )


def _has_money(connection: Any) -> bool:
    tables = set(connection.introspection.table_names())
    return any(
        model.objects.using(connection.alias).filter(**{f"{field.name}__gt": Decimal(0)}).exists()
        for model in installed.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, MoneyField) and model._meta.db_table in tables
    )


class Migration(migrations.Migration):
    dependencies = [("foundation", "0001_ground_floor")]

    operations = [
        migrations.RunPython(refuse_amounts_at_another_scale, migrations.RunPython.noop),
        migrations.CreateModel(
            name="CurrencyRecord",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=3)),
                ("exponent", models.PositiveSmallIntegerField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="currency_record_one")],
            },
        ),
    ]
