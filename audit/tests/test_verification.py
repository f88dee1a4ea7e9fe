"""`manage.py verify_audit_log` names the first altered, missing or inserted entry, and nothing else (R6.3)."""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from audit import digests, sealing
from audit.management.commands import verify_audit_log
from audit.models import AuditBlock, AuditBlockEntry, AuditEntry
from audit.sealing import seal
from foundation import slices
from tests.asvs import proves
from tests.plugin import triggers_off

ENTRY, BLOCK, LINK = (model._meta.db_table for model in (AuditEntry, AuditBlock, AuditBlockEntry))

only_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="The other engines keep types themselves.")


@pytest.fixture(autouse=True)
def log(entries: Callable[[int], list[AuditEntry]], monkeypatch: pytest.MonkeyPatch) -> list[AuditEntry]:
    """Twelve entries, sealed in blocks of four, read by threes."""
    monkeypatch.setattr(sealing, "BLOCK_SIZE", 4)
    monkeypatch.setattr(slices, "BATCH", 3)
    made = entries(12)
    seal()
    return made


def export(path: Path) -> Path:
    call_command("export_audit_head", str(path))
    return path


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_shows_how_far_it_is() -> None:
    output, terminal = StringIO(), Terminal()
    call_command("verify_audit_log", stdout=output, stderr=terminal)
    assert "\rblocks: 3, entries: 12" in terminal.getvalue()
    assert "\r" not in output.getvalue()


# --- Altered ------------------------------------------------------------------------------------------------


@proves("V16.4.2")
@pytest.mark.parametrize(
    "change",
    [
        "action = 'LOGOUT'",
        "at = '2020-01-01 00:00:00'",
        "actor_id = 1",
        "actor_label = 'guess 05'",
        "actor_label = 'Guess 5'",
        "actor_label = 'guess 5 '",
        "subject_type = 'user'",
        "subject_id = '1'",
        "concerns_id = 1",
        "ip = '203.0.113.7'",
        "request_id = 'f'",
        """details = '{"a": 6, "b": 1}'""",
        """details = '{"a": 5}'""",
        """details = '{"a": "5", "b": 1}'""",
        "evidence_digest = 'f'",
    ],
)
def test_an_altered_entry_is_named(log: list[AuditEntry], tamper: Any, found: Any, change: str) -> None:
    tamper(f"UPDATE {ENTRY} SET {change} WHERE id = %s", log[5].pk)
    assert found() == found("--all") == f"entry {log[5].pk} (block 2, position 2) is not as it was sealed"


