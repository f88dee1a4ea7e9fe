import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from accounts.roles import grant
from audit.append_only import without_own_index
from transfers.roles import GRANTS


class Migration(migrations.Migration):
    """What the staff's lists of transactions, orders and alerts are sorted and filtered by (R5.4), each index in the place
    of a narrower one where it can be; and who may download transactions (R6.4).
    """

    dependencies = [("transfers", "0007_fraud_alerts"), ("accounts", "0008_indexes_for_lists")]

    operations = [
        migrations.AlterModelOptions(
            name="transaction",
            options={
                "base_manager_name": "objects",
                "permissions": [("export_transactions", "Can download the list of transactions")],
            },
        ),
        migrations.AddIndex(
            "transaction", models.Index(fields=["kind", "created_at"], name="transaction_kind_created")
        ),
        migrations.AddIndex(
            "transaction", models.Index(fields=["amount", "created_at"], name="transaction_amount_created")
        ),
        migrations.AddIndex(
            "transaction", models.Index(fields=["initiated_by", "created_at"], name="transaction_by_created")
        ),
        without_own_index(
            "transfers",
            "Transaction",
            "initiated_by",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex("transferorder", models.Index(fields=["created_at"], name="order_created")),
        migrations.AddIndex("transferorder", models.Index(fields=["state", "created_at"], name="order_state_created")),
        migrations.RemoveIndex("transferorder", "order_held"),
        without_own_index(
            "transfers",
            "TransferOrder",
            "source",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders_out",
                to="accounts.bankaccount",
            ),
        ),
        migrations.AddIndex(
            "fraudalert", models.Index(fields=["state", "created_at"], name="fraud_alert_state_created")
        ),
        migrations.RemoveIndex("fraudalert", "fraud_alert_open"),
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
    ]
