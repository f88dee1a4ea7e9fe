"""Tables as CSV, piece by piece, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

_BYTE_ORDER_MARK = "\ufeff"  # otherwise Excel takes UTF-8 for the system's code page
_ROWS_AT_ONCE = 500
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_pieces(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield the table as UTF-8 in pieces of some hundred rows; the rows are read while it is sent."""
    yield _written([columns], before=_BYTE_ORDER_MARK)
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_AT_ONCE)):
        yield _written(piece)


def harmless(text: str) -> str:
    """Return the text so that a spreadsheet shows it and does not run it (OWASP, CSV injection): `'=1+1`."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def _written(rows: Iterable[Sequence[str]], *, before: str = "") -> bytes:
    buffer = io.StringIO()
    buffer.write(before)
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
