"""Tables as CSV, piece by piece, safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice

_BYTE_ORDER_MARK = "\ufeff"  # otherwise Excel takes UTF-8 for the system's code page
_ROWS_AT_ONCE = 500
# What a spreadsheet cuts off or runs at the beginning of a cell. A cell also begins behind semicolons (in most of
# Europe), tabs, bars or lines, if the spreadsheet separates by them: quotes around the whole do not hold there.
_CUT_OFF = ("\t", "\r", "\n")
_STARTS_A_FORMULA = re.compile(r"((?:^|[;|\t\r\n])[\"\s]*)(?=[=+\-@＝＋－＠])")

Cell = str | Decimal


def csv_pieces(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield the table as UTF-8 in pieces of some hundred rows; the rows are read while it is sent.

    Every text is made harmless. Numbers stay numbers, with a point, so that they can be added up: a minus is a minus.
    """
    yield _written([columns], before=_BYTE_ORDER_MARK)
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_AT_ONCE)):
        yield _written(piece)


def harmless(text: str) -> str:
    """Return the text so that a spreadsheet shows it and does not run it (OWASP, CSV injection): `'=1+1`. So is what
    stands behind each separator that a spreadsheet may know: `Rent;'=1+1`."""
    text = _STARTS_A_FORMULA.sub(r"\1'", text)
    return f"'{text}" if text.startswith(_CUT_OFF) else text


def _written(rows: Iterable[Sequence[Cell]], *, before: str = "") -> bytes:
    buffer = io.StringIO()
    buffer.write(before)
    csv.writer(buffer).writerows([_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()


def _cell(cell: Cell) -> str:
    return f"{cell:f}" if isinstance(cell, Decimal) else harmless(cell)
