"""Tags for the pages' templates: amounts, moments, paths, icons, and words that are not broken at the end of a line."""

import re
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from crispy_forms.templatetags.crispy_forms_filters import as_crispy_field
from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.defaultfilters import truncatechars
from django.templatetags.static import static
from django.urls import reverse
from django.utils.formats import date_format, get_format, time_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from foundation.money import format_money, format_money_short, format_money_signed, format_rate

register = template.Library()

_KEPT = re.compile(
    r"(\b(?:e-mails?|two-factor|sign-ins?|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9A-Z]{4}(?:-[0-9A-Z]{4}){2})\b|•••• [0-9]{4})",
    re.IGNORECASE,
)
_LONG = 11  # characters of an amount that fits at its size
_SIGNED = ' <span class="money money-{}{}"><span class="{}">{}</span> {}</span> '
_STAND_INS: dict[type, Any] = {UUID: UUID(int=7_700_000_000_000_001), int: 7_700_000_000_000_002}
# By form, field and language: as many as there are filter fields.
_drawn_fields: dict[tuple[Any, ...], SafeString] = {}


@register.filter
def money(amount: Decimal) -> str:
    """Return `1234.5` as `€1,234.50`, in the page's language."""
    return format_money(amount)


@register.filter
def money_short(amount: Decimal) -> str:
    """Return `2500` as `€2.5K`: for round amounts only, such as those of a scale."""
    return format_money_short(amount)


@register.filter
def money_signed(amount: Decimal) -> str:
    """Return the amount with its sign always written: `+€5.00`, `−€5.00`."""
    return format_money_signed(amount)


@register.filter
def rate(value: Decimal) -> str:
    """Return `0.015` as `1.5%`, in the page's language."""
    return format_rate(value)


@register.simple_tag
def amount(value: Decimal, *, signed: bool = False, quiet: bool = False, size: str = "") -> SafeString:
    """Return an amount, between spaces, as `€1,234.50`. An amount never wraps, and stays with its word.

    Args:
        signed: with its sign, colour and the word “in” or “out”.
        quiet: the word is hidden from sight.
        size: "l" or "xl"; a long amount is then set smaller.
    """
    if not signed:
        text = format_money(value)
        sized = f" money-{size}{' money-long' if len(text) > _LONG else ''}" if size else ""
        return format_html(' <span class="money{}">{}</span> ', sized, text)
    text, word = format_money_signed(value), "out" if value < 0 else "in"
    long = " money-long" if size and len(text) > _LONG + 1 else ""
    hidden = "visually-hidden" if quiet else "money-word"
    return format_html(_SIGNED, word, long, hidden, word, text)


@register.filter(expects_localtime=True)
def day(value: date, pattern: str = "DATE_FORMAT") -> str:
    """Return a day, or the day of a moment, as `date` writes it; made once for each day and language."""
    return _day_in_words(date(value.year, value.month, value.day), pattern, get_language())


@lru_cache(maxsize=2048)
def _day_in_words(value: date, pattern: str, language: str | None) -> str:
    return date_format(value, pattern)


class InWords(NamedTuple):
    """A moment in the bank's time and the page's language; `iso` is for programs: `2026-11-27T14:05:00+01:00`."""

    iso: str
    day: str
    time: str


@register.filter(expects_localtime=True)
def in_words(value: datetime) -> InWords:
    """Return a moment as `date` writes its day and its time, for rows that show it."""
    pattern = get_format("TIME_FORMAT")
    shown = time(value.hour, value.minute, value.second if "s" in pattern else 0)
    return InWords(value.isoformat(), day(value), _time_in_words(shown, pattern, get_language()))


@lru_cache(maxsize=2048)
def _time_in_words(value: time, pattern: str, language: str | None) -> str:
    return time_format(value, pattern)


@register.filter
def shortened(text: str, most: int) -> str:
    """Return at most this many characters. Django's own looks at each of them, however few there are."""
    return text if len(text) <= most and text.isascii() else truncatechars(text, most)


@register.simple_tag
def path(name: str, *values: UUID | int) -> str:
    """Return the path of a page, as `url` does; for rows, since it is looked up once and not for each."""
    return _path_of(name, *map(type, values)).format(*values)


@lru_cache(maxsize=256)
def _path_of(name: str, *kinds: type) -> str:
    """Return the path with a place for each value. UUIDs and whole numbers need no escaping in an address."""
    stand_ins = [_STAND_INS[kind] for kind in kinds]
    found = reverse(name, args=stand_ins)
    for stand_in in stand_ins:
        found = found.replace(str(stand_in), "{}", 1)
    return found


@register.simple_tag
def filter_field(field: BoundField) -> SafeString:
    """Return a field of a form that filters a list, as crispy draws it; drawn once for each language while it is empty
    and offers everybody the same."""
    form: Any = field.form
    declared = form.base_fields[field.name]
    is_for_all = getattr(field.field, "choices", None) == getattr(declared, "choices", None)
    if field.errors or field.value() is not None or not is_for_all:
        return as_crispy_field(field)
    key = (type(form), field.name, form.is_bound, form.auto_id, get_language(), settings.CURRENCY)
    if key not in _drawn_fields:
        _drawn_fields[key] = as_crispy_field(field)
    return _drawn_fields[key]


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return a symbol of static/img/icons.svg, between spaces. It is decorative: the words are beside it."""
    return _drawn(name, static("img/icons.svg"))


@lru_cache(maxsize=128)
def _drawn(name: str, symbols_url: str) -> SafeString:
    return format_html(' <svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg> ', symbols_url, name)


@register.filter
def keep_together(text: str) -> SafeString:
    """Return the text, escaped, with words such as “e-mail”, “2026-11-30” and “K7QP-9XDM-2FRT”, and masked numbers,
    kept whole at the end of a line.

    No style sheet can forbid the break after a hyphen, and a search in the page would not find a word with another
    hyphen. Only known words are kept whole: text that people write must be able to break.
    """
    parts = enumerate(_KEPT.split(str(text)))  # every second one is a word to keep
    return format_html_join("", "{}", ((_whole(part) if number % 2 else part,) for number, part in parts))


def _whole(word: str) -> SafeString:
    classes = "font-monospace text-nowrap" if word.startswith("•") else "text-nowrap"
    return format_html('<span class="{}">{}</span>', classes, word)
