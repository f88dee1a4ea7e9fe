"""What is kept of a reason (R5.1, R6.2)."""

import pytest

from accounts.permission.reasons import ReasonTooLong, checked_reason
from tests.asvs import proves
from tests.tables import in_one_world


@proves("V16.4.1")
@in_one_world(
    ("typed", "kept"),
    [
        ("  Lost\n card ", "Lost card"),
        ("e\u0301", "é"),
        ("Nur ein Wort", "Nur ein Wort"),
        ("遗失", "遗失"),
        ("Card stolen on 2026-11-21, seen 10:30", "Card stolen on 2026-11-21, seen 10:30"),
        ("See K7QP-9XDM-2FRT of 1,250.00", "See K7QP-9XDM-2FRT of 1,250.00"),
        ("1234 5678 9012 is theirs", "…9012 is theirs"),
        ("1234-5678-9012", "…9012"),
        ("Call +49 (30) 555-0101 back", "Call …0101 back"),
        ("1234, 5678, 9012", "…9012"),
        ("1234 – 5678 – 9012", "…9012"),
        ("1234_5678_9012", "…9012"),
        ("１２３４５６７８９０１２", "…９０１２"),
        ("١٢٣٤٥٦٧٨٩٠١٢", "…٩٠١٢"),
        ("On 2026-11-21 10:30 at the desk", "On 2026-11-21 10:30 at the desk"),
    ],
)
def test_a_reason_is_one_line_and_of_long_numbers_the_end(typed: str, kept: str) -> None:
    assert checked_reason(typed) == kept


def test_its_length_is_what_sql_server_counts() -> None:
    assert checked_reason("😀 a" + "x" * 296)
    with pytest.raises(ReasonTooLong):
        checked_reason("😀 a" + "x" * 297)
