"""A database without its guards: what its owner, or the holder of its file, can do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from tests.plugin import triggers_off

not_on_sql_server = pytest.mark.skipif(
    connection.vendor == "microsoft", reason="How to put constraints aside is written for SQLite and PostgreSQL."
)


@contextmanager
def everything_off() -> Iterator[None]:
    """Put triggers, CHECKs and foreign keys aside, in a transaction that is rolled back in the end.

    PostgreSQL gets its CHECKs back by that rollback; pending foreign keys are checked first, since it alters no table
    before.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            # Foreign keys cannot be turned off inside a transaction, but their checks can be put off until its end.
            cursor.execute("PRAGMA defer_foreign_keys = ON")
            try:
                with triggers_off():
                    yield
            finally:
                cursor.execute("PRAGMA ignore_check_constraints = OFF")
            return
        assert connection.in_atomic_block
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint "
            "WHERE contype = 'c' AND connamespace = current_schema()::regnamespace AND conrelid <> 0"
        )
        for table, name in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        # Like a replica, which takes rows as they come: neither our triggers fire nor those of foreign keys.
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")
