"""Account numbers: ten random digits and two check digits (R2.2)."""

import re
import secrets

from foundation.refusals import Refusal
from foundation.text import run_together


class InvalidAccountNumber(Refusal):
    """Not an account number of this bank; most likely mistyped. Found without any look-up."""

    code = "invalid_account_number"
    text = "This is not a valid account number. Check it for a mistyped digit."
    status = 422


def check_digits(body: str) -> str:
    """Return the two ISO 7064 MOD 97-10 check digits of `body`: they catch all single and nearly all double slips."""
    return f"{98 - int(body) * 100 % 97:02d}"


def new_number() -> str:
    """Return a number that cannot be guessed from another; the first digit is not 0, so that spreadsheets keep it
    whole."""
    body = f"{secrets.randbelow(9_000_000_000) + 1_000_000_000}"
    return body + check_digits(body)


def parse_number(text: str) -> str:
    """Return the twelve digits of a number typed or copied, with any of Unicode's spaces, dashes and invisible marks in
    it.

    Raises:
        InvalidAccountNumber: not a text of twelve ASCII digits, or the check digits are wrong (ISO 7064).
    """
    # A JSON number or list must not slip through: "1" and 1 would be two accounts to a naive comparison.
    digits = run_together(text) if isinstance(text, str) else ""
    if not re.fullmatch(r"[0-9]{12}", digits) or int(digits) % 97 != 1:
        raise InvalidAccountNumber
    return digits


def grouped(number: str) -> str:
    """Return `123456789012` as `1234 5678 9012`."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def masked(number: str) -> str:
    """Return what a list, a mail or a log may show: `•••• 9012`."""
    return f"•••• {number[-4:]}"
