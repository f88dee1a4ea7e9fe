"""A4 pages of documents that people keep: one font, a footer on every page, text that cannot break it
(docs/adr/0008)."""

from datetime import datetime
from functools import cache
from typing import Any

import fontpkg
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import XPos, YPos

FONT = "Noto Sans"
MARGIN = 18  # millimetres, as all lengths here
LINE = 5
FOOT = 20
WIDTH = 174  # of the page within its margins
SOFT, INK = 95, 20  # grey levels
UNKNOWN = "?"
# The font's data for other weights and widths, and for joining letters, which no document uses. Without these tables a
# document is made in half the time, and has a third of the bytes.
_UNUSED_TABLES = ("GDEF", "GPOS", "GSUB", "HVAR", "MVAR", "STAT", "avar", "fvar", "gvar")


class DocumentPage(FPDF):
    """A document that is being made. Letters that its font lacks are shown as `?`; `finished()` says so."""

    def __init__(self, *, title: str, foot: str, made_at: datetime) -> None:
        super().__init__(format="A4")
        self.has_unknown_letters = False
        self._foot = foot
        self._add_our_font()
        self.set_font(FONT, size=9)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=FOOT)
        self.set_title(self.text_of(title))
        self.set_author(self.text_of(settings.BANK_NAME))
        self.set_creation_date(made_at)
        self.add_page()
        self.line_of(settings.BANK_NAME, size=11, soft=True)
        self.ln(LINE)

    def _add_our_font(self) -> None:
        self.add_font(FONT, fname=str(fontpkg.path(FONT)))
        font: Any = self.fonts[FONT.lower()]
        for table in _UNUSED_TABLES:
            if table in font.ttfont:
                del font.ttfont[table]

    def text_of(self, text: str) -> str:
        known = "".join(letter if ord(letter) in _letters() else UNKNOWN for letter in text)
        self.has_unknown_letters |= known != text
        return known

    def pen(self, *, size: float, soft: bool = False) -> None:
        self.set_font(size=size)
        self.set_text_color(SOFT if soft else INK)

    def line_of(self, text: str, *, size: float = 9, soft: bool = False) -> None:
        self.pen(size=size, soft=soft)
        self.multi_cell(0, size * 0.55, self.text_of(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def footer(self) -> None:
        self.set_y(LINE - FOOT)
        self.pen(size=8, soft=True)
        self.cell(WIDTH - 38, LINE, self.text_of(f"{settings.BANK_NAME} · {self._foot}"))
        self.cell(38, LINE, f"Page {self.page_no()}", align="R")

    def finished(self) -> bytes:
        if self.has_unknown_letters:
            self.ln(LINE)
            self.line_of(f"Letters that this document cannot show stand as {UNKNOWN}.", size=8, soft=True)
        return bytes(self.output())


@cache
def _letters() -> frozenset[int]:
    """Return the font's letters, by code point."""
    with TTFont(fontpkg.path(FONT), lazy=True) as font:
        return frozenset(font.getBestCmap())


def moment(at: datetime) -> str:
    """Return day and time at the bank, whatever the reader's zone."""
    return date_format(timezone.localtime(at, timezone.get_default_timezone()), "DATETIME_FORMAT")
