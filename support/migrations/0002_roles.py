from django.db import migrations

from accounts.roles import grant
from support.roles import GRANTS


class Migration(migrations.Migration):
    """Who may write to the bank, and who answers (R1.7)."""

    dependencies = [("support", "0001_tickets_and_requests"), ("accounts", "0002_roles")]

    operations = [migrations.RunPython(lambda apps, schema_editor: grant(apps, GRANTS), migrations.RunPython.noop)]
