"""Every migration there and back, ours and those of the libraries, on SQL Servers that are only pretended (R9.4).

The effect of each statement on the tables is followed, so that no column is dropped under an index and no constraint by
a wrong name; and each statement is checked against the rules, including those that move data.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps

from foundation.append_only import append_only_models
from tests.mssql.ddl_rules import ddl_faults, missing
from tests.mssql.migrated import Walk
from tests.mssql.pretended import VERSIONS, connection_to, pretended
from tests.mssql.rules import faults

OUR_APPS = ("audit", "accounts", "transfers", "support", "foundation")


class Migrated:
    """What a pretended server received and had after all migrations, what is left after the way back, and the
    faults."""

    def __init__(self, version: int) -> None:
        self.faults: list[str] = []
        self.looked_at: set[str] = set()
        walk, self.version = Walk(), version
        with pretended(version) as connection:
            self.server = connection.server
            self._run(walk.forward(connection))
            catalog = self.server.catalog
            self.up = [sent.text for sent in self.server.sent]
            self.types = {name: dict(table.columns) for name, table in catalog.tables.items()}
            self.parts = {name: part for table in catalog.tables.values() for name, part in table.parts.items()}
            self.triggers = catalog.triggers()
            self.faults += ddl_faults(catalog) + missing(catalog, apps.get_models(include_auto_created=True))
            self._run(walk.back(connection))
        self.down = [sent.text for sent in self.server.sent[len(self.up) :]]
        self.left = list(catalog.tables)

    def _run(self, migrations: Iterator[Any]) -> None:
        done = len(self.server.sent)
        for migration in migrations:
            for text, values in self.server.sent[done:]:
                if text not in self.looked_at:
                    self.looked_at.add(text)
                    self.faults += [f"{migration}: {name}: {text}" for name in faults(text, values, self.version)]
            done = len(self.server.sent)


@pytest.fixture(scope="module", params=VERSIONS)
def migrated(request: pytest.FixtureRequest) -> Migrated:
    return Migrated(request.param)


class TestOnEachVersion:
    def test_nothing_that_is_sent_would_be_refused_or_done_wrongly(self, migrated: Migrated) -> None:
        assert migrated.faults == []
        assert len(migrated.looked_at) > 500
        assert len(migrated.types) > 40

    def test_the_way_back_leaves_nothing(self, migrated: Migrated) -> None:
        assert migrated.left == []

    def test_every_column_is_of_the_type_that_its_field_asks_for(self, migrated: Migrated) -> None:
        """A change of a field that got lost on the way would show here."""
        connection = connection_to(migrated.server, migrated.version)
        for model in apps.get_models():
            for field in model._meta.local_concrete_fields:
                wanted = f"{field.db_type(connection)} {'NULL' if field.null else 'NOT NULL'}"
                assert migrated.types[model._meta.db_table][field.column] == wanted, field

    def test_money_is_a_whole_number(self, migrated: Migrated) -> None:
        """R2.1."""
        ours = {name: columns for name, columns in migrated.types.items() if name.startswith(OUR_APPS)}
        kinds = {kind.split()[0] for columns in ours.values() for kind in columns.values()}
        assert not {kind for kind in kinds if re.match(r"double|float|real|numeric|decimal|money", kind)}
        for table, column in (
            ("accounts_bankaccount", "balance"),
            ("accounts_bankaccount", "held"),
            ("transfers_transaction", "amount"),
            ("transfers_entry", "amount"),
            ("transfers_entry", "balance_after"),
            ("transfers_customerlimit", "used"),
            ("transfers_customerlimit", "daily_limit"),
        ):
            assert ours[table][column].startswith("bigint")

    def test_the_triggers_are_these_letter_by_letter(self, migrated: Migrated) -> None:
        """R3.1. INSTEAD OF, since there is no BEFORE, and none for INSERT; a parser takes any text for a trigger."""
        tables = [model._meta.db_table for model in append_only_models()]
        assert {"audit_auditentry", "audit_auditblock", "audit_auditblockentry", "transfers_entry"} <= set(tables)
        # The trigger of the transactions is dropped while a column of theirs is filled (0006_folded_text), and then
        # made again.
        lifted = "DROP TRIGGER IF EXISTS [transfers_transaction_no_change]"
        about = [text for text in migrated.up if "TRIGGER [transfers_transaction_no_change]" in text or text == lifted]
        assert [text.partition(" ")[0] for text in about] == ["CREATE", "DROP", "CREATE"]
        assert {text for text in migrated.up if "TRIGGER" in text} - {lifted} == {
            f"CREATE TRIGGER [{table}_no_change] ON [{table}] INSTEAD OF UPDATE, DELETE AS "
            f"BEGIN THROW 50001, '{table} is append-only', 1; END"
            for table in tables
        }
        assert migrated.triggers == {f"{table}_no_change" for table in tables}
        assert {text for text in migrated.down if "TRIGGER" in text} == {
            f"DROP TRIGGER IF EXISTS [{table}_no_change]" for table in tables
        }

    def test_what_may_be_null_is_unique_only_where_it_is_not(self, migrated: Migrated) -> None:
        """SQL Server takes NULL for a value like any other: a second account without number would be refused."""
        for name, column in (
            ("bank_account_number", "number_digest"),
            ("bank_account_ledger_code", "ledger_code"),
            ("transaction_reversed_once", "reverses_id"),
            ("order_transaction_once", "transaction_id"),
        ):
            part = migrated.parts[name]
            assert (part["columns"], part["unique"]) == ([column], True)
            assert part["condition"] == f" WHERE [{column}] IS NOT NULL"

    def test_the_constraints_that_money_rests_on_are_there(self, migrated: Migrated) -> None:
        for name in ("bank_account_funds", "entry_amount_positive", "transaction_amount_positive"):
            assert migrated.parts[name]["check"]
        for name, columns in (
            ("entry_account_sequence", ["account_id", "sequence"]),
            ("order_key_once", ["initiator_id", "key_digest"]),
            ("audit_block_position", ["block_id", "position"]),
        ):
            assert (migrated.parts[name]["columns"], migrated.parts[name]["unique"]) == (columns, True)
