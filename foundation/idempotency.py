"""What happens once, however often it is asked for: whoever asks chooses a key for it. The same key again is answered
with what it did; for anything else it is refused."""

import hashlib
import os
import uuid
from datetime import datetime

from foundation.refusals import Refusal

KEY_HEADER = "Idempotency-Key"
MIN_KEY_CHARS = 8
MAX_KEY_CHARS = 200
# A key in a header is printable ASCII, so that nothing on the way spells it otherwise.
KEY_IN_HEADER = r"^[\x21-\x7e]+$"

_TOKEN_CHARS = 16


class IdempotencyConflict(Refusal):
    """The key was used before, for something else."""

    code = "idempotency_conflict"
    text = "This form was already used for something else. Please start again."


def check_key(idempotency_key: str) -> None:
    """Raises: ValueError, for a key too short to be one's own or too long to be one."""
    if not MIN_KEY_CHARS <= len(idempotency_key) <= MAX_KEY_CHARS:
        raise ValueError(f"An idempotency key has {MIN_KEY_CHARS} to {MAX_KEY_CHARS} characters.")


def digest_of_key(idempotency_key: str) -> str:
    """What is kept of an idempotency key: it is a client's text, and may be long or telling."""
    return _sha256(idempotency_key)


def digest_of_inputs(*inputs: object) -> str:
    """What is kept of all that was asked for under a key: it tells the same request from another one."""
    return _sha256("|".join(str(one) for one in inputs))


def token_of(request: str) -> str:
    """What a limit knows a request by: the same one again takes no second place in it."""
    return _sha256(request)[:_TOKEN_CHARS]


def id_from_key(actor_id: uuid.UUID, name: str) -> uuid.UUID:
    """The public id of what this person makes under a key (UUID version 5), so that the same request again finds it.

    Args:
        name: the key; with the kind of thing before it where keys of several kinds must not meet.
    """
    return uuid.uuid5(actor_id, name)


def uuid7(at: datetime) -> uuid.UUID:
    """A UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random; so rows are inserted at the end."""
    milliseconds = int(at.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
