"""The requirements of OWASP ASVS 5.0.0 by number, and the mark on a test that proves one.

`@proves("V6.3.1")` stands above a test. `python -m tests.proof_column` writes from these marks the proof columns of
docs/security.md and docs/asvs.csv.
"""

import re

import pytest

# The level of each requirement: chapter by chapter, a text for each section, a digit for each requirement in it.
_LEVELS = {
    1: ("22", "1111122223", "112222222223", "222", "123"),
    2: ("122", "112", "12223", "23"),
    3: ("3", "113", "12223", "11222233", "11122333", "3", "22333"),
    4: ("12233", "23333", "22", "1222"),
    5: ("2", "112333", "113", "222"),
    6: ("122", "111111112222", "11223333", "112233", "22222333", "2223", "33", "2222"),
    7: ("222", "1111", "22", "11222", "223", "22"),
    8: ("1233", "1123", "133", "23"),
    9: ("111", "1222"),
    10: ("22", "223", "22223", "1111122222233333", "22222", "22", "222"),
    11: ("2233", "22233", "11233", "1222", "23", "23", "33"),
    12: ("12233", "11", "22223"),
    13: ("2333", "222223", "2233", "1222233"),
    14: ("22", "12223333", "122"),
    15: ("12233", "12233", "1222222", "3333"),
    16: ("2", "22222", "2222", "222", "2223"),
    17: ("23", "22223333", "22"),
}
# In the standard's order: 1 is what every application needs, 2 is for most, 3 for the most critical ones.
LEVELS = {
    f"V{chapter}.{section}.{number}": int(level)
    for chapter, sections in _LEVELS.items()
    for section, levels in enumerate(sections, start=1)
    for number, level in enumerate(levels, start=1)
}
REQUIREMENTS = tuple(LEVELS)
NUMBER = re.compile(r"\bV\d+\.\d+\.\d+\b")


def proves(*numbers: str) -> pytest.MarkDecorator:
    """Mark a test as the proof of one or more requirements, by their literal numbers.

    Raises:
        ValueError: no number is given, or ASVS 5.0.0 does not have it.
    """
    unknown = [number for number in numbers if number not in REQUIREMENTS]
    if unknown or not numbers:
        raise ValueError(f"not a requirement of ASVS 5.0.0: {', '.join(unknown) or 'no number at all'}")
    return pytest.mark.proves(*numbers)
