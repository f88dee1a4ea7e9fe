"""Movements as CSV, safe to open in a spreadsheet."""

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.utils import timezone

from foundation.csv_table import Cell, csv_pieces
from transfers.history import EntryRow

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
    "Reversed by",
    "Reverses",
]


def csv_chunks(rows: Iterable[EntryRow]) -> Iterator[bytes]:
    """Yield the table as UTF-8, piece by piece; the rows are read while it is sent."""
    return csv_pieces(COLUMNS, map(_cells, rows))


def _cells(row: EntryRow) -> list[Cell]:
    return [
        # The bank's time, without its zone, which spreadsheets do not read.
        f"{timezone.localtime(row.posted_at, timezone.get_default_timezone()):%Y-%m-%d %H:%M:%S}",
        row.account_label,
        row.account_number,
        row.kind_label,
        row.counterpart_in_words,
        row.counterpart,
        row.description,
        row.reference,
        row.amount,
        settings.CURRENCY,
        row.balance_after,
        row.reversed_by,
        row.reverses,
    ]
