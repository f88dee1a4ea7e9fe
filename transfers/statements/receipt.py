"""A receipt as PDF: the content of its page, in the same order (R3.6)."""

from datetime import datetime

from fpdf.enums import XPos, YPos

from foundation.money import format_money
from transfers.history import Receipt
from transfers.statements.page import LINE, MARGIN, WIDTH, DocumentPage, moment

_LABELS = 50  # the width of the column with the labels
_STEP = LINE + 1


def receipt_pdf(receipt: Receipt, *, made_at: datetime) -> bytes:
    """Return the document, on one page."""
    page = DocumentPage(
        title=f"Receipt {receipt.reference}".rstrip(),
        foot=f"Receipt {receipt.reference}".rstrip(),
        made_at=made_at,
    )
    page.line_of(receipt.heading, size=20)
    page.line_of(format_money(receipt.amount), size=20)
    page.line_of(receipt.badge[1], size=11, soft=True)
    for words in (receipt.reversal_note, receipt.explanation):
        if words:
            page.ln(LINE)
            page.line_of(words, size=10)
    page.ln(2 * LINE)
    for label, *values in (
        ("From", receipt.source_label, receipt.source_number),
        ("To", receipt.target_label, receipt.target_number),
        ("Description", receipt.description),
        ("Date", moment(receipt.at)),
        ("Ordered by", receipt.initiated_by),
        ("Reference", receipt.reference),
    ):
        if values[0]:
            _fact(page, label, [value for value in values if value])
    return page.finished()


def _fact(page: DocumentPage, label: str, values: list[str]) -> None:
    page.set_draw_color(215)
    page.line(MARGIN, page.get_y(), page.w - MARGIN, page.get_y())
    page.ln(1)
    page.pen(size=10, soft=True)
    page.cell(_LABELS, _STEP, label)
    for number, value in enumerate(values):
        page.set_x(MARGIN + _LABELS)
        page.pen(size=10, soft=number > 0)
        page.multi_cell(WIDTH - _LABELS, _STEP, page.text_of(value), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(1)
