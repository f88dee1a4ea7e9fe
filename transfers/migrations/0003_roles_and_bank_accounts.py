from django.db import migrations

from accounts.roles import grant
from transfers.ledger.bank_books import make_bank_accounts
from transfers.roles import GRANTS


class Migration(migrations.Migration):
    """Who may move money, and the bank's own accounts, the other side of every movement of cash (R1.7, R3.1)."""

    dependencies = [("transfers", "0002_append_only"), ("accounts", "0002_roles")]

    operations = [
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
        migrations.RunPython(lambda apps, schema_editor: make_bank_accounts(apps), migrations.RunPython.noop),
    ]
