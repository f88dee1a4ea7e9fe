import django.db.models.deletion
import django.utils.timezone
import foundation.keys.encryption
import foundation.money
import uuid
from decimal import Decimal
from django.conf import settings
from django.core.management.base import CommandError
from django.db import migrations, models

from accounts.roles import GRANTS, grant


def refuse_while_any_waits(apps, schema_editor):
    """On the way back: the version before knows neither of money that is set aside for an act nor of a request that is
    approved and not done, and nobody could end either."""
    acts = apps.get_model("accounts", "PendingAct").objects.using(schema_editor.connection.alias)
    if acts.filter(state="waiting").exists():
        raise CommandError("Approve or stop what waits for a second administrator first. Nothing was changed.")


class Migration(migrations.Migration):
    """What waits for a second administrator, who was an administrator when, and when a code was last given (R5.8)."""

    dependencies = [
        ("accounts", "0004_freezes"),
    ]

    operations = [
        migrations.AddField(
            model_name="usersession",
            name="code_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="AdministratorTerm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="administrator_term",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PendingAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("kind", models.CharField(max_length=30)),
                ("subject_id", models.CharField(max_length=64)),
                (
                    "payload",
                    foundation.keys.encryption.EncryptedField(bound_to="asked_by_id", default="{}", max_chars=740),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("reason", models.CharField(max_length=300)),
                ("effective_at", models.DateTimeField(null=True)),
                ("held_amount", foundation.money.MoneyField(default=Decimal("0"))),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("done", "Carried out"),
                            ("stopped", "Stopped"),
                            ("refused", "Not possible when it was due"),
                            ("expired", "Expired"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                (
                    "asked_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "held_on",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending_acts",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending_acts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "act that waits",
                "verbose_name_plural": "waiting for a second administrator",
                "permissions": [("decide_pendingact", "Can be the second administrator")],
            },
        ),
        migrations.CreateModel(
            name="StopLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_digest", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("reader", models.CharField(max_length=20)),
                (
                    "act",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="stop_links", to="accounts.pendingact"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="pendingact",
            index=models.Index(fields=["state", "asked_at"], name="pending_act_state_asked"),
        ),
        migrations.AddIndex(
            model_name="pendingact",
            index=models.Index(fields=["asked_at"], name="pending_act_asked"),
        ),
        migrations.AddConstraint(
            model_name="pendingact",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "done", "stopped", "refused", "expired"])),
                name="pending_act_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("held_amount", Decimal("0")), ("held_on__isnull", True)),
                    models.Q(("held_amount__gt", Decimal("0")), ("held_on__isnull", False)),
                    _connector="OR",
                ),
                name="pending_act_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="pendingact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")), fields=("kind", "subject_id"), name="pending_act_once"
            ),
        ),
        # Who may see it, and be the second one.
        migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop),
        # Last, so that it is the first thing on the way back.
        migrations.RunPython(migrations.RunPython.noop, refuse_while_any_waits),
    ]
