"""Reading the bank's secrets from the environment, and refusing weak or shared ones (R8.7)."""

import base64
import binascii
from collections.abc import Mapping
from itertools import combinations

import environ
from django.core.exceptions import ImproperlyConfigured


def key_ring(name: str, env: environ.Env) -> dict[str, bytes]:
    """Read `kid:base64url-of-32-bytes,…`; the first key seals, the others only open (R8.1).

    Raises:
        ImproperlyConfigured: missing, malformed, or a key that is not 256 random-looking bits.
    """
    ring: dict[str, bytes] = {}
    for item in env.list(name):
        kid, _, text = item.partition(":")
        try:
            key = base64.urlsafe_b64decode(text)
        except binascii.Error as error:
            raise ImproperlyConfigured(f"{name}: the key '{kid}' is not base64.") from error
        # Not twice in another case either: some databases would take K1 and k1 for the same.
        taken = kid.lower() in {other.lower() for other in ring}
        if not (kid.isascii() and kid.isalnum()) or len(kid) > 8 or taken:
            raise ImproperlyConfigured(f"{name}: key ids are 1 to 8 letters or digits, each used once.")
        if len(key) != 32 or len(set(key)) < 12:
            raise ImproperlyConfigured(f"{name}: the key '{kid}' must be 32 random bytes.")
        if key in ring.values():
            raise ImproperlyConfigured(f"{name}: the key '{kid}' is there twice, under two names.")
        ring[kid] = key
    if not ring:
        raise ImproperlyConfigured(f"{name} is empty; `make setup` writes one into .env.")
    return ring


def refuse_weak_text(name: str, text: str) -> None:
    """Refuse a secret in text that is short, repetitive or Django's placeholder.

    Raises:
        ImproperlyConfigured
    """
    if len(text) < 50 or len(set(text)) < 12 or text.startswith("django-insecure-"):
        raise ImproperlyConfigured(
            f"{name} must be at least 50 random characters; `make setup` writes a SECRET_KEY into .env."
        )


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
