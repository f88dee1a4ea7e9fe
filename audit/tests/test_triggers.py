"""The SQL of the append-only triggers for each engine, and the check that they stand (R3.1, R6.2)."""

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import AuditEntry
from foundation.append_only import check_triggers_stand, create_sql, drop_sql, missing_triggers, trigger_names
from tests.asvs import proves
from tests.plugin import triggers_off
from tests.tables import in_one_world

GOLDEN = {
    "sqlite": """
CREATE TRIGGER "ledger_no_update" BEFORE UPDATE ON "ledger" BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END
CREATE TRIGGER "ledger_no_delete" BEFORE DELETE ON "ledger" BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END
DROP TRIGGER IF EXISTS "ledger_no_update"
DROP TRIGGER IF EXISTS "ledger_no_delete"
""",
    "postgresql": """
CREATE OR REPLACE FUNCTION "ledger_refuse"() RETURNS trigger LANGUAGE plpgsql AS \
$$ BEGIN RAISE EXCEPTION 'ledger is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$
CREATE TRIGGER "ledger_no_change" BEFORE UPDATE OR DELETE ON "ledger" FOR EACH ROW EXECUTE FUNCTION "ledger_refuse"()
CREATE TRIGGER "ledger_no_truncate" BEFORE TRUNCATE ON "ledger" FOR EACH STATEMENT EXECUTE FUNCTION "ledger_refuse"()
DROP TRIGGER IF EXISTS "ledger_no_change" ON "ledger"
DROP TRIGGER IF EXISTS "ledger_no_truncate" ON "ledger"
DROP FUNCTION IF EXISTS "ledger_refuse"()
""",
    "microsoft": """
CREATE TRIGGER [ledger_no_change] ON [ledger] INSTEAD OF UPDATE, DELETE AS \
BEGIN THROW 50001, 'ledger is append-only', 1; END
DROP TRIGGER IF EXISTS [ledger_no_change]
""",
}

# Triggers that have the right names and refuse nothing.
HARMLESS = {
    "sqlite": [
        f'CREATE TRIGGER "audit_auditentry_no_{event}" BEFORE UPDATE ON "audit_auditentry" BEGIN SELECT 1; END'
        for event in ("update", "delete")
    ],
    "postgresql": [
        """CREATE FUNCTION "audit_auditentry_refuse"() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RETURN NULL; END $$""",
        *(
            f'CREATE TRIGGER "audit_auditentry_no_{name}" AFTER {event} ON "audit_auditentry" '
            'FOR EACH STATEMENT EXECUTE FUNCTION "audit_auditentry_refuse"()'
            for name, event in (("change", "UPDATE"), ("truncate", "TRUNCATE"))
        ),
    ],
    "microsoft": ["CREATE TRIGGER [audit_auditentry_no_change] ON [audit_auditentry] AFTER UPDATE AS SELECT 1"],
}


@in_one_world("vendor", GOLDEN)
def test_the_sql_of_each_engine_is_the_agreed_one(vendor: str) -> None:
    # R3.1, R6.2: a change of these texts is a change of what guards the ledger.
    statements = create_sql(vendor, "ledger") + drop_sql(vendor, "ledger")
    assert statements == GOLDEN[vendor].strip().splitlines()
    assert all(any(name in statement for statement in statements) for name in trigger_names(vendor, "ledger"))


def test_an_engine_without_triggers_of_ours_is_refused() -> None:
    # R6.2: better no bank than one whose log can be edited.
    with pytest.raises(NotImplementedError, match="oracle"):
        create_sql("oracle", "ledger")


@pytest.mark.django_db
def test_after_the_migrations_every_trigger_stands() -> None:
    # R6.2
    assert missing_triggers(connection) == []
    assert check_triggers_stand(databases=["default"]) == []


@proves("V16.4.2")
@pytest.mark.django_db
def test_a_dropped_trigger_is_found_and_named() -> None:
    # R6.2
    with triggers_off(AuditEntry):
        found = check_triggers_stand(databases=["default"])
        names = trigger_names(connection.vendor, "audit_auditentry")
        assert [message.id for message in found] == ["audit.E001"] * len(names)
        assert all(name in message.msg for name, message in zip(names, found, strict=True))
        with pytest.raises(CommandError, match=r"audit\.E001"):
            call_command("check", "--database", "default")
    assert missing_triggers(connection) == []


@proves("V16.4.2")
@pytest.mark.django_db
def test_a_harmless_trigger_under_the_right_name_is_found() -> None:
    # R6.2
    table = "audit_auditentry"
    names = trigger_names(connection.vendor, table)
    with triggers_off(AuditEntry), connection.cursor() as cursor:
        for statement in HARMLESS[connection.vendor]:
            cursor.execute(statement)
        assert missing_triggers(connection) == names
        for statement in drop_sql(connection.vendor, table):
            cursor.execute(statement)


@pytest.mark.django_db
def test_each_table_has_triggers_of_its_own() -> None:
    # R3.1
    with triggers_off(apps.get_model("transfers", "Entry")):
        assert missing_triggers(connection) == trigger_names(connection.vendor, "transfers_entry")


def test_without_a_database_to_look_at_the_check_says_nothing() -> None:
    # `manage.py check` runs before there is one.
    assert check_triggers_stand(databases=None) == []
