"""The SQL of the append-only triggers for each engine, and the check that they stand (R3.1, R6.2)."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from audit.models import AuditBlock, AuditBlockEntry, AuditEntry
from foundation.append_only import missing_triggers, trigger_names


@pytest.mark.django_db(transaction=True)
def test_the_migration_goes_back_and_forth(django_db_blocker: Any) -> None:
    # R6.2: reversible, and tables that do not exist yet are not a fault.
    try:
        call_command("migrate", "audit", "0001", verbosity=0)
        tables = [model._meta.db_table for model in (AuditEntry, AuditBlock, AuditBlockEntry)]
        gone = {name for table in tables for name in trigger_names(connection.vendor, table)}
        assert set(missing_triggers(connection)) == gone
    finally:
        call_command("migrate", verbosity=0)
    assert missing_triggers(connection) == []
