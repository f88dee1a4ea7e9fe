"""Information leaving the bank as a file: every download is in the audit log (R6.1), and limited for each person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.roles import require
from audit.actions import Action
from audit.lists.downloads import count_download
from audit.services import record
from transfers import history
from transfers.history import Statement
from transfers.history.filters import HistoryFilters
from transfers.models import TransferOrder
from transfers.periods import Month, day_of
from transfers.statements.csv_table import csv_chunks
from transfers.statements.pdf import statement_pdf
from transfers.statements.receipt import receipt_pdf

EXPORT_ROWS = 100_000


@dataclass(frozen=True)
class Download:
    """A file on its way, in pieces."""

    filename: str
    chunks: Iterator[bytes]


def export_history(*, actor: User, filters: HistoryFilters) -> Download:
    """Return the latest `EXPORT_ROWS` of the actor's filtered movements as CSV, read while they are sent.

    Raises:
        PermissionDenied, TooOften
    """
    require(actor, "transfers.open_own_account")
    count_download(actor)
    details = {"format": "csv", "filters": _for_the_log(filters), "rows_at_most": EXPORT_ROWS}
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=filters.account, details=details)
    until = filters.date_to or day_of(timezone.now())
    since = f"-from-{filters.date_from.isoformat()}" if filters.date_from else ""
    return Download(
        filename=f"movements{since}-until-{until.isoformat()}.csv",
        chunks=csv_chunks(history.filtered_rows(actor, filters, most=EXPORT_ROWS)),
    )


def download_statement(*, actor: User, account: BankAccount, month: Month, at: datetime) -> Download:
    """Return the actor's statement of a month as PDF.

    Raises:
        PermissionDenied, TooOften, BankAccount.DoesNotExist, NoSuchMonth, StatementTooLong
    """
    require(actor, "transfers.open_own_account")
    count_download(actor)
    document = statement_pdf(history.statement_for(actor, account, month, at=at))
    name = f"{month.year}-{month.number:02}"
    number_end = account.masked_number[-4:]  # in the name: two accounts have a statement for the same month
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=account, details={"format": "pdf", "month": name}, at=at)
    return Download(filename=f"statement-{name}-{number_end}.pdf", chunks=iter([document]))


def export_statement(*, actor: User, account: BankAccount, month: Month, at: datetime) -> Statement:
    """Return the actor's statement of a month as data, for a program.

    Raises:
        PermissionDenied, TooOften, BankAccount.DoesNotExist, NoSuchMonth, StatementTooLong
    """
    require(actor, "transfers.open_own_account")
    count_download(actor)
    statement = history.statement_for(actor, account, month, at=at)
    details = {"format": "json", "month": f"{month.year}-{month.number:02}"}
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=account, details=details, at=at)
    return statement


def download_receipt(*, actor: User, public_id: UUID, at: datetime) -> Download:
    """Return the receipt of an order as PDF, for either side of it.

    Raises:
        PermissionDenied, TooOften
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    require(actor, "transfers.open_own_account")
    count_download(actor)
    receipt = history.receipt_for(actor, public_id)
    document = receipt_pdf(receipt, made_at=at)
    order = TransferOrder.objects.get(public_id=public_id)
    details = {"format": "pdf", "reference": receipt.reference}
    record(Action.EXPORT_DOWNLOADED, actor=actor, subject=order, details=details, at=at)
    # An order that waits for a decision has no reference yet.
    return Download(filename=f"receipt-{receipt.reference or 'not-yet-sent'}.pdf", chunks=iter([document]))


def _for_the_log(filters: HistoryFilters) -> dict[str, str]:
    """Return the filters without the text, in which people may search for a number or a name."""
    return {name: value if name != "text" else "…" for name, value in filters.parameters.items()}
