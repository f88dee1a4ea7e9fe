"""`rotate_keys` puts everything under the new keys, overwrites no edit and no unreadable row (R8.1, R9.2)."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import CharField
from django.test import Client
from django.utils import timezone

from accounts.bank_accounts import find_by_number
from accounts.models import BankAccount, Registration, TotpDevice, User
from audit.actions import Action
from audit.models import AuditEntry
from audit.sealing import seal as seal_audit_log
from audit.services import record
from bankproject.operations import key_rotation
from foundation import outbox
from foundation.keys import columns as sealed_columns
from foundation.keys.columns import sealed_tables
from foundation.keys.encryption import DigestField, EncryptedField, lookup_digest
from foundation.models import KeyRecord, OutboxMessage
from tests.acts import register
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

# The sealed columns of a bank. A new column must be added here, so that its rotation is considered.
COLUMNS = {
    "accounts.user": {"phone", "address"},
    "accounts.registration": {"phone", "address"},
    "accounts.totpdevice": {"key"},
    "accounts.bankaccount": {"number", "number_digest"},
    "accounts.pendingact": {"payload"},
    "foundation.outboxmessage": {"payload"},
    "support.servicerequest": {"payload"},
}
# Columns called digests that depend on no key: SHA-256 of random tokens, of inputs, of a movement.
KEYLESS = {"token_digest", "key_digest", "inputs_digest", "evidence_digest", "entries_digest", "digest", "jti_digest"}


@pytest.fixture
def new_keys(settings: Any) -> Callable[[], None]:
    """Put a new key first in the rings that are rotated."""

    def put() -> None:
        for ring in ("FIELD_KEYS", "LOOKUP_KEYS"):
            old = getattr(settings, ring)
            setattr(settings, ring, {f"k{len(old) + 1}": secrets.token_bytes(32)} | old)

    return put


@pytest.fixture
def bank(alice: Any, bob: Any, open_account: Any) -> Any:
    """Return a bank with something in each of the columns."""
    register(Client())
    account = open_account(alice, "5.00")
    outbox.tell("two_factor_enabled", user=alice.pk)
    # By name: this file must not import the apps above.
    apps.get_model("support", "ServiceRequest")(customer=alice, kind="update_identity", payload='{"a":"b"}').save()
    return account


def rotate(**options: Any) -> str:
    out, errors = StringIO(), StringIO()
    try:
        call_command("rotate_keys", stdout=out, stderr=errors, **options)
    except CommandError as error:
        return f"{out.getvalue()}{errors.getvalue()}CommandError: {error}"
    return out.getvalue() + errors.getvalue()


def stored() -> list[str]:
    """Return every text in every column, as it is in the database."""
    texts = []
    with connection.cursor() as cursor:
        for table in sealed_tables():
            for name in table.ring_of_columns():
                cursor.execute(f"SELECT {name} FROM {table.table_name} WHERE {name} IS NOT NULL")
                texts += [row[0] for row in cursor.fetchall()]
    return texts


def write_raw(table: str, name: str, pk: int, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {name} = %s WHERE id = %s", [value, pk])


@proves("V11.2.2")
def test_every_sealed_column_and_every_digest_is_known() -> None:
    # R8.1: found by walking the models, so that none can be forgotten.
    assert {str(table): set(table.ring_of_columns()) for table in sealed_tables()} == COLUMNS


def test_no_digest_of_ours_depends_on_a_key_unnoticed() -> None:
    ours = {"accounts", "audit", "support", "transfers"}
    named = {
        field.name
        for model in apps.get_models()
        if model._meta.app_label in ours
        for field in model._meta.concrete_fields
        if "digest" in field.name and not isinstance(field, DigestField)
    }
    assert named <= KEYLESS


def test_a_digest_is_a_column_of_characters_to_a_migration() -> None:
    field = BankAccount._meta.get_field("number_digest")
    assert isinstance(field, DigestField)
    assert field.digest_of == "number"
    assert field.deconstruct()[1] == "django.db.models.CharField"
    assert isinstance(field.clone(), CharField)


def test_everything_is_under_the_new_keys_and_says_the_same(bank: Any, settings: Any, new_keys: Any) -> None:
    # R8.1, R9.2
    key = TotpDevice.objects.get(user=bank.owner).key
    new_keys()
    output = rotate(batch=2)
    assert "accounts.user: 2 rows sealed anew." in output
    assert stored()
    assert all(text.startswith("k2.") for text in stored())
    settings.FIELD_KEYS = {"k2": settings.FIELD_KEYS["k2"]}
    settings.LOOKUP_KEYS = {"k2": settings.LOOKUP_KEYS["k2"]}
    alice = User.objects.get(pk=bank.owner_id)
    assert (alice.phone, alice.address) == ("+49 30 5550101", "Lindenallee 4\nBerlin")
    assert TotpDevice.objects.get(user=alice).key == key
    assert Registration.objects.get().phone == "+49 40 5550199"
    assert find_by_number(bank.number) == bank
    assert apps.get_model("support", "ServiceRequest").objects.get().payload == '{"a":"b"}'
    assert all(message.payload.startswith("{") for message in OutboxMessage.objects.all())


@in_one_world(("ring", "number", "digest"), [("FIELD_KEYS", "k2", "k1"), ("LOOKUP_KEYS", "k1", "k2")])
def test_a_ring_is_rotated_without_the_other(bank: Any, settings: Any, ring: str, number: str, digest: str) -> None:
    setattr(settings, ring, {"k2": secrets.token_bytes(32)} | getattr(settings, ring))
    rotate()
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, number_digest FROM accounts_bankaccount WHERE id = %s", [bank.pk])
        assert [text.partition(".")[0] for text in cursor.fetchone()] == [number, digest]
    assert find_by_number(bank.number) == bank


def test_a_second_run_finds_nothing_and_writes_nothing(bank: Any, new_keys: Any) -> None:
    new_keys()
    rotate()
    before, entries = stored(), AuditEntry.objects.count()
    assert "sealed anew" not in rotate()
    assert (stored(), AuditEntry.objects.count()) == (before, entries)


def test_a_run_says_how_far_it_is_and_what_each_key_is_needed_for(bank: Any, new_keys: Any) -> None:
    new_keys()
    before = rotate(dry_run=True)
    assert "accounts.user: 2 rows to seal anew." in before
    assert "FIELD_KEYS k1: 13 values; still needed." in before
    assert "FIELD_KEYS k2: 0 values; seals now." in before
    seal_audit_log()
    output = rotate(batch=1)
    assert "accounts.user: 1 of 2\naccounts.user: 2 of 2\n" in output
    assert "FIELD_KEYS k2: 13 values; seals now." in output
    assert "FIELD_KEYS k1: 0 values; rotate_keys --retire FIELD_KEYS:k1, then take it out." in output
    assert "LOOKUP_KEYS k2: 1 values; seals now." in output
    assert "AUDIT_KEYS k1: 1 blocks; seals now." in output


def test_a_dry_run_changes_nothing(bank: Any, new_keys: Any) -> None:
    new_keys()
    before, entries, keys = stored(), AuditEntry.objects.count(), KeyRecord.objects.count()
    rotate(dry_run=True)
    assert (stored(), AuditEntry.objects.count(), KeyRecord.objects.count()) == (before, entries, keys)


@proves("V16.3.3")
def test_a_rotation_is_in_the_audit_log_from_its_beginning(bank: Any, new_keys: Any) -> None:
    # R6.1: also one that was killed.
    new_keys()
    rotate()
    began, ended = AuditEntry.objects.filter(action__startswith="KEY").order_by("pk")
    assert (began.action, ended.action) == (Action.KEY_ROTATION_BEGAN, Action.KEYS_ROTATED)
    assert began.actor_label == ended.actor_label == "terminal"
    assert began.details["keys"] == {"FIELD_KEYS": "k2", "LOOKUP_KEYS": "k2"}
    assert began.details["rows"] == ended.details["rows"]
    assert ended.details["rows"]["accounts.user"] == 2
    assert ended.details["unreadable"] == 0


# --- What must not be touched -------------------------------------------------------------------------------


@in_one_world("garbage", ["k1.AAAA", "plain text", "k7.AAAA", ""])
def test_a_row_that_does_not_open_is_named_and_left_and_the_others_are_done(
    alice: Any, bob: Any, new_keys: Any, garbage: str
) -> None:
    # R8.1: never overwritten, or a backup's right value would be lost.
    write_raw("accounts_user", "phone", alice.pk, garbage)
    new_keys()
    output = rotate()
    assert f"accounts.user {alice.pk} does not open; it was left as it is." in output
    assert "accounts.user: 1 rows sealed anew." in output
    assert "CommandError: Not everything could be opened." in output
    with connection.cursor() as cursor:
        cursor.execute("SELECT phone FROM accounts_user WHERE id = %s", [alice.pk])
        assert cursor.fetchone()[0] == garbage
    assert User.objects.get(pk=bob.pk).phone == ""
    assert AuditEntry.objects.get(action=Action.KEYS_ROTATED).details["unreadable"] == 1


def test_values_under_a_key_that_the_bank_never_had_are_counted(alice: Any) -> None:
    write_raw("accounts_user", "phone", alice.pk, "k7.AAAA")
    output = rotate(dry_run=True)
    assert "FIELD_KEYS: 1 values name a key that the bank never had." in output


@proves("V11.2.2")
def test_a_swapped_digest_is_not_made_honest(bank: Any, new_keys: Any) -> None:
    # R8.1: a payment to it is refused before, and must be after.
    write_raw("accounts_bankaccount", "number_digest", bank.pk, lookup_digest("somebody else's"))
    new_keys()
    output = rotate()
    assert f"accounts.bankaccount {bank.pk} does not open" in output
    assert BankAccount.objects.get(pk=bank.pk).number_digest.startswith("k1.")  # type: ignore[union-attr]


def test_an_edit_between_reading_and_writing_is_kept(alice: Any, new_keys: Any, monkeypatch: Any) -> None:
    # R3.4 in spirit: the old value must not come back.
    new_keys()
    write, edits = key_rotation._write, iter(["+49 1", "+49 2"])

    def be_late(table: Any, changes: Any) -> int:
        phone = next(edits, None) if str(table) == "accounts.user" else None
        if phone:
            row = User.objects.get(pk=alice.pk)
            row.phone = phone
            row.save(update_fields=["phone"])
        return write(table, changes)

    monkeypatch.setattr(key_rotation, "_write", be_late)
    rotate()
    row = User.objects.get(pk=alice.pk)
    assert (row.phone, row.address) == ("+49 2", "Lindenallee 4\nBerlin")


def test_what_is_saved_from_a_row_read_before_is_looked_at_again(
    alice: Any, bob: Any, new_keys: Any, monkeypatch: Any
) -> None:
    # A whole save() puts back the old ciphertext, as it was read.
    early = User.objects.get(pk=alice.pk)
    new_keys()
    write, late = key_rotation._write, iter([early])

    def then_saved(table: Any, changes: Any) -> int:
        count = write(table, changes)
        if str(table) == "accounts.user" and (row := next(late, None)):
            row.save()
        return count

    monkeypatch.setattr(key_rotation, "_write", then_saved)
    rotate()
    assert all(text.startswith("k2.") for text in stored())


def test_a_machine_that_goes_on_with_the_old_key_does_not_hold_it_up_forever(
    alice: Any, new_keys: Any, monkeypatch: Any
) -> None:
    early, new = User.objects.get(pk=alice.pk), new_keys
    new()
    write, passes = key_rotation._write, []

    def and_back(table: Any, changes: Any) -> int:
        count = write(table, changes)
        if str(table) == "accounts.user":
            passes.append(count)
            early.save()
        return count

    monkeypatch.setattr(key_rotation, "_write", and_back)
    assert "FIELD_KEYS k1: 2 values; still needed." in rotate()
    assert passes == [1] * 5


# --- Retiring -----------------------------------------------------------------------------------------------


@proves("V13.3.4")
def test_a_key_is_retired_when_nothing_needs_it_and_not_before(bank: Any, new_keys: Any) -> None:
    # Issue 5: old keys retired only when nothing uses them.
    new_keys()
    refusal = rotate(retire="FIELD_KEYS:k1")
    assert "FIELD_KEYS: the key k1 is still needed for 13 values. Run rotate_keys first." in refusal
    assert not KeyRecord.objects.filter(retired_at__isnull=False).exists()
    rotate()
    output = rotate(retire="k1")
    assert "FIELD_KEYS: the key k1 is retired. Take it out of the environment of every machine." in output
    assert "LOOKUP_KEYS: the key k1 is retired." in output
    assert KeyRecord.objects.filter(kid="k1", retired_at__isnull=False).count() == 2
    assert "FIELD_KEYS k1: 0 values; retired, take it out of the environment." in rotate()
    entries = AuditEntry.objects.filter(action=Action.KEY_RETIRED)
    assert {entry.details["ring"] for entry in entries} == {"FIELD_KEYS", "LOOKUP_KEYS"}
    assert all(entry.details["values_given_up"] == 0 for entry in entries)
    rotate(retire="k1")
    assert entries.count() == 2, "once is enough"


def test_what_a_lagging_machine_seals_with_a_retired_key_is_said(alice: Any, settings: Any, new_keys: Any) -> None:
    new_keys()
    rotate()
    rotate(retire="k1")
    new = settings.FIELD_KEYS
    settings.FIELD_KEYS = {"k1": new["k1"]}
    alice.save()
    settings.FIELD_KEYS = new
    assert "FIELD_KEYS k1: 2 values, though it was retired: find the machine" in rotate(dry_run=True)
    assert "FIELD_KEYS k1: 0 values; retired" in rotate()


@in_one_world(
    ("named", "why"),
    [
        ("FIELD_KEYS:k1", "FIELD_KEYS: the key k1 stands first and seals"),
        ("FIELD_KEYS:k9", "The bank knows no key k9 of FIELD_KEYS"),
        ("WRONG:k1", "The bank knows no key k1 of WRONG"),
        ("k9", "No ring has a key k9 behind another one"),
        ("k1", "No ring has a key k1 behind another one"),
    ],
)
def test_what_cannot_be_retired_is_refused(named: str, why: str) -> None:
    assert why in rotate(retire=named)


@proves("V13.3.4")
def test_an_audit_key_stays_while_blocks_need_it(alice: Any, settings: Any) -> None:
    # R6.3, ADR 10: blocks are never sealed again.
    record(Action.LOGIN_FAILURE, actor=None)
    seal_audit_log()
    settings.AUDIT_KEYS = {"k2": secrets.token_bytes(32)} | settings.AUDIT_KEYS
    refusal = rotate(retire="AUDIT_KEYS:k1")
    assert "the key k1 is still needed for 1 sealed blocks of the audit log. Blocks are never sealed anew" in refusal
    assert "AUDIT_KEYS k1: 1 blocks; keep it while they are to be verified." in rotate(dry_run=True)


def test_a_key_of_tokens_is_retired_once_what_it_signed_is_over(settings: Any) -> None:
    settings.TOKEN_KEYS = {"k2": secrets.token_bytes(32)} | settings.TOKEN_KEYS
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert "tokens signed with the key k1 may still be good" in rotate(retire="TOKEN_KEYS:k1")
        clock.shift(timedelta(minutes=15))
        assert "TOKEN_KEYS: the key k1 is retired." in rotate(retire="TOKEN_KEYS:k1")


def test_what_only_a_lost_key_could_open_can_be_given_up(alice: Any, settings: Any, new_keys: Any) -> None:
    new_keys()
    assert "is not lost, it is in the environment" in rotate(retire="FIELD_KEYS:k1", lost=True)
    rotate(dry_run=True)
    KeyRecord.objects.create(ring="FIELD_KEYS", kid="k0", check_value="?", first_used_at=timezone.now())
    write_raw("accounts_user", "phone", alice.pk, "k0.AAAA")
    assert "still needed for 1 values" in rotate(retire="FIELD_KEYS:k0")
    assert "FIELD_KEYS: the key k0 is retired." in rotate(retire="FIELD_KEYS:k0", lost=True)
    assert AuditEntry.objects.get(action=Action.KEY_RETIRED).details["values_given_up"] == 1


@in_one_world("options", [{"batch": 0}, {"batch": 10_001}, {"lost": True}])
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    assert "CommandError: --" in rotate(**options)


# --- How it asks --------------------------------------------------------------------------------------------


def test_a_batch_is_one_read_and_one_update_a_row(
    make_user: Any, new_keys: Any, django_assert_num_queries: Any
) -> None:
    for number in range(6):
        make_user(f"User{number}", two_factor=False)
    new_keys()
    key_rotation.key_records.note_keys()
    table = next(table for table in sealed_tables() if table.model is User)
    done = key_rotation.Rotation()
    # Two batches: read, savepoint, three updates, release; then nothing, twice; each batch asks for the next.
    with django_assert_num_queries(2 * (1 + 2 + 3) + 2):
        key_rotation._rotate_table(table, 6, 3, done, lambda *_: None)
    assert done.sealed_anew == {"accounts.user": 6}


def test_a_replacement_needs_the_row_as_it_was_read(alice: Any) -> None:
    table = next(table for table in sealed_tables() if table.model is User)
    row = User.objects.get(pk=alice.pk)
    stored_then = sealed_columns.as_stored(table, row)
    anew = {"phone": "k2.x"}
    assert not sealed_columns.replace(table, alice.pk, stored=stored_then | {"phone": "k1.other"}, anew=anew)
    assert sealed_columns.replace(table, alice.pk, stored=stored_then, anew=anew)


def test_fields_are_of_the_kinds_that_are_looked_for() -> None:
    for table in sealed_tables():
        assert all(isinstance(field, EncryptedField) for field in table.sealed)
        assert all(isinstance(table.model._meta.get_field(field.digest_of), EncryptedField) for field in table.digests)
