from typing import Any

from django.db import migrations, models
from django.db.models import Q

_ENDED = ["rejected", "cancelled", "expired"]


def _as_rejected(apps: Any, schema_editor: Any) -> None:
    """What went before knows no other word for an order that was given back."""
    orders = apps.get_model("transfers", "TransferOrder").objects
    orders.filter(state__in=["cancelled", "expired"]).update(state="rejected")


def _by_state(ended: list[str]) -> models.CheckConstraint:
    return models.CheckConstraint(
        name="order_transaction_by_state",
        condition=Q(state__in=["posted", "released"], transaction__isnull=False)
        | Q(state__in=["held", *ended], transaction__isnull=True),
    )


class Migration(migrations.Migration):
    dependencies = [("transfers", "0004_places_in_the_limit_row")]

    operations = [
        migrations.AlterField(
            "transferorder",
            "state",
            models.CharField(
                choices=[
                    ("posted", "Completed"),
                    ("held", "Being checked"),
                    ("released", "Completed after a check"),
                    ("rejected", "Rejected"),
                    ("cancelled", "Cancelled"),
                    ("expired", "Expired"),
                ],
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint("transferorder", "order_transaction_by_state"),
        migrations.AddConstraint("transferorder", _by_state(_ENDED)),
        # Last, so that it is the first thing on the way back.
        migrations.RunPython(migrations.RunPython.noop, _as_rejected),
    ]
