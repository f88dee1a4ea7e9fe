"""Sealing the audit log: entries are put into hash-linked blocks (R6.3, docs/adr/0010).

A block lists its entries one by one, since ids commit out of order: an entry that is committed after higher ids were
sealed joins the next block.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from audit import digests
from audit.models import AuditBlock, AuditBlockEntry, AuditEntry

BLOCK_SIZE = 1000

# How long a transaction that writes an entry may stay open; far longer than any of ours.
LATEST_COMMIT = timedelta(days=1)

_INSERTED_AT_ONCE = 400  # rows of four columns; SQL Server takes 2,100 parameters in one statement


def seal(*, at: datetime | None = None) -> int:
    """Seal every entry that waits, oldest id first, in blocks of up to BLOCK_SIZE; return how many were sealed.

    Each block is a transaction of its own, so a run can be stopped and repeated. Two runs at once are safe: the slower
    one ends when it meets a block of the other.

    Raises:
        UnknownKey: the last block was sealed with a key that AUDIT_KEYS does not hold; nothing was sealed.
    """
    began = at or timezone.now()
    sealed, after = 0, settled_id()
    while True:
        last = last_block()
        try:
            with transaction.atomic():
                done = _seal_block(last, after, began)
        except IntegrityError:
            if last_block() == last:
                raise
            return sealed
        if not done:
            return sealed
        sealed += len(done)
        # Continue from here: entries that commit late wait for the next run, otherwise each block would read everything
        # again.
        after = done[-1].pk


def last_block() -> AuditBlock | None:
    return AuditBlock.objects.order_by("-number").first()


def settled_id() -> int:
    """Return the id up to which no honest entry can be added any more: an unsealed entry there was inserted, not late.

    It is the highest id of the newest block that was LATEST_COMMIT old when the last block was made: the last sealing
    has found every entry that was still being written when that block was made. So a sealing reads about a day of
    entries, however long the log is.
    """
    last = last_block()
    if last is None:
        return 0
    settled = AuditBlock.objects.filter(sealed_at__lte=last.sealed_at - LATEST_COMMIT).order_by("-number").first()
    return settled.highest_entry_id if settled else 0


def unsealed() -> QuerySet[AuditEntry]:
    """Return the entries that wait for the next block, committed late or just now."""
    return _unsealed_above(settled_id())


def unsealed_since() -> datetime | None:
    """Return the time of the oldest entry with an id above all sealed ids, which no block can hold yet; one row by
    index. Entries that were committed late, below that id, are not looked for."""
    last = last_block()
    above = AuditEntry.objects.filter(pk__gt=last.highest_entry_id if last else 0)
    return above.order_by("pk").values_list("at", flat=True).first()


def head() -> dict[str, Any] | None:
    """Return what proves later, if it is kept elsewhere, that no block up to the last one was cut off or replaced; None
    if there is no block."""
    block = last_block()
    if block is None:
        return None
    sealed_at = block.sealed_at.isoformat(timespec="microseconds")
    return {"number": block.number, "hash": block.hash, "sealed_at": sealed_at, "count": block.entry_count}


def _unsealed_above(pk: int) -> QuerySet[AuditEntry]:
    # Said of both sides: no engine concludes it, and one that walks both keys would begin at the first.
    listed = AuditBlockEntry.objects.filter(entry_id=OuterRef("pk"), entry_id__gt=pk)
    return AuditEntry.objects.filter(~Exists(listed), pk__gt=pk)


def _seal_block(last: AuditBlock | None, after: int, began: datetime) -> list[AuditEntry]:
    """Make the block after `last` from entries with ids above `after`; return them, none if nothing waits.

    Raises:
        IntegrityError: another sealer made it first.
    """
    if last is not None:
        digests.refuse_unknown_key(last.key_id)
    entries = list(_unsealed_above(after).order_by("pk")[:BLOCK_SIZE])
    if not entries:
        return []
    number, key_id = last.number + 1 if last else 1, digests.newest_key_id()
    listed = [
        digests.entry_digest(entry, block_number=number, position=position, key_id=key_id)
        for position, entry in enumerate(entries, 1)
    ]
    block = AuditBlock(
        number=number,
        previous_hash=last.hash if last else digests.NO_HASH,
        entry_count=len(entries),
        entries_digest=digests.entries_digest(listed),
        highest_entry_id=max(entries[-1].pk, last.highest_entry_id if last else 0),
        # A clock that was set back must not make the times of the chain run backwards.
        sealed_at=max(began, last.sealed_at) if last else began,
        key_id=key_id,
    )
    block.hash = digests.block_hash(block)
    block.save()
    AuditBlockEntry.objects.bulk_create(
        [
            AuditBlockEntry(block=block, position=position, entry_id=entry.pk, digest=digest)
            for position, (entry, digest) in enumerate(zip(entries, listed, strict=True), 1)
        ],
        batch_size=_INSERTED_AT_ONCE,
    )
    return entries
