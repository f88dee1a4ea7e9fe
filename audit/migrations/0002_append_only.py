from django.db import migrations

from audit.append_only import append_only_triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_audit_entry")]

    operations = [append_only_triggers("audit", "AuditEntry")]
