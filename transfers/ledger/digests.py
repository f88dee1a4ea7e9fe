"""What the digest of a movement is computed over: one text, the same for everybody who builds it (R6.3).

The audit log keeps such a digest of each movement. The text is the JSON of two lists, of the transaction and of its
entries. It is built by hand where every number is a number: `verify_ledger` makes millions, and the json module takes
three times as long. Texts are quoted, and so is a value in a column of numbers that is not a number: no two different
movements can have the same text.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted


def entry_text(account_id: int, direction: str, amount: int, balance_after: int, sequence: int) -> str:
    """Return the part of one entry; amounts in minor units."""
    try:
        return f"[{account_id:d}, {quoted(direction)}, {amount:d}, {balance_after:d}, {sequence:d}]"
    except (TypeError, ValueError):
        return json.dumps([account_id, direction, amount, balance_after, sequence])


def movement_digest(
    transaction_id: str,
    kind: str,
    reference: str,
    amount: int,
    description: str,
    initiated_by_id: int,
    reverses_id: str,
    created_at: datetime,
    entries: Iterable[str],
) -> str:
    """Return the SHA-256 over a transaction and its entries, in hexadecimal.

    Args:
        transaction_id, reverses_id: as `str()` writes a UUID; "" for none.
        amount: in minor units.
        entries: the `entry_text` of each, in order of account and sequence.
    """
    at = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    try:
        head = (
            f"[{quoted(transaction_id)}, {quoted(kind)}, {quoted(reference)}, {amount:d}, {quoted(description)}, "
            f'{initiated_by_id:d}, {quoted(reverses_id)}, "{at}"]'
        )
    except (TypeError, ValueError):
        columns = (transaction_id, kind, reference, amount, description, initiated_by_id, reverses_id, at)
        head = json.dumps(columns)
    return hashlib.sha256(f"[{head}, [{', '.join(entries)}]]".encode()).hexdigest()
