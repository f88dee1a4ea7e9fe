"""Movements as CSV, safe to open in a spreadsheet."""

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.utils import timezone

from foundation.csv_table import csv_pieces, harmless
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


def _cells(row: EntryRow) -> list[str]:
    texts = [row.account_label, row.account_number, row.kind_label, row.counterpart_in_words, row.counterpart]
    return [
        # The bank's time, without its zone, which spreadsheets do not read.
        f"{timezone.localtime(row.posted_at, timezone.get_default_timezone()):%Y-%m-%d %H:%M:%S}",
        *map(harmless, [*texts, row.description, row.reference]),
        # Our own numbers, so a minus is a minus: plain, with a point, so that they can be added up.
        f"{row.amount:f}",
        settings.CURRENCY,
        f"{row.balance_after:f}",
        row.reversed_by,
        row.reverses,
    ]
