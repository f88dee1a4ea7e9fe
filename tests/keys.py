"""Keys for tests: rings as the environment spells them, and environments for programs that tests start."""

import base64
import os
import secrets

RINGS = ("FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")


def ring_text(*kids: str) -> str:
    """Return a ring of fresh keys."""
    return ",".join(f"{kid}:{spelt(secrets.token_bytes(32))}" for kid in kids)


def spelt(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def with_new_first(ring: str, kid: str = "k2") -> str:
    """Return the tests' own ring behind a fresh key."""
    return f"{ring_text(kid)},{os.environ[ring]}"


def keys_in(ring: str) -> dict[str, bytes]:
    """Return what `settings` read from the text of a ring."""
    return {kid: base64.urlsafe_b64decode(text) for kid, _, text in (item.partition(":") for item in ring.split(","))}


def environment_with(**changes: str) -> dict[str, str]:
    """Return what a program of the bank needs: the tests' own environment with its own rings and these changes."""
    return dict(os.environ) | {ring: ring_text("k1") for ring in RINGS} | changes
