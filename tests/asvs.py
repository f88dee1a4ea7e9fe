"""The requirements of OWASP ASVS 5.0.0 by number, and the mark on a test that proves one.

`@proves("V6.3.1")` stands above a test. `python -m tests.proof_column` writes from these marks the proof column of
docs/security.md.
"""

import re

import pytest

# How many requirements each section of the standard has: chapter by chapter, in order of its sections.
_SIZES = {
    1: (2, 10, 12, 3, 3),
    2: (3, 3, 5, 2),
    3: (1, 3, 5, 8, 8, 1, 5),
    4: (5, 5, 2, 4),
    5: (1, 6, 3, 3),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    8: (4, 4, 3, 2),
    9: (3, 4),
    10: (2, 3, 5, 16, 5, 2, 3),
    11: (4, 5, 5, 4, 2, 2, 2),
    12: (5, 2, 5),
    13: (4, 6, 4, 7),
    14: (2, 8, 3),
    15: (5, 5, 7, 4),
    16: (1, 5, 4, 3, 4),
    17: (2, 8, 2),
}
# In the standard's order.
REQUIREMENTS = tuple(
    f"V{chapter}.{section}.{number}"
    for chapter, sizes in _SIZES.items()
    for section, size in enumerate(sizes, start=1)
    for number in range(1, size + 1)
)
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
