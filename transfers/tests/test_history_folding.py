"""A search in a history ignores accents and case, on every engine (R3.7)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import BankAccount
from foundation.append_only import missing_triggers, triggers_lifted
from foundation.text import folded
from tests import acts
from tests.tables import in_one_world
from transfers.models import MAX_DESCRIPTION_CHARS, MAX_SEARCH_CHARS, Payee, Transaction
from transfers.tests.test_history_filters import planned, post, shown

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DESCRIPTIONS = ("Rent of émigré O’Brien", "Hauptstraße 5", "ŁÓDŹ – bilet", "plain text", "ﷺ" * MAX_DESCRIPTION_CHARS)


@pytest.fixture
def movements(alice: Any, everyday: BankAccount) -> None:
    post([planned(alice, everyday, number, NOON, text) for number, text in enumerate(DESCRIPTIONS)])


@in_one_world(
    ("text", "description"),
    [
        *((text, 0) for text in ("emigre", "ÉMIGRÉ", "e\u0301migre\u0301", "O'Brien", "o’brien", "of émigré o`b")),
        *((text, 1) for text in ("Straße", "strasse", "STRASSE", "hauptstrasse\u00a05")),
        *((text, 2) for text in ("lodz", "Łódź", "łódź - BILET", "LODZ — bilet")),
        *((text, 3) for text in ("PLAIN", "pla\u200bin", "plain\u00a0TEXT", "Plàin")),
    ],
)
def test_a_description_is_found_however_it_is_written(
    text: str, description: int, alice: Any, browser_of: Callable, movements: None
) -> None:
    """R3.7."""
    assert [row.description for row in shown(browser_of(alice), text=text)] == [DESCRIPTIONS[description]]


def test_a_reference_is_found_by_a_part_of_it_however_it_was_copied(
    alice: Any, browser_of: Callable, movements: None
) -> None:
    """R3.7."""
    reference = Transaction.objects.get(description=DESCRIPTIONS[3]).reference
    for text in (reference, reference.lower(), reference.replace("-", "–"), reference[2:9]):
        assert [row.reference for row in shown(browser_of(alice), text=text)] == [reference]


@in_one_world("text", ["\u0301", "\u200b\u0301", "emigré rent", "%", "_", "text\nplain"])
def test_what_stands_in_no_row_is_not_found(text: str, alice: Any, browser_of: Callable, movements: None) -> None:
    """R3.7: an accent alone finds nothing, and no text is a pattern."""
    assert shown(browser_of(alice), text=text) == []


def test_names_are_found_as_descriptions_are(
    alice: Any, bob: Any, everyday: BankAccount, bobs: BankAccount, browser_of: Callable, new_key: Callable
) -> None:
    """R3.7: names of payees that the customer gave them."""
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(5), idempotency_key=new_key())
    Payee.objects.update(label="Großmutter Zoë O’Brien")
    for text in ("grossmutter", "zoe", "ZOË O'BRIEN"):
        assert len(shown(browser_of(alice), text=text)) == 1, text
    assert shown(browser_of(alice), text="grosmutter") == []


def test_what_a_search_looks_at_fits_its_column_and_is_what_the_row_says(movements: None) -> None:
    """R3.7: one letter may fold to eighteen."""
    for row in Transaction.objects.all():
        assert row.search_text == folded(f"{row.reference}\n{row.description}", MAX_SEARCH_CHARS)
    longest = Transaction.objects.get(description=DESCRIPTIONS[4])
    assert len(longest.search_text or "") == MAX_SEARCH_CHARS


class Editor:
    """What the migration needs from a schema editor; SQLite's own is not available inside a test's transaction."""

    connection = connection

    def execute(self, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_migration_folds_what_is_there_and_the_triggers_stand_again(movements: None, monkeypatch: Any) -> None:
    """R3.7, R3.1: rows that were written before the column existed."""
    migration: Any = import_module("transfers.migrations.0006_folded_text")
    monkeypatch.setattr(migration, "_ROWS_AT_ONCE", 2)
    before = dict(Transaction.objects.values_list("pk", "search_text"))
    with triggers_lifted(Editor(), Transaction._meta.db_table):
        Editor().execute("UPDATE transfers_transaction SET search_text = NULL")
    there = MigrationExecutor(connection).loader.project_state([("transfers", "0006_folded_text")]).apps
    migration.fold_what_is_there(there, Editor())
    assert dict(Transaction.objects.values_list("pk", "search_text")) == before
    assert missing_triggers(connection) == []
