"""Tables as CSV: no text of anybody's runs in a spreadsheet, whatever it takes for a separator (R2.5)."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foundation.csv_table import csv_pieces, harmless
from tests.asvs import proves
from tests.tables import in_one_world

FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
SEPARATORS = (",", ";", "\t", "|")


def cells(rows: list[list[str | Decimal]], separator: str) -> list[str]:
    """Return every cell as a spreadsheet with this separator reads the file."""
    text = b"".join(csv_pieces(["Date", "Text", "Amount"], rows)).decode("utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]


def runs(cell: str) -> bool:
    """Return whether a spreadsheet would run the cell, blanks and quotes in front of it or not."""
    return cell.lstrip(' \t\r\n"').startswith(FORMULAS)


@proves("V1.2.10")
@in_one_world("separator", SEPARATORS)
@in_one_world("between", [";", "; ", ';"', "\t", "|", "\n", "\r\n", ';""', "'", ";;"])
def test_a_formula_behind_a_separator_stays_a_text(separator: str, between: str) -> None:
    text = f"Rent{between}=cmd|'/C calc'!A0"
    read = cells([["2026-11-27", text, "x"], ["2026-11-28", f"{text}{between}", Decimal("1.00")]], separator)
    assert [cell for cell in read if runs(cell)] == []


@proves("V1.2.10")
@pytest.mark.parametrize("separator", SEPARATORS)
@given(text=st.text("=+-@;,|\t\r\n\" 'a1＝", max_size=12), other=st.text('=;\t"\n a', max_size=6))
@example(text='a";=1', other='";"')
def test_no_text_at_all_becomes_a_formula(separator: str, text: str, other: str) -> None:
    read = cells([["2026-11-27", text, other], [other, text, "end"]], separator)
    assert [cell for cell in read if runs(cell)] == []


def test_what_people_write_stays_as_it_is_and_numbers_can_be_added_up() -> None:
    plain = "Dinner; 2 x 25.00 - thanks | see you"
    assert harmless(plain) == plain
    assert cells([["2026-11-27", plain, Decimal("-5.00")]], ",")[-2:] == [plain, "-5.00"]


@proves("V1.2.10")
def test_the_table_makes_each_text_harmless_itself() -> None:
    """So that nobody who writes one can forget it."""
    assert cells([["=1", "-5", Decimal("-5.00")]], ",")[-3:] == ["'=1", "'-5", "-5.00"]
