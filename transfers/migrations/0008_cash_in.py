from decimal import Decimal

from django.db import migrations

from foundation.money import MoneyField


class Migration(migrations.Migration):
    dependencies = [("transfers", "0007_corrected_interest")]

    operations = [migrations.AddField("customerlimit", "cash_in", MoneyField(default=Decimal(0)))]
