"""How one-time and recovery codes may be written: one rule for pages and programs (R1.2, R3.6)."""

import unicodedata

from foundation.refusals import Refusal
from foundation.text import run_together

MAX_CODE_CHARS = 40  # a recovery code has twelve; copied with it are a few spaces, dashes and marks
_TOTP_DIGITS = 6


class InvalidCode(Refusal):
    """Not a code of anybody. Found without any look-up, and not counted as a guess."""

    code = "invalid_code"
    text = "A code has digits and letters only."
    status = 422


def parse_code(text: str) -> str:
    """Return the code in its one spelling: letters and digits, after NFKC, with no spaces, dashes or invisible marks
    between them. Digits of any script count: phones show those of their language.

    Raises:
        InvalidCode: nothing is left, or something other than ASCII letters and digits; or it is too long for a code.
    """
    if not isinstance(text, str) or len(text) > MAX_CODE_CHARS:
        raise InvalidCode
    code = run_together(unicodedata.normalize("NFKC", text).strip())
    code = "".join(str(unicodedata.decimal(char, char)) for char in code)
    if not (code.isascii() and code.isalnum()):
        raise InvalidCode
    return code.upper()


def parse_totp(text: str) -> str:
    """Read a code as `parse_code()` does, where only a code of an authenticator app is accepted.

    Raises:
        InvalidCode: also if it has no six digits.
    """
    code = parse_code(text)
    if len(code) != _TOTP_DIGITS or not code.isdigit():
        raise InvalidCode("Send the six digits of the authenticator app.")
    return code
