"""A password as it is hashed: one spelling for what looks and is typed the same (NIST SP 800-63B-4, 3.1.1.2)."""

import unicodedata

# Code points. More only makes the hasher work; refused before it runs, never cut.
MAX_PASSWORD_CHARS = 256


def normalised(password: str) -> str:
    """NFKC: é is é, whether a keyboard sends one character or two, and Ａ is A."""
    return unicodedata.normalize("NFKC", password)


def length_of_password(password: str) -> int:
    """Each code point is one character, and none counts twice because it can be written as several."""
    return min(len(password), len(normalised(password)))


def is_hashable(password: str) -> bool:
    """Whether the hasher may be given this: of a sane length, and text (JSON can carry half a character)."""
    return len(password) <= MAX_PASSWORD_CHARS and not any("\ud800" <= char <= "\udfff" for char in password)
