"""A monthly statement as PDF (docs/adr/0008)."""

from decimal import Decimal
from functools import cache
from typing import cast

import fontpkg
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from accounts.money import format_money
from transfers.periods import day_of
from transfers.selectors import EntryRow, Statement

_FONT = "Noto Sans"
_MARGIN = 18  # millimetres, as all lengths here
_LINE = 5
_FOOT = 20
# Date, what happened, amount, balance after; together the width of the page within its margins.
_WIDTHS = (24, 74, 38, 38)
_SOFT, _INK = 95, 20  # grey levels
_UNKNOWN = "?"


def statement_pdf(statement: Statement) -> bytes:
    """The document. Letters that its font does not have are shown as `?`, and a note says so."""
    page = _Page(statement)
    page.add_page()
    _head(page, statement)
    if statement.rows:
        _table_head(page)
        for row in statement.rows:
            _row(page, row)
    else:
        page.line_of("No money moved in this month.")
    if page.has_unknown_letters:
        page.ln(_LINE)
        page.line_of(f"Letters that this document cannot show stand as {_UNKNOWN}.", size=8, soft=True)
    return bytes(page.output())


class _Page(FPDF):
    """A4 with the font, a foot on every page, and text that cannot break it."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(format="A4")
        self.has_unknown_letters = False
        self._statement = statement
        self.add_font(_FONT, fname=str(fontpkg.path(_FONT)))
        self.set_font(_FONT, size=9)
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, margin=_FOOT)
        self.set_title(self.text_of(f"Statement {_month_name(statement)}"))
        self.set_author(self.text_of(settings.BANK_NAME))
        self.set_creation_date(statement.made_at)

    def text_of(self, text: str) -> str:
        known = "".join(letter if ord(letter) in _letters() else _UNKNOWN for letter in text)
        self.has_unknown_letters |= known != text
        return known

    def line_of(self, text: str, *, size: float = 9, soft: bool = False) -> None:
        self.set_text_color(_SOFT if soft else _INK)
        self.set_font(size=size)
        self.multi_cell(0, size * 0.55, self.text_of(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def footer(self) -> None:
        self.set_y(_LINE - _FOOT)
        self.set_font(size=8)
        self.set_text_color(_SOFT)
        left = f"{settings.BANK_NAME} · {self._statement.account.masked_number} · {_month_name(self._statement)}"
        self.cell(sum(_WIDTHS[:3]), _LINE, self.text_of(left))
        self.cell(_WIDTHS[3], _LINE, f"Page {self.page_no()}", align="R")


@cache
def _letters() -> frozenset[int]:
    """What the font has, by code point."""
    with TTFont(fontpkg.path(_FONT), lazy=True) as font:
        return frozenset(font.getBestCmap())


def _head(page: _Page, statement: Statement) -> None:
    account = statement.account
    page.line_of(settings.BANK_NAME, size=11, soft=True)
    page.ln(_LINE)
    page.line_of(f"Statement, {_month_name(statement)}", size=20)
    made_at = timezone.localtime(statement.made_at, timezone.get_default_timezone())
    as_of = date_format(made_at, "DATETIME_FORMAT")
    page.line_of(f"So far: as of {as_of}" if statement.is_so_far else f"Made on {as_of}", soft=True)
    page.ln(_LINE)
    page.line_of(statement.holder, size=11)
    page.line_of(f"{account.display_name} ({account.kind_label}), {account.masked_number}", soft=True)
    page.ln(_LINE)
    for label, amount in (
        ("Opening balance", statement.opening),
        ("In", statement.money_in),
        ("Out", statement.money_out),
        ("Balance so far" if statement.is_so_far else "Closing balance", statement.closing),
    ):
        page.set_font(size=10)
        page.set_text_color(_SOFT)
        page.cell(60, _LINE + 1, label)
        page.set_text_color(_INK)
        page.cell(50, _LINE + 1, page.text_of(format_money(amount)), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(2 * _LINE)


def _table_head(page: _Page) -> None:
    page.set_font(size=8)
    page.set_text_color(_SOFT)
    for width, title, align in zip(_WIDTHS, ("Date", "Details", "Amount", "Balance after"), "LLRR", strict=True):
        page.cell(width, _LINE, title, align=align)
    page.ln(_LINE + 1)


def _row(page: _Page, row: EntryRow) -> None:
    """A movement, its lines kept together on one page."""
    page.set_font(size=9)
    details = "\n".join(
        part for part in (row.label, row.counterpart, row.description, f"Reference {row.reference}") if part
    )
    details = "\n".join(page.text_of(line) for line in details.split("\n"))
    lines = cast(list[str], page.multi_cell(_WIDTHS[1], _LINE, details, align="L", dry_run=True, output="LINES"))
    if page.will_page_break(len(lines) * _LINE + 2):
        page.add_page()
        _table_head(page)
        page.set_font(size=9)
    page.set_draw_color(215)
    page.line(_MARGIN, page.get_y(), page.w - _MARGIN, page.get_y())
    page.ln(1)
    top = page.get_y()
    page.set_text_color(_INK)
    page.cell(_WIDTHS[0], _LINE, date_format(day_of(row.posted_at)))
    page.set_x(_MARGIN + sum(_WIDTHS[:2]))
    page.cell(_WIDTHS[2], _LINE, page.text_of(_signed(row.amount)), align="R")
    page.cell(_WIDTHS[3], _LINE, page.text_of(format_money(row.balance_after)), align="R")
    page.set_y(top)
    for line in lines:  # broken above already: multi_cell would do it once more
        page.set_x(_MARGIN + _WIDTHS[0])
        page.cell(_WIDTHS[1], _LINE, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(1)


def _signed(amount: Decimal) -> str:
    return f"{'−' if amount < 0 else '+'}{format_money(abs(amount))}"


def _month_name(statement: Statement) -> str:
    return date_format(statement.month.first_day, "F Y")
