from django.db import migrations

from accounts.roles import grant
from transfers.bank_books import make_bank_accounts
from transfers.roles import GRANTS


class Migration(migrations.Migration):
    dependencies = [("transfers", "0002_append_only"), ("accounts", "0002_roles")]

    operations = [
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
        migrations.RunPython(lambda apps, schema_editor: make_bank_accounts(apps), migrations.RunPython.noop),
    ]
