from django.db import migrations

from accounts.roles import grant
from transfers.roles import GRANTS


class Migration(migrations.Migration):
    """What clerks and administrators may do for customers with their money (R3.2, R3.10, R5.1)."""

    dependencies = [("transfers", "0005_payees"), ("accounts", "0005_pin")]

    operations = [
        migrations.AlterModelOptions(
            name="transferorder",
            options={
                "permissions": [
                    ("open_own_account", "Can open and close accounts of their own"),
                    ("deposit_own", "Can pay cash into accounts of their own"),
                    ("withdraw_own", "Can take cash out of accounts of their own"),
                    ("transfer_own_money", "Can move money out of accounts of their own"),
                    ("open_account_for_customer", "Can open accounts for customers"),
                    ("deposit_at_counter", "Can take cash from customers at the counter"),
                    ("withdraw_at_counter", "Can give cash to customers at the counter"),
                    ("reverse_transaction", "Can reverse transactions"),
                    ("decide_held_transfer", "Can release or reject held transfers"),
                ]
            },
        ),
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
    ]
