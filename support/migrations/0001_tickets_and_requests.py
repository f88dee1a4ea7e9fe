import django.db.models.deletion
import django.utils.timezone
import foundation.keys.encryption
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_people_and_bank_accounts"),
        ("transfers", "0001_ledger"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LostFactorLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_digest", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("stands_for", models.CharField(max_length=64)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("subject", models.CharField(max_length=120)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("in_progress", "In progress"), ("resolved", "Resolved")],
                        default="open",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("shown_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "last_updated_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="transfers.transaction",
                    ),
                ),
            ],
            options={
                "permissions": [("open_ticket", "Can write to the bank"), ("handle_ticket", "Can answer customers")],
            },
        ),
        migrations.CreateModel(
            name="TicketMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField(max_length=4000)),
                ("is_internal", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "author",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="support.ticket",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ServiceRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("close_account", "Close an account"),
                            ("freeze_account", "Freeze an account"),
                            ("unfreeze_account", "Unfreeze an account"),
                            ("update_identity", "Change my name or address"),
                            ("reset_two_factor", "Reset two-factor"),
                            ("reset_pin", "Reset my PIN"),
                            ("raise_daily_limit", "Raise my daily limit"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "payload",
                    foundation.keys.encryption.EncryptedField(bound_to="customer_id", default="{}", max_chars=740),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                            ("completed", "Done"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("first_approved_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_requests",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_requests",
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
                    "first_approved_by",
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
                "permissions": [
                    ("file_request", "Can ask the bank to do something"),
                    ("decide_request", "Can decide what customers ask for"),
                ],
                "indexes": [
                    models.Index(fields=["customer", "created_at"], name="service_request_latest"),
                    models.Index(fields=["state", "created_at"], name="service_request_state_created"),
                    models.Index(fields=["created_at"], name="service_request_created"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["pending", "approved", "rejected", "cancelled", "completed"])
                        ),
                        name="service_request_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("account__isnull", False),
                                ("kind__in", ("close_account", "freeze_account", "unfreeze_account")),
                            ),
                            models.Q(
                                ("account__isnull", True),
                                ("kind__in", ("update_identity", "reset_two_factor", "reset_pin", "raise_daily_limit")),
                            ),
                            _connector="OR",
                        ),
                        name="service_request_account",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("account__isnull", False), ("state", "pending")),
                        fields=("customer", "kind", "account"),
                        name="service_request_once_per_account",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("account__isnull", True), ("state", "pending")),
                        fields=("customer", "kind"),
                        name="service_request_once",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["customer", "shown_at"], name="ticket_customer_latest"),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["status", "updated_at"], name="ticket_status_updated"),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["status", "created_at"], name="ticket_status_created"),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["created_at"], name="ticket_created"),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "in_progress", "resolved"])), name="ticket_status"
            ),
        ),
        migrations.AddIndex(
            model_name="ticketmessage",
            index=models.Index(fields=["ticket", "id"], name="ticket_message_order"),
        ),
    ]
