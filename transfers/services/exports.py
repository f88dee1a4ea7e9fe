"""Information leaving the bank as a file: every download is in the audit log (R6.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from transfers import selectors
from transfers.filters import HistoryFilters
from transfers.periods import Month, day_of
from transfers.statements.csv_table import csv_chunks
from transfers.statements.pdf import statement_pdf

EXPORT_ROWS = 100_000


@dataclass(frozen=True)
class Download:
    """A file on its way, in pieces."""

    filename: str
    chunks: Iterator[bytes]


def export_history(*, actor: User, filters: HistoryFilters) -> Download:
    """The latest `EXPORT_ROWS` of the actor's filtered movements as CSV, read while they are sent.

    Raises:
        PermissionDenied
    """
    require(actor, "transfers.open_own_account")
    details = {"format": "csv", "filters": _for_the_log(filters), "rows_at_most": EXPORT_ROWS}
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=filters.account, details=details)
    until = filters.date_to or day_of(timezone.now())
    since = f"-from-{filters.date_from.isoformat()}" if filters.date_from else ""
    return Download(
        filename=f"movements{since}-until-{until.isoformat()}.csv",
        chunks=csv_chunks(selectors.filtered_rows(actor, filters, most=EXPORT_ROWS)),
    )


def download_statement(*, actor: User, account: BankAccount, month: Month, at: datetime) -> Download:
    """The actor's statement of a month as PDF.

    Raises:
        PermissionDenied, BankAccount.DoesNotExist, NoSuchMonth, StatementTooLong
    """
    require(actor, "transfers.open_own_account")
    document = statement_pdf(selectors.statement_for(actor, account, month, at=at))
    name = f"{month.year}-{month.number:02}"
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=account, details={"format": "pdf", "month": name}, at=at)
    return Download(filename=f"statement-{name}.pdf", chunks=iter([document]))


def _for_the_log(filters: HistoryFilters) -> dict[str, str]:
    """The filters without the text, in which people may look for a number or a name."""
    return {name: value if name != "text" else "…" for name, value in filters.parameters.items()}
