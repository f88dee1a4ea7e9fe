"""Rows that are written once: refused at model, queryset and database depth (R3.1, R6.2)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

from audit.actions import Action
from audit.models import AuditEntry
from audit.sealing import seal
from audit.services import record
from foundation.append_only import AppendOnlyError, append_only_models
from tests.asvs import proves

pytestmark = pytest.mark.trips_triggers


@pytest.fixture
def entry(db: Any) -> AuditEntry:
    return record(Action.LOGIN_FAILURE, actor=None, actor_label="somebody@example.com")


def unchanged(entry: AuditEntry) -> bool:
    return list(AuditEntry.objects.values_list("pk", "actor_label")) == [(entry.pk, "somebody@example.com")]


def test_a_saved_entry_is_neither_saved_again_nor_deleted(entry: AuditEntry) -> None:
    # R6.2
    for row in (entry, AuditEntry.objects.get(pk=entry.pk)):
        row.actor_label = "nobody@example.com"
        with pytest.raises(AppendOnlyError, match="never changed"):
            row.save()
        with pytest.raises(AppendOnlyError, match="never changed"):
            row.save(update_fields=["actor_label"])
        with pytest.raises(AppendOnlyError, match="never deleted"):
            row.delete()
    assert unchanged(entry)


@pytest.mark.gives_ids
def test_a_new_entry_under_an_old_key_does_not_overwrite(entry: AuditEntry) -> None:
    # R6.2: plain save() would try an UPDATE.
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry(pk=entry.pk, action="LOGOUT", actor_label="nobody@example.com").save()
    assert unchanged(entry)


def values() -> dict[str, Any]:
    return {"action": "LOGOUT", "actor_label": "nobody@example.com"}


QUERYSET_ACTS: dict[str, Callable[[AuditEntry], Any]] = {
    "update": lambda entry: AuditEntry.objects.update(**values()),
    "filtered update": lambda entry: AuditEntry.objects.filter(pk=entry.pk).update(**values()),
    "delete": lambda entry: AuditEntry.objects.all().delete(),
    "raw delete": lambda entry: AuditEntry.objects.all()._raw_delete("default"),
    "bulk_update": lambda entry: AuditEntry.objects.bulk_update([entry], ["actor_label"]),
    "update_or_create": lambda entry: AuditEntry.objects.update_or_create(values(), pk=entry.pk),
    "bulk_create, ignoring conflicts": lambda entry: AuditEntry.objects.bulk_create(
        [AuditEntry(pk=entry.pk, **values())], ignore_conflicts=True
    ),
    "bulk_create, updating on conflict": lambda entry: AuditEntry.objects.bulk_create(
        [AuditEntry(pk=entry.pk, **values())],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["actor_label"],
    ),
    "bulk_create, by position": lambda entry: AuditEntry.objects.bulk_create(
        [AuditEntry(pk=entry.pk, **values())], None, True
    ),
    "base manager": lambda entry: AuditEntry._base_manager.filter(pk=entry.pk).update(**values()),
}


@pytest.mark.parametrize("act", QUERYSET_ACTS)
def test_a_queryset_refuses(entry: AuditEntry, act: str) -> None:
    # R6.2
    with pytest.raises(AppendOnlyError, match="never changed or deleted"):
        QUERYSET_ACTS[act](entry)
    assert unchanged(entry)


def test_a_queryset_still_inserts_many(entry: AuditEntry) -> None:
    # R6.1
    AuditEntry.objects.bulk_create([AuditEntry(**values()), AuditEntry(**values())], batch_size=1)
    assert AuditEntry.objects.count() == 3


RAW_ACTS = {
    "UPDATE": "UPDATE audit_auditentry SET actor_label = 'nobody@example.com'",
    "DELETE": "DELETE FROM audit_auditentry",
}
SQLITE_ACTS = {
    # Without recursive_triggers these delete the old row and fire nothing.
    "REPLACE": "REPLACE INTO audit_auditentry SELECT * FROM audit_auditentry",
    "INSERT OR REPLACE": "INSERT OR REPLACE INTO audit_auditentry SELECT * FROM audit_auditentry",
    "UPDATE OR REPLACE": "UPDATE OR REPLACE audit_auditentry SET actor_label = 'nobody@example.com'",
    "UPSERT": "INSERT INTO audit_auditentry SELECT * FROM audit_auditentry WHERE true"
    " ON CONFLICT (id) DO UPDATE SET actor_label = 'nobody@example.com'",
}


@proves("V16.4.2")
@pytest.mark.parametrize("act", RAW_ACTS)
def test_the_database_refuses(entry: AuditEntry, act: str) -> None:
    # R6.2: statements that the ORM never sees.
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RAW_ACTS[act])
    assert unchanged(entry)


@pytest.mark.parametrize("act", SQLITE_ACTS)
def test_sqlite_refuses_replacing(entry: AuditEntry, act: str) -> None:
    # R6.2
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own statements")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SQLITE_ACTS[act])
    assert unchanged(entry)


def test_the_ledger_is_as_append_only_as_the_log(alice: Any, open_account: Any) -> None:
    # R3.1: the same guard at all three depths, with real rows in every table.
    open_account(alice, "5.00")
    seal()
    tables = {model._meta.db_table for model in append_only_models()}
    assert tables == {
        *("audit_auditentry", "audit_auditblock", "audit_auditblockentry"),
        *("transfers_transaction", "transfers_entry"),
    }
    for model in append_only_models():
        row = model.objects.first()
        assert row is not None
        for act in (row.save, row.delete, model.objects.all().delete):
            with pytest.raises(AppendOnlyError):
                act()
        column = model._meta.concrete_fields[1].column
        statements = [
            f"DELETE FROM {model._meta.db_table}",
            f"UPDATE {model._meta.db_table} SET {column} = {column}",
        ]
        for statement in statements:
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                connection.cursor().execute(statement)


def test_a_seal_cannot_be_truncated(entry: AuditEntry) -> None:
    # R6.3: TRUNCATE bypasses row triggers.
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's own statement")
    seal()
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")  # a deferred check would refuse it, too
    for table in ("audit_auditentry", "audit_auditblock", "audit_auditblockentry"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(f"TRUNCATE {table} CASCADE")


def test_a_customer_with_money_cannot_be_deleted_with_their_history(alice: Any, open_account: Any) -> None:
    # R3.1: no cascade reaches the ledger.
    open_account(alice, "5.00")
    with pytest.raises(ProtectedError):
        alice.delete()
