"""Who a sign-in attempt is for: what the guess counters count under, and what is written down of it."""

import re
from typing import Any

# One shared key for attempts that name nobody, far from any e-mail address.
NOBODY = "-"
_LONGEST_ADDRESS = 254  # of the column, and of RFC 5321


def identity(email: Any) -> str:
    """The key for one e-mail address: two spellings of it are one, and no length breaks a column."""
    return email.strip().casefold()[:255] or NOBODY if isinstance(email, str) else NOBODY


def address_in(typed: str) -> str:
    """The e-mail address that somebody typed, in its stored spelling; "" if it does not look like one: people type
    passwords into that field, and those are written down nowhere."""
    text = typed.strip().lower()
    return text if len(text) <= _LONGEST_ADDRESS and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", text) else ""


def name_for_axes(email: Any) -> str:
    """What axes writes down of an attempt: the address, or NOBODY for what looks like none."""
    return address_in(email) or NOBODY if isinstance(email, str) else NOBODY
