"""Movements as CSV, chunk by chunk, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from django.conf import settings
from django.utils import timezone

from transfers.selectors import EntryRow

COLUMNS = [
    "Date",
    "Account",
    "Account number",
    "Type",
    "From or to",
    "Their account number",
    "Description",
    "Reference",
    "Amount",
    "Currency",
    "Balance after",
]
_BYTE_ORDER_MARK = "\ufeff"  # else Excel takes UTF-8 for the system's code page
_ROWS_AT_ONCE = 500
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_chunks(rows: Iterable[EntryRow]) -> Iterator[bytes]:
    """The table as UTF-8 in pieces of some hundred rows; the rows are asked for while it is sent."""
    yield _written([COLUMNS], before=_BYTE_ORDER_MARK)
    remaining = iter(rows)
    while piece := list(islice(remaining, _ROWS_AT_ONCE)):
        yield _written(_cells(row) for row in piece)


def harmless(text: str) -> str:
    """The text as a spreadsheet shows it and does not run it (OWASP, CSV injection): `'=1+1`."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def _cells(row: EntryRow) -> list[str]:
    texts = [row.account_label, row.account_number, row.kind_label, row.counterpart_name, row.counterpart]
    return [
        # Without its zone, which spreadsheets do not read: the bank's.
        f"{timezone.localtime(row.posted_at, timezone.get_default_timezone()):%Y-%m-%d %H:%M:%S}",
        *map(harmless, [*texts, row.description, row.reference]),
        # Numbers of ours, so a minus is a minus: plain, with a point, that they can be added up.
        f"{row.amount:f}",
        settings.CURRENCY,
        f"{row.balance_after:f}",
    ]


def _written(rows: Iterable[list[str]], *, before: str = "") -> bytes:
    buffer = io.StringIO()
    buffer.write(before)
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
