"""What a round migrates while the bank serves is taken back without a trace, on every engine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

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
    """Columns and constraints of the two tables, as the database has them."""
    found = {}
    with connection.cursor() as cursor:
        for model in (Transaction, Entry):
            table = model._meta.db_table
            columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            found[table] = columns, sorted(connection.introspection.get_constraints(cursor, table))
    connection.close()
    return found


def test_a_column_and_an_index_come_and_go_and_the_triggers_stand(manage: Any) -> None:
    before = shape()
    try:
        manage("migrate", "later", "--verbosity", "0", LATER)
        widened = shape()
        manage("check", "--database", "default")
    finally:
        manage("migrate", "later", "zero", "--verbosity", "0", LATER)
    assert "later_note" in widened["transfers_transaction"][0]
    assert "later_entry_posted_amount" in widened["transfers_entry"][1]
    assert shape() == before
    manage("check", "--database", "default")
