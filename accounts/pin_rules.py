"""What a PIN looks like, and which ones nobody should choose (R1.8)."""

import re
from itertools import pairwise

from foundation.refusals import Refusal

PIN_DIGITS = 6


class InvalidPin(Refusal):
    """A text that the bank takes for nobody's PIN; `str()` says why, in words for the person who typed it."""

    code = "invalid_pin"
    status = 422


def check_pin(text: str) -> None:
    """That `text` is six ASCII digits without a pattern: three guesses from a list must not be a way in.

    Raises:
        InvalidPin: not six digits 0 to 9; or even steps (111111, 123456, 975319), repeats (121212, 123123),
            doubled digits in even steps (112233), or the same backwards (123321).
    """
    if not re.fullmatch(rf"[0-9]{{{PIN_DIGITS}}}", text):
        raise InvalidPin("A PIN is exactly six digits, 0 to 9.")
    pairs, half = text[::2], PIN_DIGITS // 2
    doubled = pairs == text[1::2] and _in_even_steps(pairs)
    repeats = text == text[:2] * half or text == text[:half] * 2
    if _in_even_steps(text) or doubled or repeats or text == text[::-1]:
        raise InvalidPin("This is one of the first PINs that people try. Choose six digits without a pattern.")


def _in_even_steps(digits: str) -> bool:
    """Whether each digit is as far from the one before, 0 following 9."""
    numbers = [int(digit) for digit in digits]
    return len({(after - before) % 10 for before, after in pairwise(numbers)}) == 1
