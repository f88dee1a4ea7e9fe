"""What happens once, however often it is requested: the client chooses a key for it. The same request under the same
key gets the same answer; another request under that key is refused."""

import hashlib
import os
import uuid
from datetime import datetime

from foundation.refusals import Refusal

KEY_HEADER = "Idempotency-Key"
MIN_KEY_CHARS = 8
MAX_KEY_CHARS = 200
# A key in a header is printable ASCII, so that no proxy spells it otherwise.
KEY_IN_HEADER = r"^[\x21-\x7e]+$"

_TOKEN_CHARS = 16


class IdempotencyConflict(Refusal):
    """The key was used before, for something else."""

    code = "idempotency_conflict"
    text = "This form was already used for something else. Please start again."
    detail = "This Idempotency-Key was used with another request: take another."
    status = 422


def check_key(idempotency_key: str) -> None:
    """Refuse a key that is too short to be unique or too long.

    Raises:
        ValueError
    """
    if not MIN_KEY_CHARS <= len(idempotency_key) <= MAX_KEY_CHARS:
        raise ValueError(f"An idempotency key has {MIN_KEY_CHARS} to {MAX_KEY_CHARS} characters.")


def digest_of_key(idempotency_key: str) -> str:
    """Return the digest that is kept of an idempotency key: the key is a client's text, and may be long or
    revealing."""
    return _sha256(idempotency_key)


def digest_of_inputs(*inputs: object) -> str:
    """Return the digest that is kept of a request's inputs: it tells the same request from another one."""
    return _sha256("|".join(str(one) for one in inputs))


def token_of(request: str) -> str:
    """Return the token that a limit knows a request by: the same request takes no second place in it."""
    return _sha256(request)[:_TOKEN_CHARS]


def id_from_key(actor_id: uuid.UUID, name: str) -> uuid.UUID:
    """Return the public id of what this person makes under a key (UUID version 5), so that a repeated request finds it.

    Args:
        name: the key; with the kind of thing before it where keys of several kinds must not meet.
    """
    return uuid.uuid5(actor_id, name)


def uuid7(at: datetime) -> uuid.UUID:
    """Return a UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random, so that rows are inserted at the
    end."""
    milliseconds = int(at.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
