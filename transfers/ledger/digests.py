"""What a digest of a movement is computed over: one text, the same whoever makes it (R6.3).

The audit log keeps such a digest of each movement. It is the JSON of two lists, of the transaction and of its entries,
put together by hand: `verify_ledger` makes millions, and the json module takes three times as long.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted


def entry_text(account_id: int, direction: str, amount: int, balance_after: int, sequence: int) -> str:
    """The part of one entry; amounts in minor units.

    Raises:
        TypeError: the direction is no text.
    """
    return f"[{account_id}, {quoted(direction)}, {amount}, {balance_after}, {sequence}]"


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
    """SHA-256 over a transaction and its entries, in hexadecimal.

    Args:
        transaction_id, reverses_id: as `str()` writes a UUID; "" for none.
        amount: in minor units.
        entries: what `entry_text` says of each, in order of account and sequence.

    Raises:
        TypeError: the kind, the reference or the description is no text.
    """
    at = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    # Texts that people write are quoted: no description can be such that two different transactions have one text.
    text = (
        f'[["{transaction_id}", {quoted(kind)}, {quoted(reference)}, {amount}, {quoted(description)}, '
        f'{initiated_by_id}, "{reverses_id}", "{at}"], [{", ".join(entries)}]]'
    )
    return hashlib.sha256(text.encode()).hexdigest()
