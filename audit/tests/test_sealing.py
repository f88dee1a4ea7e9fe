"""Entries are sealed in hash-linked blocks, each once, however late they are committed (R6.3)."""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit import digests, sealing
from audit.digests import UnknownKey
from audit.models import AuditBlock, AuditBlockEntry, AuditEntry
from audit.sealing import LATEST_COMMIT, seal, settled_id, unsealed
from tests.tables import in_one_world

Entries = Callable[[int], list[AuditEntry]]


def blocks() -> list[AuditBlock]:
    return list(AuditBlock.objects.order_by("number"))


def late(pk: int) -> AuditEntry:
    """Return an entry whose id was drawn before others that are sealed already."""
    entry = AuditEntry(pk=pk, action="LOGOUT", actor_label="late")
    entry.save()
    return entry


def test_every_entry_is_sealed_once_and_the_log_verifies(entries: Entries, verify: Any) -> None:
    made = entries(3)
    assert seal() == 3
    assert seal() == 0
    (block,) = blocks()
    assert (block.number, block.previous_hash, block.entry_count) == (1, "0" * 64, 3)
    assert block.highest_entry_id == made[-1].pk
    assert str(block) == "block 1"
    listed = list(AuditBlockEntry.objects.order_by("position"))
    assert [(row.position, row.entry_id) for row in listed] == [(n, e.pk) for n, e in enumerate(made, 1)]
    assert str(listed[0]) == f"entry {made[0].pk} at 1"
    assert "3 entries in 1 blocks. 0 entries are not sealed" in verify()


def test_an_empty_log_needs_no_block(db: Any, verify: Any) -> None:
    assert seal() == 0
    assert blocks() == []
    assert "0 entries in 0 blocks" in verify()


def test_blocks_are_of_a_size_and_each_follows_the_one_before(
    entries: Entries, monkeypatch: pytest.MonkeyPatch, verify: Any
) -> None:
    monkeypatch.setattr(sealing, "BLOCK_SIZE", 3)
    entries(7)
    assert seal() == 7
    entries(2)
    assert seal() == 2
    assert [block.entry_count for block in blocks()] == [3, 3, 1, 2]
    assert [block.number for block in blocks()] == [1, 2, 3, 4]
    assert [block.previous_hash for block in blocks()] == ["0" * 64, *(block.hash for block in blocks()[:-1])]
    assert "9 entries in 4 blocks" in verify()


def test_an_unsealed_entry_is_counted_and_not_a_fault(entries: Entries, verify: Any) -> None:
    entries(2)
    seal()
    entries(4)
    assert "2 entries in 1 blocks. 4 entries are not sealed yet" in verify()


@pytest.mark.gives_ids
def test_a_late_commit_joins_the_next_block(entries: Entries, verify: Any) -> None:
    made = entries(3)
    entry = late(made[-1].pk + 1)
    higher = AuditEntry(pk=made[-1].pk + 5, action="LOGOUT", actor_label="x")
    higher.save()
    seal()
    for pk in (entry.pk + 1, entry.pk + 2):
        late(pk)
        assert "1 entries are not sealed yet" in verify()
        assert seal() == 1
        listed = AuditBlockEntry.objects.get(block=blocks()[-1])
        assert listed.entry_id == pk
        assert blocks()[-1].highest_entry_id == higher.pk
    assert "7 entries in 3 blocks" in verify()


@pytest.mark.gives_ids
def test_a_commit_is_late_for_a_day_after_which_it_was_inserted(entries: Entries, verify: Any, found: Any) -> None:
    first = entries(1)[0]
    last = late(first.pk + 1000)
    start = timezone.now()
    seal(at=start)
    entries(1)
    seal(at=start + LATEST_COMMIT - timedelta(seconds=1))
    assert settled_id() == 0, "the first block may still have been passed by somebody writing"
    late(first.pk + 10)
    assert seal(at=start + LATEST_COMMIT) == 1
    assert settled_id() == last.pk, "but by now they have been found"
    verify()
    late(first.pk + 11)
    assert unsealed().count() == 0
    assert seal() == 0
    assert found() == f"entry {first.pk + 11} was inserted: its neighbours were sealed long before it came"


def test_sealing_does_not_read_settled_entries_again(entries: Entries) -> None:
    """Its cost does not grow with the log."""
    made = entries(3)
    start = timezone.now()
    seal(at=start)
    entries(1)
    seal(at=start + LATEST_COMMIT)
    entries(2)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert seal() == 2
    looked = [query["sql"] for query in queries if "EXISTS" in query["sql"]]
    assert len(looked) == 2
    assert f'"id" > {made[-1].pk}' in looked[0].replace("[", '"').replace("]", '"')


