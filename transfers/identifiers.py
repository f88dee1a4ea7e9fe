"""Keys: those we make ourselves, so that a bulk insert needs none back, and what is kept of clients' keys."""

import hashlib
import os
import secrets
import uuid
from datetime import datetime

# Crockford's base 32 without the look-alikes: people read references to each other on the phone.
_REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def uuid7(at: datetime) -> uuid.UUID:
    """A UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random; so rows are inserted at the end."""
    milliseconds = int(at.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


def new_reference() -> str:
    """What customers quote: `K7QP-9XDM-2FRT`, 60 random bits."""
    text = "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(12))
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def digest_of_key(idempotency_key: str) -> str:
    """What is kept of an idempotency key: it is a client's text, and may be long or telling."""
    return hashlib.sha256(idempotency_key.encode()).hexdigest()