def test_a_microsecond_shows(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    at = AuditEntry._meta.get_field("at").get_db_prep_value(log[5].at + timedelta(microseconds=1), connection)
    tamper(f"UPDATE {ENTRY} SET at = %s WHERE id = %s", at, log[5].pk)
    assert found().startswith(f"entry {log[5].pk} ")


def test_the_first_of_several_is_named_and_all_on_request(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    for entry in (log[9], log[2], log[6]):
        tamper(f"UPDATE {ENTRY} SET action = 'LOGOUT' WHERE id = %s", entry.pk)
    assert found().startswith(f"entry {log[2].pk} ")
    named = [line.split()[1] for line in found("--all").splitlines()]
    assert named == [str(log[index].pk) for index in (2, 6, 9)]


@only_sqlite
@pytest.mark.parametrize(
    "change",
    [
        *("at = 'yesterday'", "at = '2026-13-45 00:00:00'", "at = x'00'", "actor_id = 'Ada'", "actor_id = 1.5"),
        *("actor_label = x'ff'", "concerns_id = x'ff'"),
    ],
)
def test_an_entry_that_can_no_longer_be_read_is_named(
    log: list[AuditEntry], tamper: Any, found: Any, change: str
) -> None:
    tamper(f"UPDATE {ENTRY} SET {change} WHERE id = %s", log[5].pk)
    assert found() == found("--all") == f"entry {log[5].pk} (block 2, position 2) is not as it was sealed"


def test_json_spelled_in_another_way_is_the_same(log: list[AuditEntry], tamper: Any, verify: Any) -> None:
    """A copy on another engine verifies: PostgreSQL sorts keys, SQLite keeps spaces."""
    tamper(f"""UPDATE {ENTRY} SET details = '{{ "a":5,  "b" : 1}}' WHERE id = %s""", log[5].pk)
    verify()


# --- Missing ------------------------------------------------------------------------------------------------


@proves("V16.4.2")
@pytest.mark.parametrize("index", [0, 5, 11])
def test_a_deleted_entry_is_named(log: list[AuditEntry], tamper: Any, found: Any, index: int) -> None:
    tamper(f"DELETE FROM {ENTRY} WHERE id = %s", log[index].pk)
    where = f"block {index // 4 + 1}, position {index % 4 + 1}"
    assert found() == f"entry {log[index].pk} ({where}) is missing"


@pytest.mark.parametrize("index", [0, 5, 11])
def test_an_entry_deleted_with_its_place_in_the_list_is_noticed(
    log: list[AuditEntry], tamper: Any, found: Any, index: int
) -> None:
    tamper(f"DELETE FROM {LINK} WHERE entry_id = %s", log[index].pk)
    tamper(f"DELETE FROM {ENTRY} WHERE id = %s", log[index].pk)
    assert (
        found()
        == found("--all")
        == (f"block {index // 4 + 1}: the entry at position {index % 4 + 1} is missing from its list")
    )


def test_closing_the_gap_in_the_list_does_not_help(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    tamper(f"DELETE FROM {LINK} WHERE entry_id = %s", log[5].pk)
    tamper(f"DELETE FROM {ENTRY} WHERE id = %s", log[5].pk)
    for entry in log[6:8]:
        tamper(f"UPDATE {LINK} SET position = position - 1 WHERE entry_id = %s", entry.pk)
    assert found() == f"entry {log[6].pk} (block 2, position 2) is not as it was sealed"


def test_a_deleted_block_is_named(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {LINK} WHERE block_id = (SELECT id FROM {BLOCK} WHERE number = 2)")
    tamper(f"DELETE FROM {BLOCK} WHERE number = 2")
    assert found() == found("--all") == "block 2 is missing before block 3"


def cut_tail() -> None:
    with triggers_off(), connection.cursor() as cursor:
        last = f"(SELECT id FROM {BLOCK} WHERE number = 3)"
        cursor.execute(f"DELETE FROM {ENTRY} WHERE id IN (SELECT entry_id FROM {LINK} WHERE block_id = {last})")
        cursor.execute(f"DELETE FROM {LINK} WHERE block_id = {last}")
        cursor.execute(f"DELETE FROM {BLOCK} WHERE number = 3")


@proves("V16.4.3")
def test_a_cut_tail_shows_against_the_head_that_was_kept(tmp_path: Path, verify: Any, found: Any) -> None:
    head = export(tmp_path / "head.json")
    verify("--head", str(head))
    cut_tail()
    verify()
    assert found("--head", str(head)) == (
        "block 3, the head that was kept, is missing: the tail of the log was cut off"
    )


def test_a_tail_that_grew_again_shows_too(tmp_path: Path, entries: Any, verify: Any, found: Any) -> None:
    head = export(tmp_path / "head.json")
    cut_tail()
    entries(4)
    seal()
    verify()
    assert found("--head", str(head)) == "block 3 is not the head that was kept: the log was made anew"


def test_an_old_head_is_still_a_proof(tmp_path: Path, entries: Any, verify: Any) -> None:
    head = export(tmp_path / "head.json")
    entries(1)
    seal()
    verify("--head", str(head))


# --- Inserted -----------------------------------------------------------------------------------------------


def inserted() -> AuditEntry:
    entry = AuditEntry(action="LOGOUT", actor_label="never happened")
    entry.save()
    return entry


@pytest.mark.parametrize("position", [-1, 0, 5, 100])
def test_an_entry_inserted_into_a_block_is_named(found: Any, position: int) -> None:
    entry, block = inserted(), AuditBlock.objects.get(number=2)
    AuditBlockEntry(block=block, position=position, entry_id=entry.pk, digest="0" * 64).save()
    assert found() == found("--all") == f"entry {entry.pk} (block 2, position {position}) was inserted"


def test_an_entry_that_replaces_another_is_named(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    entry = inserted()
    tamper(f"UPDATE {LINK} SET entry_id = %s WHERE entry_id = %s", entry.pk, log[5].pk)
    assert found() == f"entry {entry.pk} (block 2, position 2) is not as it was sealed"


def test_two_entries_that_changed_places_are_named(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    """Each with its own digest: the place is part of it."""
    for old, new in ((log[5].pk, -1), (log[9].pk, log[5].pk), (-1, log[9].pk)):
        tamper(f"UPDATE {LINK} SET entry_id = %s WHERE entry_id = %s", new, old)
    assert found() == f"entry {log[9].pk} (block 2, position 2) is not as it was sealed"


def test_a_forged_block_at_the_end_is_named(log: list[AuditEntry], found: Any) -> None:
    last, entry = AuditBlock.objects.get(number=3), inserted()
    block = AuditBlock(
        number=4,
        previous_hash=last.hash,
        entry_count=1,
        entries_digest="0" * 64,
        highest_entry_id=entry.pk,
        sealed_at=last.sealed_at,
        key_id=last.key_id,
        hash="0" * 64,
    )
    block.save()
    AuditBlockEntry(block=block, position=1, entry_id=entry.pk, digest="0" * 64).save()
    assert found() == "block 4 is not as it was sealed, or was not sealed by this bank"


# --- Blocks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "entry_count = 3",
        f"entries_digest = '{'0' * 64}'",
        "highest_entry_id = 0",
        "sealed_at = '2020-01-01 00:00:00'",
        f"hash = '{'0' * 64}'",
        "hash = 'ü'",
    ],
)
def test_an_altered_block_is_named(tamper: Any, found: Any, change: str) -> None:
    tamper(f"UPDATE {BLOCK} SET {change} WHERE number = 2")
    assert found() == "block 2 is not as it was sealed, or was not sealed by this bank"


def test_a_block_that_follows_another_is_named(tamper: Any, found: Any) -> None:
    tamper(f"UPDATE {BLOCK} SET previous_hash = '{'0' * 64}' WHERE number = 2")
    assert found() == "block 2 does not follow the block before it"


def test_an_altered_list_is_named(log: list[AuditEntry], tamper: Any, found: Any) -> None:
    tamper(f"UPDATE {LINK} SET digest = '{'0' * 64}' WHERE entry_id = %s", log[5].pk)
    assert found() == f"entry {log[5].pk} (block 2, position 2) is not as it was sealed"


def test_a_list_that_is_not_the_blocks_own_is_named(monkeypatch: pytest.MonkeyPatch, entries: Any, found: Any) -> None:
    """If the digests of entries and list were ever made separately."""
    with monkeypatch.context() as wrong:
        wrong.setattr(digests, "entries_digest", lambda digests: "0" * 64)
        entries(1)
        seal()
    assert found() == "block 4: the list of its entries is not as it was sealed"


@only_sqlite
def test_blocks_that_cannot_be_read_end_it_with_a_message(tamper: Any, verify: Any) -> None:
    tamper(f"UPDATE {BLOCK} SET sealed_at = '2026-13-45 00:00:00' WHERE number = 2")
    with pytest.raises(CommandError, match="cannot be read to its end") as error:
        verify()
    assert error.value.returncode == 1


# --- Everything made again ----------------------------------------------------------------------------------


def rewrite(tamper: Any, log: list[AuditEntry]) -> None:
    """Alter an entry, forget all blocks and seal again."""
    tamper(f"UPDATE {ENTRY} SET action = 'LOGOUT' WHERE id = %s", log[5].pk)
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {LINK}")
        cursor.execute(f"DELETE FROM {BLOCK}")
    seal()


@proves("V16.4.2")
def test_a_rewrite_without_the_key_is_named(log: list[AuditEntry], tamper: Any, found: Any, settings: Any) -> None:
    key_id, right = digests.newest_key_id(), settings.AUDIT_KEYS
    settings.AUDIT_KEYS = {"k1": secrets.token_bytes(32)}
    rewrite(tamper, log)
    settings.AUDIT_KEYS = right
    with pytest.raises(CommandError, match="Nothing was verified") as error:
        call_command("verify_audit_log", stdout=StringIO())
    assert error.value.returncode == 2, "under a key of the intruder's own"
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {BLOCK} SET key_id = %s", [key_id])
    assert found() == "block 1 is not as it was sealed, or was not sealed by this bank", "under the name of ours"


def test_a_rewrite_with_the_key_shows_against_the_head(
    log: list[AuditEntry], tamper: Any, found: Any, verify: Any, tmp_path: Path
) -> None:
    head = export(tmp_path / "head.json")
    rewrite(tamper, log)
    verify()
    assert found("--head", str(head)) == "block 3 is not the head that was kept: the log was made anew"


# --- Heads --------------------------------------------------------------------------------------------------


def test_the_head_is_that_of_the_last_block(tmp_path: Path) -> None:
    output = StringIO()
    call_command("export_audit_head", stdout=output)
    last = AuditBlock.objects.get(number=3)
    assert json.loads(output.getvalue()) == {
        "number": 3,
        "hash": last.hash,
        "sealed_at": last.sealed_at.isoformat(timespec="microseconds"),
        "count": 4,
    }
    assert json.loads(export(tmp_path / "head.json").read_text()) == json.loads(output.getvalue())


def test_where_nothing_is_sealed_there_is_no_head(tamper: Any) -> None:
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {LINK}")
        cursor.execute(f"DELETE FROM {BLOCK}")
    with pytest.raises(CommandError, match="Nothing is sealed yet"):
        call_command("export_audit_head")


def test_a_head_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="was not written"):
        export(tmp_path / "nowhere" / "head.json")


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "[]", "{}", '{"number": "x", "hash": "x"}', '{"number": null, "hash": ""}', "1"]
)
def test_a_file_that_holds_no_head_is_refused(tmp_path: Path, verify: Any, text: str | None) -> None:
    path = tmp_path / "head.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match="holds no head of the audit log") as error:
        verify("--head", str(path))
    assert error.value.returncode == 2


def test_a_database_that_does_not_answer_is_not_tampering(monkeypatch: pytest.MonkeyPatch, verify: Any) -> None:
    def away(**options: Any) -> NoReturn:
        raise OperationalError("the server has gone away")

    monkeypatch.setattr(verify_audit_log, "faults", away)
    with pytest.raises(CommandError, match="The database could not be read: the server has gone away") as error:
        verify()
    assert error.value.returncode == 2
