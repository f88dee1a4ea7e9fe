from django.db import migrations

from foundation.append_only import append_only_triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_audit_log")]

    operations = [append_only_triggers("audit", "AuditEntry", "AuditBlock", "AuditBlockEntry")]
