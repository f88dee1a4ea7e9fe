import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditBlock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField(unique=True)),
                ("previous_hash", models.CharField(max_length=64)),
                ("entry_count", models.IntegerField()),
                ("entries_digest", models.CharField(max_length=64)),
                ("highest_entry_id", models.BigIntegerField()),
                ("sealed_at", models.DateTimeField()),
                ("key_id", models.CharField(max_length=25)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("action", models.CharField(max_length=40)),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor_label", models.CharField(max_length=254)),
                ("subject_type", models.CharField(blank=True, max_length=40)),
                ("subject_id", models.CharField(blank=True, max_length=64)),
                ("concerns_id", models.BigIntegerField(null=True)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("request_id", models.CharField(blank=True, max_length=32)),
                ("details", models.JSONField(default=dict)),
                ("evidence_digest", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "permissions": [("export_auditentry", "Can download the audit log")],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["at"], name="audit_at"),
                    models.Index(fields=["action", "at"], name="audit_action_at"),
                    models.Index(fields=["actor_id", "at"], name="audit_actor_at"),
                    models.Index(fields=["subject_type", "subject_id"], name="audit_subject"),
                    models.Index(fields=["concerns_id", "at"], name="audit_concerns_at"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditBlockEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField()),
                ("entry_id", models.BigIntegerField(unique=True)),
                ("digest", models.CharField(max_length=64)),
                (
                    "block",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="audit.auditblock",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit block entries",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("block", "position"), name="audit_block_position")],
            },
        ),
    ]
