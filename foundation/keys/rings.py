"""Reading the bank's secrets from the environment, and refusing weak or shared ones (R8.7)."""

import base64
import re
from collections.abc import Mapping
from itertools import combinations

from django.core.exceptions import ImproperlyConfigured


class BadKeys(ValueError):
    """Keys that are missing, malformed or weak; `str()` tells the operator why, and quotes none."""


_KEY_ID = re.compile("[A-Za-z0-9]{1,8}")
_KEY = re.compile("[A-Za-z0-9_+/-]{43}=")


def parse_ring(text: str) -> dict[str, bytes]:
    """Read `kid:base64url-of-32-bytes,…`; the first key seals, the others only open (R8.1).

    Raises:
        BadKeys: missing, malformed, or a key that is not 256 random-looking bits.
    """
    ring: dict[str, bytes] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        kid, colon, spelt = item.partition(":")
        # Not twice in another case either: some databases would take K1 and k1 for the same. And no other text is
        # quoted below: it may be a key without its id.
        taken = kid.lower() in {other.lower() for other in ring}
        if not colon or not _KEY_ID.fullmatch(kid) or taken:
            raise BadKeys("key ids are 1 to 8 letters or digits, each used once, before a colon")
        key = base64.urlsafe_b64decode(spelt) if _KEY.fullmatch(spelt) else b""
        if len(key) != 32 or len(set(key)) < 12:
            raise BadKeys(f"the key '{kid}' must be 32 random bytes in base64url")
        if key in ring.values():
            raise BadKeys(f"the key '{kid}' is there twice, under two names")
        ring[kid] = key
    if not ring:
        raise BadKeys("it is empty; `make setup` writes one into .env")
    return ring


def parse_signing_key(text: str) -> str:
    """Return a secret in text, unless it is short, repetitive or Django's placeholder.

    Raises:
        BadKeys
    """
    if len(text) < 50 or len(set(text)) < 12 or text.startswith("django-insecure-"):
        raise BadKeys("a key must be at least 50 random characters; `make setup` writes a SECRET_KEY into .env")
    return text


def refuse_shared(rings: Mapping[str, Mapping[str, bytes]], texts: Mapping[str, str]) -> None:
    """Refuse a key that serves two purposes, in whatever spelling: a leak of one must not give away the other.

    Raises:
        ImproperlyConfigured: names the two settings and no key.
    """
    for one, other in combinations(rings, 2):
        if set(rings[one].values()) & set(rings[other].values()):
            raise ImproperlyConfigured(f"{one} and {other} must not share a key.")
    for name, text in texts.items():
        for ring, keys in rings.items():
            if any(_is_spelt_in(key, text) for key in keys.values()):
                raise ImproperlyConfigured(f"{name} and {ring} must not share a key.")
    for one, other in combinations(texts, 2):
        if texts[one] and texts[one] == texts[other]:
            raise ImproperlyConfigured(f"{one} and {other} must not share a key.")


def _is_spelt_in(key: bytes, text: str) -> bool:
    spellings = (base64.urlsafe_b64encode(key).decode().rstrip("="), base64.b64encode(key).decode().rstrip("="))
    return any(spelling in text for spelling in spellings) or key.hex() in text.lower()
