"""Where the password of an unknown address is asked for, a row without a user is written and deleted in one transaction:
the same statements run for known and unknown addresses (ASVS V6.3.8)."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def forget_those_of_nobody(apps: Any, schema_editor: Any) -> None:
    """Delete rows without a user, which the version before cannot hold; nobody has their links."""
    apps.get_model("accounts", "PasswordReset").objects.filter(user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_second_administrator")]

    operations = [
        migrations.AlterField(
            model_name="passwordreset",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="password_resets",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        # Last, so that it is the first thing on the way back.
        migrations.RunPython(migrations.RunPython.noop, forget_those_of_nobody),
    ]
