"""A monthly statement as PDF (docs/adr/0008)."""

from typing import cast

from django.utils.formats import date_format
from fpdf.enums import XPos, YPos

from foundation.money import format_money, format_money_signed
from transfers.history import EntryRow, Statement
from transfers.periods import day_of
from transfers.statements.page import LINE, MARGIN, WIDTH, DocumentPage, moment

# Date, what happened, amount, balance after.
_WIDTHS = (24, WIDTH - 24 - 38 - 38, 38, 38)


def statement_pdf(statement: Statement) -> bytes:
    """Return the document, with as many pages as the month needs."""
    month = _month_name(statement)
    page = DocumentPage(
        title=f"Statement {month}", foot=f"{statement.account.masked_number} · {month}", made_at=statement.made_at
    )
    _head(page, statement)
    if statement.rows:
        _table_head(page)
        for row in statement.rows:
            _row(page, row)
    else:
        page.line_of("No money moved in this month.")
    return page.finished()


def _head(page: DocumentPage, statement: Statement) -> None:
    account = statement.account
    page.line_of(f"Statement, {_month_name(statement)}", size=20)
    as_of = moment(statement.made_at)
    page.line_of(f"So far: as of {as_of}" if statement.is_so_far else f"Made on {as_of}", soft=True)
    page.ln(LINE)
    page.line_of(statement.holder, size=11)
    page.line_of(f"{account.display_name} ({account.kind_label}), {account.masked_number}", soft=True)
    page.ln(LINE)
    for label, amount in (
        ("Opening balance", statement.opening),
        ("In", statement.money_in),
        ("Out", statement.money_out),
        ("Balance so far" if statement.is_so_far else "Closing balance", statement.closing),
    ):
        page.pen(size=10, soft=True)
        page.cell(60, LINE + 1, label)
        page.pen(size=10)
        page.cell(50, LINE + 1, page.text_of(format_money(amount)), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(2 * LINE)


def _table_head(page: DocumentPage) -> None:
    page.pen(size=8, soft=True)
    for width, title, align in zip(_WIDTHS, ("Date", "Details", "Amount", "Balance after"), "LLRR", strict=True):
        page.cell(width, LINE, title, align=align)
    page.ln(LINE + 1)


def _row(page: DocumentPage, row: EntryRow) -> None:
    """Draw a movement, with its lines kept together on one page."""
    page.set_font(size=9)
    details = "\n".join(
        part
        for part in (row.label, row.counterpart, row.description, f"Reference {row.reference}", row.reversal_note)
        if part
    )
    details = "\n".join(page.text_of(line) for line in details.split("\n"))
    lines = cast(list[str], page.multi_cell(_WIDTHS[1], LINE, details, align="L", dry_run=True, output="LINES"))
    if page.will_page_break(len(lines) * LINE + 2):
        page.add_page()
        _table_head(page)
        page.set_font(size=9)
    page.set_draw_color(215)
    page.line(MARGIN, page.get_y(), page.w - MARGIN, page.get_y())
    page.ln(1)
    top = page.get_y()
    page.pen(size=9)
    page.cell(_WIDTHS[0], LINE, date_format(day_of(row.posted_at)))
    page.set_x(MARGIN + sum(_WIDTHS[:2]))
    page.cell(_WIDTHS[2], LINE, page.text_of(format_money_signed(row.amount)), align="R")
    page.cell(_WIDTHS[3], LINE, page.text_of(format_money(row.balance_after)), align="R")
    page.set_y(top)
    for line in lines:  # broken above already: multi_cell would do it once more
        page.set_x(MARGIN + _WIDTHS[0])
        page.cell(_WIDTHS[1], LINE, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(1)


def _month_name(statement: Statement) -> str:
    return date_format(statement.month.first_day, "F Y")
