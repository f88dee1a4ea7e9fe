"""A new kind of request about no account takes no migration: the program lists the kinds, not the database (R4.2).

The database still holds that a request is about an account exactly if its kind is one of those about accounts.
"""

import support.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_second_administrator"),
        ("support", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="servicerequest",
            name="service_request_account",
        ),
        migrations.AlterField(
            model_name="servicerequest",
            name="kind",
            field=models.CharField(choices=support.models.request_kinds, max_length=20),
        ),
        migrations.AddConstraint(
            model_name="servicerequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("account__isnull", False),
                        ("kind__in", ("close_account", "freeze_account", "unfreeze_account")),
                    ),
                    models.Q(
                        models.Q(("kind__in", ("close_account", "freeze_account", "unfreeze_account")), _negated=True),
                        ("account__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="service_request_account",
            ),
        ),
    ]
