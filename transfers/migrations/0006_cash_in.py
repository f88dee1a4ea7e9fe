from decimal import Decimal

from django.db import migrations

from foundation.money import MoneyField


class Migration(migrations.Migration):
    dependencies = [("transfers", "0004_places_in_the_limit_row")]

    operations = [migrations.AddField("customerlimit", "cash_in", MoneyField(default=Decimal(0)))]
