from django.db import migrations

from foundation.append_only import append_only_triggers


class Migration(migrations.Migration):
    dependencies = [("transfers", "0001_ledger")]

    operations = [append_only_triggers("transfers", "Transaction", "Entry")]
