"""A wrong key refuses to start reading rather than show garbage, and every key has an age (R8.1, R8.7)."""

import os
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.core import checks
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import User
from foundation.keys import encryption
from foundation.keys import records as key_records
from foundation.keys.encryption import lookup_digest
from foundation.keys.records import WrongKey, begin, key_ages, note_keys, verify
from foundation.models import KeyRecord
from tests.asvs import proves
from tests.keys import environment_with
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

FIELD_OR_LOOKUP = pytest.mark.parametrize("ring", ["FIELD_KEYS", "LOOKUP_KEYS"])


@pytest.fixture
def a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a process that has compared nothing yet."""
    monkeypatch.setattr(key_records, "_verified", False)


def put(settings: Any, ring: str, **keys: bytes) -> None:
    setattr(settings, ring, keys)


def faults() -> list[str]:
    return [fault.msg for fault in run_checks(tags=[Tags.database], databases=["default"])]


def test_a_fresh_database_knows_the_keys_it_was_made_with() -> None:
    # R8.1: written by `migrate`.
    known = {(record.ring, record.kid): record for record in KeyRecord.objects.all()}
    assert {ring for ring, _ in known} == {*key_records.RINGS, "SECRET_KEY"}
    assert all(record.first_used_at and not record.retired_at for record in known.values())
    assert faults() == []


def test_a_check_value_is_another_for_each_key_and_tells_nothing_of_it() -> None:
    # R8.1
    key = secrets.token_bytes(32)
    value = key_records.check_value(key)
    assert value == key_records.check_value(key) != key_records.check_value(secrets.token_bytes(32))
    assert len(value) == 64
    assert key.hex() not in value
    assert str(KeyRecord(ring="FIELD_KEYS", kid="k1")) == "FIELD_KEYS:k1"


@in_one_world("ring", key_records.RINGS)
def test_other_key_material_under_the_same_id_is_refused(settings: Any, ring: str, a_new_process: None) -> None:
    # Shows 8: a wrong key refuses to start reading.
    key = secrets.token_bytes(32)
    put(settings, ring, k1=key)
    with pytest.raises(WrongKey, match=f"{ring}: the key k1 is not the one that this bank has used") as refusal:
        verify()
    assert isinstance(refusal.value, ImproperlyConfigured)
    assert key.hex() not in str(refusal.value)
    with pytest.raises(WrongKey):
        note_keys()
    assert any(f"{ring}: the key k1 is not" in fault for fault in faults())
    with pytest.raises(WrongKey):
        begin()


@proves("V11.2.5")
@FIELD_OR_LOOKUP
def test_two_ids_that_were_swapped_are_refused_and_named(settings: Any, ring: str) -> None:
    # Shows 8
    old, new = getattr(configured, ring)["k1"], secrets.token_bytes(32)
    put(settings, ring, k2=new, k1=old)
    note_keys()
    put(settings, ring, k2=old, k1=new)
    with pytest.raises(WrongKey, match=f"{ring}: the key k2 is not.* It is that of {ring} k1"):
        verify()


def test_an_id_that_differs_in_case_alone_is_refused(settings: Any) -> None:
    # SQL Server, and LIKE on SQLite, take K1 and k1 for the same.
    put(settings, "FIELD_KEYS", K1=secrets.token_bytes(32))
    with pytest.raises(WrongKey, match="FIELD_KEYS: the id K1 was k1 before"):
        verify()


def test_nothing_is_opened_sealed_or_looked_up_with_a_wrong_key(alice: Any, settings: Any, a_new_process: None) -> None:
    # Shows 8: once per process, before the first row.
    row = User.objects.get(pk=alice.pk)
    right = settings.FIELD_KEYS
    put(settings, "FIELD_KEYS", k1=secrets.token_bytes(32))
    for _ in range(2):
        with pytest.raises(WrongKey):
            _ = row.phone
    with pytest.raises(WrongKey), transaction.atomic():
        User(email="new@example.com", first_name="New", phone="1").save()
    with pytest.raises(WrongKey):
        lookup_digest("1")
    settings.FIELD_KEYS = right
    assert row.phone == alice.phone


def test_the_comparison_is_one_statement_for_a_process(
    alice: Any, a_new_process: None, django_assert_num_queries: Any
) -> None:
    row = User.objects.get(pk=alice.pk)
    with django_assert_num_queries(1):
        _ = row.phone, row.address, lookup_digest("1")


def test_the_check_stands_in_front_of_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    assert encryption._before_use == [key_records.verify_once]


def test_a_key_that_waits_behind_has_no_age_and_is_needed_by_nobody(settings: Any) -> None:
    # docs/keys.md: the first step of a roll-out is a new key behind the old one, on one machine after the other.
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = old | {"k2": secrets.token_bytes(32)}
    note_keys()
    assert KeyRecord.objects.get(ring="FIELD_KEYS", kid="k2").first_used_at is None
    settings.FIELD_KEYS = old
    assert faults() == [], "a machine that does not have it yet may start again"


@FIELD_OR_LOOKUP
def test_a_used_key_that_is_missing_is_a_fault_until_it_is_retired(settings: Any, ring: str) -> None:
    # R8.1
    old = getattr(settings, ring)
    new = {"k2": secrets.token_bytes(32)}
    setattr(settings, ring, new | old)
    note_keys()
    setattr(settings, ring, new)
    assert faults() == [f"{ring}: the key k1 has been used, was never retired, and is missing from the environment."]
    KeyRecord.objects.filter(ring=ring, kid="k1").update(retired_at=timezone.now())
    assert faults() == []


def test_a_row_under_a_key_that_is_not_there_is_a_fault(alice: Any, open_account: Any, settings: Any) -> None:
    # R8.1: also when no record speaks of the key.
    open_account(alice)
    settings.FIELD_KEYS = {"k2": secrets.token_bytes(32)}
    settings.LOOKUP_KEYS = {"k3": secrets.token_bytes(32)}
    KeyRecord.objects.all().delete()
    found = faults()
    assert "FIELD_KEYS: accounts.user has rows under a key that is not in the environment." in found
    assert "LOOKUP_KEYS: accounts.bankaccount has rows under a key that is not in the environment." in found


def test_what_was_given_up_is_no_more_than_a_warning(alice: Any, settings: Any) -> None:
    # docs/keys.md: a lost key must not stop the bank forever.
    settings.FIELD_KEYS = {"k2": secrets.token_bytes(32)}
    KeyRecord.objects.filter(ring="FIELD_KEYS").update(retired_at=timezone.now())
    found = run_checks(tags=[Tags.database], databases=["default"])
    assert {(fault.id, fault.level) for fault in found} == {("accounts.W001", checks.WARNING)}
    assert "FIELD_KEYS: accounts.user has rows under a key that is not in the environment." in faults()


def test_a_column_that_does_not_exist_yet_is_not_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    # `migrate` checks before it migrates.
    monkeypatch.setattr(connection.introspection, "get_table_description", lambda cursor, table: [])
    assert faults() == []
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_, **__: ["auth_group"])
    assert [fault for fault in faults() if "key" in fault] == []
    KeyRecord.objects.all().delete()
    key_records.note_after_migrate(sender=None, using="default")
    assert not KeyRecord.objects.exists()


@FIELD_OR_LOOKUP
def test_a_retired_key_must_not_seal_again(settings: Any, ring: str) -> None:
    KeyRecord.objects.filter(ring=ring, kid="k1").update(retired_at=timezone.now())
    with pytest.raises(WrongKey, match=f"{ring}: the key k1 was retired and stands first"):
        verify()
    setattr(settings, ring, {"k2": secrets.token_bytes(32)} | getattr(settings, ring))
    verify()


def test_a_database_older_than_the_records_takes_all_its_keys_for_used(settings: Any) -> None:
    KeyRecord.objects.all().delete()
    settings.FIELD_KEYS = {"k2": secrets.token_bytes(32)} | settings.FIELD_KEYS
    note_keys()
    assert KeyRecord.objects.filter(ring="FIELD_KEYS", first_used_at__isnull=False).count() == 2


def test_the_ages_of_all_keys_are_known(settings: Any) -> None:
    # R8.5: for the security audit.
    old = settings.FIELD_KEYS
    KeyRecord.objects.filter(ring="FIELD_KEYS").update(first_used_at=timezone.now() - timedelta(days=400))
    settings.FIELD_KEYS = old | {"k2": secrets.token_bytes(32)}
    note_keys()
    ages = key_ages()
    assert [age for age in ages if age.ring == "FIELD_KEYS"] == [
        ("FIELD_KEYS", "k1", 400, True),
        ("FIELD_KEYS", "k2", 0, False),
    ]
    assert {age.ring for age in ages} == {*key_records.RINGS, "SECRET_KEY"}
    settings.FIELD_KEYS = {"k2": settings.FIELD_KEYS["k2"]} | old
    note_keys()
    later = timezone.now() + timedelta(days=3)
    assert [age.days for age in key_ages(later) if age.ring == "FIELD_KEYS"] == [3, 403]


def test_another_secret_key_is_another_entry_and_no_fault(settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    note_keys()
    assert KeyRecord.objects.filter(ring="SECRET_KEY").count() == 2
    settings.SECRET_KEY_FALLBACKS = []
    assert faults() == []


@proves("V13.3.4")
def test_a_session_goes_on_when_the_secret_key_is_replaced(alice: Any, browser_of: Any, settings: Any) -> None:
    # R8.7: SECRET_KEY_FALLBACKS.
    browser, idle = browser_of(alice), browser_of(alice)
    assert browser.get("/profile/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    assert browser.get("/profile/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert browser.get("/profile/").status_code == 200, "signed anew meanwhile"
    assert idle.get("/profile/").status_code == 302


def test_a_worker_starts_without_a_database_that_it_may_write(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise DatabaseError("attempt to write a readonly database")

    monkeypatch.setattr(key_records, "note_keys", fail)
    begin()
    assert "The keys could not be noted at the start: DatabaseError" in caplog.text


@in_one_world("same", [True, False])
def test_if_two_processes_note_a_key_the_slower_one_compares(
    settings: Any, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    # R8.7: two machines were given different keys under one id.
    settings.TOKEN_KEYS = {"k2": secrets.token_bytes(32)} | settings.TOKEN_KEYS
    add, theirs = key_records._add, settings.TOKEN_KEYS["k2"] if same else secrets.token_bytes(32)

    def be_slower(using: str, key: Any, **kwargs: Any) -> None:
        add(using, key._replace(check_value=key_records.check_value(theirs)), **kwargs)
        add(using, key, **kwargs)

    monkeypatch.setattr(key_records, "_add", be_slower)
    if same:
        note_keys()
    else:
        with pytest.raises(WrongKey, match="TOKEN_KEYS: the key k2 is not the one"):
            note_keys()
    assert KeyRecord.objects.filter(ring="TOKEN_KEYS", kid="k2").count() == 1


# --- Programs, each with an environment of its own ------------------------------------------------------------


def test_the_environment_of_these_tests_is_whole() -> None:
    assert set(key_records.RINGS) <= environment_with().keys()
    assert "PATH" in os.environ


def test_a_wrong_key_stops_the_command_that_rotates(settings: Any) -> None:
    # Shows 8
    put(settings, "LOOKUP_KEYS", k1=secrets.token_bytes(32))
    for options in ({}, {"dry_run": True}, {"retire": "FIELD_KEYS:k1"}):
        with pytest.raises(CommandError, match=r"Nothing was written\. LOOKUP_KEYS: the key k1"):
            call_command("rotate_keys", **options)
