"""What a seal is computed over: texts that are the same on every engine, under keys outside the database (R6.3).

An intruder who can write every table still cannot make one of these digests: HMAC-SHA-256 with a key of AUDIT_KEYS,
which only the bank's programs have.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings

from audit.models import AuditBlock, AuditEntry

# The hash before the first block.
NO_HASH = "0" * 64

# Every column of AuditEntry. A new one would change the digests of all sealed entries: give it a text of its own.
SEALED_COLUMNS = (
    *("id", "at", "action", "actor_id", "actor_label", "subject_type", "subject_id", "concerns_id"),
    *("ip", "request_id", "details", "evidence_digest"),
)


class UnknownKey(Exception):
    """A block was sealed with a key that AUDIT_KEYS does not hold: it can be neither verified nor followed."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"AUDIT_KEYS lacks the key {key_id} that blocks were sealed with: another has its name, or none. "
            "Bring it back; the newest key stands first, the older ones after it."
        )


def newest_key_id() -> str:
    """Return the id of the key that seals now."""
    return next(iter(_keys()))


def age_of(key_id: str) -> int:
    """Return how many keys of the ring are newer: 0 for the one that seals now.

    Raises:
        UnknownKey
    """
    refuse_unknown_key(key_id)
    return list(_keys()).index(key_id)


def refuse_unknown_key(key_id: str) -> None:
    """Refuse unless AUDIT_KEYS holds exactly this key.

    Raises:
        UnknownKey
    """
    if key_id not in _keys():
        raise UnknownKey(key_id)


def entry_digest(entry: AuditEntry, *, block_number: int, position: int, key_id: str) -> str:
    """Return the keyed digest of every column of a stored entry, and of its place: no other entry can take that place.

    Raises:
        ValueError, TypeError: a column holds a value that the bank never writes.
    """
    columns = {name: _plain(getattr(entry, name)) for name in SEALED_COLUMNS}
    return _keyed(key_id, ["entry", block_number, position, columns])


def entries_digest(digests: Iterable[str]) -> str:
    """Return the SHA-256 over the digests of a block's entries, in order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def block_hash(block: AuditBlock) -> str:
    """Return the keyed hash of a block: of all its columns, the hash of the block before included.

    Raises:
        UnknownKey
    """
    columns = [
        *(block.number, block.previous_hash, block.entry_count, block.entries_digest, block.highest_entry_id),
        *(_plain(block.sealed_at), block.key_id),
    ]
    return _keyed(block.key_id, ["block", *columns])


def _plain(value: Any) -> Any:
    """Return times as UTC with microseconds, whatever zone and precision the engine answers with; all else as JSON."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _keyed(key_id: str, content: list[Any]) -> str:
    # Sorted keys and one spelling: SQLite keeps JSON as it was written, PostgreSQL orders it.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    refuse_unknown_key(key_id)
    return hmac.new(_keys()[key_id], text.encode(), hashlib.sha256).hexdigest()


def _keys() -> dict[str, bytes]:
    """Return the ring by key id, `kid.fingerprint`, newest first."""
    return {f"{kid}.{_fingerprint(key)}": key for kid, key in settings.AUDIT_KEYS.items()}


@cache
def _fingerprint(key: bytes) -> str:
    return hmac.new(key, b"fingerprint of an audit key", hashlib.sha256).hexdigest()[:16]
