"""The security audit finds a tampered ledger, a tampered log, a missing trigger and an old key (R3.1, R6.3, R8.5)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from accounts.models import BankAccount, User
from audit import sealing
from audit.models import AuditEntry
from bankproject.security_audit import books, catalogue
from bankproject.security_audit.results import State
from foundation.append_only import drop_sql
from foundation.keys import records as key_records
from foundation.models import KeyRecord
from tests.asvs import proves
from tests.plugin import triggers_off
from tests.tables import in_one_world
from transfers.models import Entry


@pytest.fixture
def everyday(alice: Any, open_account: Any) -> BankAccount:
    return open_account(alice, "100.00")


@contextmanager
def behind_the_banks_back() -> Iterator[Any]:
    with triggers_off(), connection.cursor() as cursor:
        yield cursor


def test_books_that_nobody_touched_pass(everyday: BankAccount) -> None:
    sealing.seal()
    assert books.ledger().state == books.audit_log().state == books.triggers().state == State.PASS
    assert "1 transactions" in books.ledger().sentence
    assert f"{AuditEntry.objects.count()} entries in 1 blocks" in books.audit_log().sentence


@proves("V16.4.2")
def test_a_tampered_ledger_fails_and_names_the_row(everyday: BankAccount) -> None:
    with behind_the_banks_back() as cursor:
        cursor.execute(f"UPDATE {Entry._meta.db_table} SET balance_after = 1 WHERE account_id = %s", [everyday.pk])
    result = books.ledger()
    assert result.state == State.FAIL
    assert any(f"account {everyday.pk}" in line for line in result.details)


def test_of_many_faults_some_are_named(everyday: BankAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books.ledger_verification, "faults", lambda progress: iter([f"row {n}" for n in range(50)]))
    assert books.ledger().details == (*(f"row {n}" for n in range(20)), "… and more")


def test_a_user_who_took_the_banks_name_before_it_was_reserved_is_found(alice: Any, bob: Any, settings: Any) -> None:
    # R1.8: by number, as the audit's output is read by many.
    assert books.names().state == State.PASS
    settings.BANK_NAME = "Archer’s Bank"
    User.objects.filter(pk=alice.pk).update(first_name="Bank", last_name="Archers")
    result = books.names()
    assert (result.state, result.details) == (State.FAIL, (f"user {alice.public_id}",))
    assert "Archers" not in result.sentence
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert books.names().state == State.PASS


@in_one_world("error", [ValueError, TypeError])
def test_books_that_cannot_be_read_to_their_end_fail(db: Any, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def unreadable(*args: Any, **kwargs: Any) -> Iterator[str]:
        yield "row 1"
        raise error("no number")

    monkeypatch.setattr(books.ledger_verification, "faults", unreadable)
    monkeypatch.setattr(books.log_verification, "faults", unreadable)
    for result in (books.ledger(), books.audit_log()):
        assert result.state == State.FAIL
        assert result.details == ("row 1", "it cannot be read to its end: no number")


@proves("V16.4.2")
def test_a_tampered_log_fails_and_names_the_entry(everyday: BankAccount) -> None:
    sealing.seal()
    entry = AuditEntry.objects.latest("pk")
    with behind_the_banks_back() as cursor:
        cursor.execute(f"UPDATE {AuditEntry._meta.db_table} SET actor_label = 'nobody' WHERE id = %s", [entry.pk])
    result = books.audit_log()
    assert result.state == State.FAIL
    assert f"entry {entry.pk} " in result.details[0]


def test_a_block_under_a_key_that_nobody_has_excuses_nothing(everyday: BankAccount, settings: Any) -> None:
    sealing.seal()
    settings.AUDIT_KEYS = {"k9": bytes(range(32))}
    result = books.audit_log()
    assert result.state == State.FAIL
    assert result.details[0].startswith("nothing was verified")


def test_a_dropped_trigger_fails_by_its_name(db: Any) -> None:
    table = AuditEntry._meta.db_table
    with triggers_off(AuditEntry):
        result = books.triggers()
    assert result.state == State.FAIL
    assert any(line.startswith(f"{table}_no_") and line.endswith("is missing") for line in result.details)
    assert drop_sql(connection.vendor, table)
    assert books.triggers().state == State.PASS


def test_a_table_that_is_not_there_is_no_guarded_table(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was never migrated has no missing trigger either."""
    monkeypatch.setattr(connection.introspection, "table_names", lambda: [])
    result = books.triggers()
    assert result.state == State.FAIL
    assert f"{Entry._meta.db_table}: there is no such table" in result.details


@in_one_world("error", [DatabaseError, InterfaceError])
def test_a_database_that_does_not_answer_was_not_looked_at(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def no_answer(subject: Any) -> Any:
        raise error("nobody there")

    monkeypatch.setitem(catalogue.CHECKS, "ledger", no_answer)
    [(name, result)] = catalogue.look_at(catalogue.Subject(None), ["ledger"])  # type: ignore[arg-type]
    assert (name, result.state) == ("ledger", State.NOT_REACHABLE)
    assert "nobody there" in result.sentence


# --- Keys -------------------------------------------------------------------------------------------------


@pytest.fixture
def _keys_of_today(db: Any) -> None:
    KeyRecord.objects.all().delete()
    key_records.note_keys()


def age(ring: str, days: int, **which: Any) -> None:
    changed = KeyRecord.objects.filter(ring=ring, **which).update(first_used_at=timezone.now() - timedelta(days=days))
    assert changed == 1


@pytest.mark.usefixtures("_keys_of_today")
def test_young_keys_pass() -> None:
    age("FIELD_KEYS", 365)
    result = books.key_ages_in_bounds()
    assert result.state == State.PASS
    assert "365 days old at most" in result.sentence


@proves("V13.3.4")
@pytest.mark.usefixtures("_keys_of_today")
@in_one_world("ring", ["SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS"])
def test_a_key_that_has_sealed_for_too_long_fails(ring: str, settings: Any) -> None:
    age(ring, 366)
    result = books.key_ages_in_bounds()
    assert result.state == State.FAIL
    assert ring in result.details[0]
    assert result.details[0].endswith("is 366 days old")
    settings.KEY_MAX_AGE_DAYS = 366
    assert books.key_ages_in_bounds().state == State.PASS


@pytest.mark.usefixtures("_keys_of_today")
@in_one_world(("ring", "state"), [("FIELD_KEYS", State.INFORMATION), ("AUDIT_KEYS", State.PASS)])
def test_an_old_key_behind_a_new_one_is_not_a_fault(settings: Any, ring: str, state: State) -> None:
    """The audit log needs its own forever; the others may go when nothing uses them."""
    (kid, old) = next(iter(getattr(settings, ring).items()))
    setattr(settings, ring, {"k77": bytes(range(32)), kid: old})
    key_records.note_keys()
    age(ring, 800, kid=kid)
    assert books.key_ages_in_bounds().state == state


@proves("V13.3.4")
@pytest.mark.usefixtures("_keys_of_today")
def test_another_key_under_a_known_id_fails(settings: Any) -> None:
    kid = next(iter(settings.FIELD_KEYS))
    settings.FIELD_KEYS = {kid: bytes(range(32))}
    result = books.key_ages_in_bounds()
    assert result.state == State.FAIL
    assert "FIELD_KEYS" in result.details[0]
