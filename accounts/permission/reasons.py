"""Why staff did something: required by each of their acts, kept in the audit log forever (R5.1)."""

import re
import unicodedata

from foundation.refusals import Refusal
from foundation.text import has_unprintable, is_longer_than

MAX_REASON_CHARS = 300

# Nine digits or more in any script, however people group them; a date alone has eight.
_NUMBER = re.compile(r"\+?\d(?:[^\w:]{0,3}_?\d){8,}")
_DAY_AND_HOUR = re.compile(r"\d{4}-\d\d-\d\d\W{1,2}\d\d")
_DIGITS_SHOWN = 4


class ReasonMissing(Refusal):
    """The reason has nothing that a reader could see: empty, white space, invisible characters, dots."""

    code = "reason_missing"
    text = "Say why, in words: the reason stays in the audit log."
    status = 422


class ReasonTooLong(Refusal):
    code = "reason_too_long"
    text = f"The reason is too long: at most {MAX_REASON_CHARS} characters."
    status = 422


class ReasonUnreadable(Refusal):
    code = "reason_unreadable"
    text = "The reason has characters that cannot be shown."
    status = 422


def checked_reason(text: str) -> str:
    """Return the reason as it is kept: one line, NFC, and only the end of long numbers, since the audit log must hold
    no full account or phone number, even if it is typed into a reason (R6.2).

    Raises:
        ReasonMissing, ReasonTooLong, ReasonUnreadable
    """
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if has_unprintable(line):
        raise ReasonUnreadable
    if not any(char.isalnum() for char in line):
        raise ReasonMissing
    if is_longer_than(line, MAX_REASON_CHARS):
        raise ReasonTooLong
    return _NUMBER.sub(_end_only, line)


def _end_only(match: re.Match[str]) -> str:
    if _DAY_AND_HOUR.fullmatch(match.group()):
        return match.group()
    return "…" + re.sub(r"\D", "", match.group())[-_DIGITS_SHOWN:]
