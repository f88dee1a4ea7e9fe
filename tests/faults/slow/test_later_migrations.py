"""Later migrations of a round are undone without a trace, on every engine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from tests.processes import process_environment
from transfers.models import Entry, Transaction

pytestmark = pytest.mark.django_db(transaction=True)

LATER = "--settings=tests.faults.later.settings"


@pytest.fixture
def manage(repository: Path) -> Any:
    def run(*arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=repository, env=process_environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


def shape() -> dict[str, Any]:
    """Return columns with their lengths, and constraints, of the altered tables, as the database has them."""
    found = {}
    with connection.cursor() as cursor:
        for model in (Transaction, Entry, User):
            table = model._meta.db_table
            columns = connection.introspection.get_table_description(cursor, table)
            constraints = connection.introspection.get_constraints(cursor, table)
            # An engine that makes a table again gives other names to unnamed parts.
            shapes = sorted(str((one["columns"], one["unique"], one["foreign_key"])) for one in constraints.values())
            found[table] = (
                {column.name: column.display_size or column.internal_size for column in columns},
                shapes,
                set(constraints),
            )
    connection.close()
    return found


def test_columns_and_an_index_come_and_go_and_the_triggers_stand(manage: Any) -> None:
    before = shape()
    try:
        manage("migrate", "later", "--verbosity", "0", LATER)
        widened = shape()
        manage("check", "--database", "default")
    finally:
        manage("migrate", "later", "zero", "--verbosity", "0", LATER)
    assert "later_note" in widened["transfers_transaction"][0]
    assert "later_entry_posted_amount" in widened["transfers_entry"][2]
    assert widened["accounts_user"][0]["first_name"] == before["accounts_user"][0]["first_name"] + 50
    after = shape()
    for table, (columns, constraints, _) in before.items():
        assert after[table][:2] == (columns, constraints)
    manage("check", "--database", "default")