def test_a_clock_that_was_set_back_does_not_turn_the_chain_round(entries: Entries, verify: Any) -> None:
    now = timezone.now()
    for at in (now, now - timedelta(days=3)):
        entries(1)
        seal(at=at)
    assert [block.sealed_at for block in blocks()] == [now, now]
    verify()


def test_every_column_is_sealed() -> None:
    """A new column must be given to the digests, in a text of its own."""
    assert set(digests.SEALED_COLUMNS) == {field.attname for field in AuditEntry._meta.concrete_fields}


# --- Two at once --------------------------------------------------------------------------------------------


def test_the_slower_of_two_ends_quietly(entries: Entries, monkeypatch: pytest.MonkeyPatch, verify: Any) -> None:
    entries(2)
    seal()
    entries(2)
    answers = iter([None, None, blocks()[-1]])
    with monkeypatch.context() as stale:
        stale.setattr(sealing, "last_block", lambda: next(answers))
        assert seal() == 0
    assert seal() == 2
    verify()


def test_a_refusal_of_the_database_that_no_rival_explains_is_raised(
    entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise IntegrityError("something else")

    entries(1)
    monkeypatch.setattr(sealing, "_seal_block", refuse)
    with pytest.raises(IntegrityError, match="something else"):
        seal()


# --- Keys ---------------------------------------------------------------------------------------------------


def test_a_new_key_seals_and_the_old_one_still_verifies(entries: Entries, settings: Any, verify: Any) -> None:
    entries(1)
    seal()
    settings.AUDIT_KEYS = {"k2": secrets.token_bytes(32)} | settings.AUDIT_KEYS
    entries(1)
    seal()
    assert [block.key_id.partition(".")[0] for block in blocks()] == ["k1", "k2"]
    assert "2 entries in 2 blocks" in verify()


def test_a_retired_key_that_seals_again_is_named(entries: Entries, settings: Any, found: Any, verify: Any) -> None:
    """A thief of the key could continue the chain."""
    retired, ring = settings.AUDIT_KEYS, {"k2": secrets.token_bytes(32)} | settings.AUDIT_KEYS
    for number, keys in enumerate([retired, ring, {**retired, "k2": ring["k2"]}, ring], 1):
        settings.AUDIT_KEYS = keys
        entries(1)
        seal()
        settings.AUDIT_KEYS = ring
        if number < 3:
            verify()
    key_id = blocks()[0].key_id
    assert found("--all") == f"block 3 was sealed with the key {key_id}, which was retired before it"


@in_one_world("name", ["k1", "k2"])
def test_with_a_wrong_key_nothing_is_sealed_or_called_tampered(
    entries: Entries, settings: Any, name: str, verify: Any
) -> None:
    """Neither a key that is gone, nor another under its name."""
    entries(1)
    seal()
    entries(1)
    right, settings.AUDIT_KEYS = settings.AUDIT_KEYS, {name: secrets.token_bytes(32)}
    with pytest.raises(CommandError, match=r"Nothing was verified\. AUDIT_KEYS lacks the key k1\.") as error:
        verify()
    assert error.value.returncode == 2
    with pytest.raises(UnknownKey):
        seal()
    with pytest.raises(CommandError, match=r"Nothing was sealed\. AUDIT_KEYS lacks the key k1\."):
        call_command("seal_audit_log", stdout=StringIO())
    settings.AUDIT_KEYS = right
    assert seal() == 1
    verify()


def test_the_id_of_a_key_tells_nothing_of_it_and_fits(settings: Any) -> None:
    settings.AUDIT_KEYS = {"k2345678": secrets.token_bytes(32)}
    length = AuditBlock._meta.get_field("key_id").max_length
    assert length is not None
    assert len(digests.newest_key_id()) <= length
    assert settings.AUDIT_KEYS["k2345678"].hex()[:16] not in digests.newest_key_id()


# --- Who calls it -------------------------------------------------------------------------------------------


def test_the_command_says_what_it_did(entries: Entries) -> None:
    output = StringIO()
    call_command("seal_audit_log", stdout=output)
    entries(2)
    call_command("seal_audit_log", stdout=output)
    assert output.getvalue().splitlines() == [
        "Sealed 0 entries. The last block is not made yet.",
        "Sealed 2 entries. The last block is 1.",
        f"The head of the audit log: {json.dumps(sealing.head())}",
    ]
