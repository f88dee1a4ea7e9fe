import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def write_down_what_stands(apps, schema_editor):
    """A row for each account that is frozen today: when, by whom and why, as the audit log has it.

    The freeze is support's where the log names an approved request. Any other is an administrator's: nobody else could.
    """
    BankAccount, User = apps.get_model("accounts", "BankAccount"), apps.get_model("accounts", "User")
    entries = apps.get_model("audit", "AuditEntry").objects.filter(action="ACCOUNT_FROZEN", subject_type="bankaccount")
    for account in BankAccount.objects.filter(status="frozen").only("pk", "public_id").order_by("pk"):
        entry = entries.filter(subject_id=str(account.public_id)).order_by("-pk").first()
        details = entry.details if entry else {}
        apps.get_model("accounts", "AccountFreeze").objects.create(
            account_id=account.pk,
            kind="support" if "request" in details else "administrator",
            frozen_by=User.objects.filter(pk=entry.actor_id).only("pk").first() if entry else None,
            frozen_at=entry.at if entry else django.utils.timezone.now(),
            reason=details.get("reason", ""),
        )


class Migration(migrations.Migration):
    """Freezes are rows with who, why and kind (R2.5)."""

    dependencies = [("accounts", "0003_folded_names"), ("audit", "0001_audit_log")]

    operations = [
        migrations.CreateModel(
            name="AccountFreeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("customer", "by its owner"),
                            ("support", "by support"),
                            ("administrator", "by an administrator"),
                        ],
                        max_length=13,
                    ),
                ),
                ("frozen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lift_reason", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="freezes",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "frozen_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["account", "frozen_at"], name="account_freeze_latest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["customer", "support", "administrator"])),
                        name="account_freeze_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at__isnull", True), ("lifted_by__isnull", True)),
                            models.Q(("lifted_at__isnull", False), ("lifted_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="account_freeze_lifted",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("account", "kind"),
                        name="account_freeze_standing",
                    ),
                ],
            },
        ),
        migrations.RunPython(write_down_what_stands, migrations.RunPython.noop),
    ]
