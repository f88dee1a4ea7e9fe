import django.db.models.deletion
import django.utils.timezone
import foundation.money
import uuid
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_people_and_bank_accounts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("daily_limit", foundation.money.MoneyField(null=True)),
                ("day", models.DateField()),
                ("used", foundation.money.MoneyField(default=Decimal("0"))),
                ("out_since_code", foundation.money.MoneyField(default=Decimal("0"))),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="limit", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SavingsInterest",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="savings_interest",
                        serialize=False,
                        to="accounts.bankaccount",
                    ),
                ),
                ("accrued_through", models.DateField()),
                ("accrued", foundation.money.MoneyField(default=Decimal("0"))),
                ("accrued_micro", models.IntegerField(default=0)),
                ("due", foundation.money.MoneyField(default=Decimal("0"))),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("accrued_micro__gte", 0), ("accrued_micro__lt", 1000000)),
                        name="savings_interest_micro",
                    ),
                    models.CheckConstraint(condition=models.Q(("due__gte", Decimal("0"))), name="savings_interest_due"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("deposit", "Deposit"),
                            ("withdrawal", "Withdrawal"),
                            ("transfer", "Transfer"),
                            ("interest", "Interest"),
                            ("fee", "Fee"),
                            ("reversal", "Reversal"),
                        ],
                        max_length=12,
                    ),
                ),
                ("amount", foundation.money.MoneyField()),
                ("description", models.CharField(blank=True, max_length=140)),
                ("reference", models.CharField(max_length=14, unique=True)),
                ("created_at", models.DateTimeField(db_index=True)),
                (
                    "initiated_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reverses",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="transfers.transaction",
                    ),
                ),
            ],
            options={
                "permissions": [("export_transactions", "Can download the list of transactions")],
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("direction", models.CharField(choices=[("debit", "Debit"), ("credit", "Credit")], max_length=6)),
                ("amount", foundation.money.MoneyField()),
                ("balance_after", foundation.money.MoneyField()),
                ("sequence", models.BigIntegerField()),
                ("posted_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="transfers.transaction"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entries",
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="TransferOrder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("deposit", "Deposit"),
                            ("withdrawal", "Withdrawal"),
                            ("own", "Transfer between own accounts"),
                            ("payment", "Transfer"),
                        ],
                        max_length=12,
                    ),
                ),
                ("amount", foundation.money.MoneyField()),
                ("description", models.CharField(blank=True, max_length=140)),
                ("key_digest", models.CharField(max_length=64)),
                ("inputs_digest", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("posted", "Completed"),
                            ("held", "Being checked"),
                            ("released", "Completed after a check"),
                            ("rejected", "Rejected"),
                        ],
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("hold_reason", models.CharField(blank=True, max_length=40)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decided_orders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "initiator",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders_out",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="orders_in", to="accounts.bankaccount"
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="transfers.transaction",
                    ),
                ),
            ],
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
                ],
            },
        ),
        migrations.CreateModel(
            name="FraudAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("large_amount", "Large amount"),
                            ("many_payments", "Many payments in an hour"),
                            ("suspicious_amount", "Suspicious amount"),
                            ("counter_deposit", "Much cash paid in at the counter"),
                        ],
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=6),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=300)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closed_alerts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="transfers.transferorder",
                    ),
                ),
            ],
            options={
                "permissions": [("close_fraud_alert", "Can close fraud alerts")],
            },
        ),
        migrations.CreateModel(
            name="DecisionKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key_digest", models.CharField(max_length=64)),
                ("inputs_digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("actor", "key_digest"), name="decision_key_once")],
            },
        ),
        migrations.CreateModel(
            name="Payee",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("label", models.CharField(blank=True, max_length=60)),
                ("first_paid_at", models.DateTimeField()),
                ("last_paid_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.bankaccount"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="payees",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer", "last_paid_at"], name="payee_customer_latest")],
                "constraints": [models.UniqueConstraint(fields=("customer", "account"), name="payee_once")],
            },
        ),
        migrations.CreateModel(
            name="StepUpChallenge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("amount", foundation.money.MoneyField()),
                ("currency", models.CharField(max_length=3)),
                ("key_digest", models.CharField(max_length=64)),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("new_payee", "First payment to this account"),
                            ("amount", "Much paid out since the last code"),
                        ],
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("verified_at", models.DateTimeField(null=True)),
                ("consumed_at", models.DateTimeField(null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.bankaccount",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.bankaccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("consumed_at__isnull", True), ("verified_at__isnull", False), _connector="OR"
                        ),
                        name="step_up_verified_before_consumed",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["kind", "created_at"], name="transaction_kind_created"),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["initiated_by", "created_at"], name="transaction_by_created"),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["amount", "created_at"], name="transaction_amount_created"),
        ),
        migrations.AddConstraint(
            model_name="transaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", Decimal("0"))), name="transaction_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="transaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reverses__isnull", False)), fields=("reverses",), name="transaction_reversed_once"
            ),
        ),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(fields=["account", "posted_at", "direction", "amount"], name="entry_account_sums"),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", Decimal("0"))), name="entry_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(fields=("account", "sequence"), name="entry_account_sequence"),
        ),
        migrations.AddIndex(
            model_name="transferorder",
            index=models.Index(fields=["initiator", "created_at"], name="order_initiator_created"),
        ),
        migrations.AddIndex(
            model_name="transferorder",
            index=models.Index(fields=["source", "created_at"], name="order_source_created"),
        ),
        migrations.AddIndex(
            model_name="transferorder",
            index=models.Index(fields=["created_at"], name="order_created"),
        ),
        migrations.AddIndex(
            model_name="transferorder",
            index=models.Index(fields=["state", "created_at"], name="order_state_created"),
        ),
        migrations.AddConstraint(
            model_name="transferorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", Decimal("0"))), name="order_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="transferorder",
            constraint=models.UniqueConstraint(fields=("initiator", "key_digest"), name="order_key_once"),
        ),
        migrations.AddConstraint(
            model_name="transferorder",
            constraint=models.UniqueConstraint(
                condition=models.Q(("transaction__isnull", False)),
                fields=("transaction",),
                name="order_transaction_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="transferorder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["posted", "released"]), ("transaction__isnull", False)),
                    models.Q(("state__in", ["held", "rejected"]), ("transaction__isnull", True)),
                    _connector="OR",
                ),
                name="order_transaction_by_state",
            ),
        ),
        migrations.AddIndex(
            model_name="fraudalert",
            index=models.Index(fields=["state", "created_at"], name="fraud_alert_state_created"),
        ),
        migrations.AddIndex(
            model_name="fraudalert",
            index=models.Index(fields=["created_at"], name="fraud_alert_created"),
        ),
        migrations.AddConstraint(
            model_name="fraudalert",
            constraint=models.UniqueConstraint(fields=("order", "rule"), name="fraud_alert_once"),
        ),
        migrations.AddConstraint(
            model_name="fraudalert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("closed_by__isnull", True), ("state", "open")),
                    models.Q(("closed_at__isnull", False), ("closed_by__isnull", False), ("state", "closed")),
                    _connector="OR",
                ),
                name="fraud_alert_closed_by_somebody",
            ),
        ),
    ]
