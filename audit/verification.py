"""Check that the audit log is as it was sealed: read every block and sealed entry once, in constant memory (R6.3).

It may run while the bank is open: sealed entries never change, and blocks made meanwhile are left for the next run.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef

from audit import digests, evidence
from audit.models import AuditBlock, AuditBlockEntry, AuditEntry
from audit.sealing import last_block, settled_id
from foundation.slices import batches

# Errors of a column that holds a value which the bank never writes; SQLite takes any text for a time.
_UNREADABLE = (AttributeError, TypeError, ValueError)
Progress = Callable[[int, int], None]


def faults(
    *, head: Mapping[str, Any] | None = None, progress: Progress = lambda blocks, entries: None
) -> Iterator[str]:
    """Yield every fault, first one first, as a sentence that names the entry or block.

    Args:
        head: an earlier result of `audit.sealing.head`; without it a tail that was cut off does not show.
        progress: is told how many blocks and entries have been read.

    Raises:
        UnknownKey: before anything is read; with a wrong key everything would look altered.
    """
    for key_id in AuditBlock.objects.order_by("key_id").values_list("key_id", flat=True).distinct():
        digests.refuse_unknown_key(key_id)
    last, settled = last_block(), settled_id()
    yield from _faults_of_chain(last.number if last else 0, progress)
    yield from _inserted(settled)
    yield from _faults_of_head(head)


def _faults_of_chain(last_number: int, progress: Progress) -> Iterator[str]:
    """Yield the faults of the chain: each block must follow the one before, and its hash must match under our key. A
    retired key seals no more: after its retirement, blocks under it are an intruder's."""
    number, previous_hash, read, age = 0, digests.NO_HASH, 0, len(settings.AUDIT_KEYS)
    blocks = AuditBlock.objects.filter(number__lte=last_number)
    for block in (block for batch in batches(blocks, by="number") for block in batch):
        number += 1
        if block.number != number:
            yield f"block {number} is missing before block {block.number}"
            number = block.number
        elif block.previous_hash != previous_hash:
            yield f"block {number} does not follow the block before it"
        if digests.block_hash(block) != block.hash:
            yield f"block {number} is not as it was sealed, or was not sealed by this bank"
        if digests.age_of(block.key_id) > age:
            yield f"block {number} was sealed with the key {block.key_id}, which was retired before it"
        age = min(age, digests.age_of(block.key_id))
        yield from _faults_of_block(block)
        previous_hash = block.hash
        read += block.entry_count
        progress(number, read)


def _faults_of_block(block: AuditBlock) -> Iterator[str]:
    """Yield the faults of a block: exactly the entries that were sealed in it must be there, in their places and
    unchanged."""
    position, sound, listed = 0, True, hashlib.sha256()
    for links in batches(AuditBlockEntry.objects.filter(block=block), by="position"):
        found = _faults_of_entries(block, links)
        for link in links:
            if _has_place(link, block):
                position += 1
                if link.position != position:
                    sound = False
                    yield f"block {block.number}: the entry at position {position} is missing from its list"
                    position = link.position
                listed.update(link.digest.encode())
            if link.entry_id in found:
                sound = False
                where = f"block {block.number}, position {link.position}"
                yield f"entry {link.entry_id} ({where}) {found[link.entry_id]}"
    if position < block.entry_count:
        yield f"block {block.number}: the entry at position {position + 1} is missing from its list"
    elif sound and listed.hexdigest() != block.entries_digest:
        yield f"block {block.number}: the list of its entries is not as it was sealed"


def _has_place(link: AuditBlockEntry, block: AuditBlock) -> bool:
    return 1 <= link.position <= block.entry_count


def _faults_of_entries(block: AuditBlock, links: list[AuditBlockEntry]) -> dict[int, str]:
    """Return what is wrong with these entries, by entry id; the evidence is checked where the entry itself is right."""
    entries = _entries({link.entry_id for link in links})
    found: dict[int, str] = {}
    for link in links:
        entry = entries.get(link.entry_id)
        if entry is None:
            found[link.entry_id] = "is missing"
        elif not _has_place(link, block):
            found[link.entry_id] = "was inserted"
        elif not _as_sealed(entry, link, block):
            found[link.entry_id] = "is not as it was sealed"
    right = [entry for pk, entry in entries.items() if pk not in found]
    reported = {pk: f"reports what is not so: {text}" for pk, text in evidence.faults_of(right).items()}
    return found | reported


def _as_sealed(entry: AuditEntry, link: AuditBlockEntry, block: AuditBlock) -> bool:
    try:
        digest = digests.entry_digest(entry, block_number=block.number, position=link.position, key_id=block.key_id)
    except _UNREADABLE:
        return False
    return digest == link.digest


def _inserted(settled: int) -> Iterator[str]:
    """Yield entries that no block lists although all honest entries with such ids have been sealed."""
    # Through the block: a list of a block that does not exist hides nothing.
    listed = AuditBlockEntry.objects.filter(entry_id=OuterRef("pk"), block__number__gt=0)
    rest = AuditEntry.objects.filter(~Exists(listed), pk__lte=settled).only("pk")
    for entry in (entry for batch in batches(rest) for entry in batch):
        yield f"entry {entry.pk} was inserted: its neighbours were sealed long before it came"


def _faults_of_head(head: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the faults of the head: the block that was last when the head was exported must still be there,
    unchanged."""
    if head is None:
        return
    found = AuditBlock.objects.filter(number=head["number"]).values_list("hash", flat=True).first()
    if found is None:
        yield f"block {head['number']}, the head that was kept, is missing: the tail of the log was cut off"
    elif found != head["hash"]:
        yield f"block {head['number']} is not the head that was kept: the log was made anew"


def _entries(ids: set[int]) -> dict[int, AuditEntry]:
    """Return those of the entries that exist. If one cannot be read, each reads its columns when they are asked for."""
    try:
        return AuditEntry.objects.in_bulk(ids)
    except _UNREADABLE:
        return AuditEntry.objects.only("pk").in_bulk(ids)
