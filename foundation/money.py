"""Money: `Decimal` at every edge, whole minor units (cents) in the database, never a float.

Integers sum exactly on SQLite, PostgreSQL and SQL Server; decimal columns do not (docs/adr/0002).
"""

import re
from collections.abc import Callable
from copy import copy
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

from babel.core import Locale, UnknownLocaleError
from babel.numbers import (
    NumberPattern,
    format_compact_currency,
    format_decimal,
    format_percent,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language

from foundation.currencies import exponent_of
from foundation.refusals import Refusal
from foundation.text import without_marks

# Twelve digits before the point: a quadrillion minor units still sum without overflow in a 64-bit column.
MAX_AMOUNT_DIGITS = 12
_AMOUNT = re.compile(rf"[0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]+)?")
_TOO_LONG = re.compile(rf"[0-9]{{{MAX_AMOUNT_DIGITS + 1},}}(?:\.[0-9]+)?")
_NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
_MORE_THAN_ZERO = "The amount must be more than zero."


def currency_exponent() -> int:
    """Return how many decimals the bank's currency has by ISO 4217: 2 for EUR, 0 for JPY, 3 for BHD."""
    return exponent_of(settings.CURRENCY)


class InvalidAmount(Refusal):
    """A text that is not an amount of money; `str()` says why, in words for the person who typed it."""

    code = "invalid_amount"
    status = 422


def parse_amount(text: str, *, allow_zero: bool = False) -> Decimal:
    """Read a positive amount such as `1234.50`, in major units: the one way in which programs write it.

    Only ASCII digits and one point are accepted: no sign, space, exponent, `NaN`, `Infinity`, grouping or digits of
    other scripts, each of which has been used to smuggle an amount past a check (R3.2).

    Raises:
        InvalidAmount: anything else, zero (unless allowed), too large, or more decimals than the currency has.
    """
    text = text if isinstance(text, str) else ""
    if text.startswith("-") and _AMOUNT.fullmatch(text[1:]):
        raise InvalidAmount("The amount must not be less than zero." if allow_zero else _MORE_THAN_ZERO)
    if _TOO_LONG.fullmatch(text):
        raise InvalidAmount("This amount is too large.")
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount("Write the amount in digits with a point for the decimals, like 1234.50.")
    places = currency_exponent()
    if len(text.partition(".")[2]) > places:
        raise InvalidAmount(f"Write at most {_NUMBERS[places]} decimals." if places else "Write it without decimals.")
    amount = Decimal(text)
    if amount == 0 and not allow_zero:
        raise InvalidAmount(_MORE_THAN_ZERO)
    return amount


def parse_typed_amount(text: str, *, allow_zero: bool = False) -> Decimal:
    """Read a positive amount as people write it, in major units: `1,234.50`, `1.234,50`, `1 234,50`, `1234,5`.

    The bank's currency may stand before or after it, as sign or code (`€3`, `3 EUR`), the page's decimal mark at the
    end (`5.`). Spaces are any of Unicode's; digits are ASCII's or those of the page's language. A mark means what it
    means in that language; if that is impossible, what it means elsewhere. An amount that could be wrong by a factor of
    a thousand is never guessed: three digits after the page's own decimal mark are too many for two decimals, and where
    a currency of three decimals allows two readings (`1,234`), the amount is refused, and the message gives both.

    Raises:
        InvalidAmount: as `parse_amount()` does.
    """
    typed = _without_native_digits(without_marks(text).strip()) if isinstance(text, str) else ""
    sign = "-" if typed.startswith(_MINUS) else ""
    typed = _without_currency(typed[len(sign) :])
    if not sign and typed.startswith(_MINUS):
        sign, typed = "-", typed[1:]
    return parse_amount(sign + _as_programs_write(typed.translate(_APOSTROPHES)), allow_zero=allow_zero)


def as_typed(amount: Decimal) -> str:
    """Return the amount as people type it on the page, for fields and addresses: `1234.50`, in German `1234,50`.
    `parse_typed_amount()` reads it there, even where a point could mean something else."""
    return f"{amount:f}".replace(".", get_decimal_symbol(_locale()))


def currency_sign() -> str:
    """Return what the page's language writes beside an amount: `€`."""
    return get_currency_symbol(settings.CURRENCY, locale=_locale())


_MINUS = ("-", "\u2212", "\u2012", "\u2013", "\ufe63", "\uff0d")
# Typed or pasted instead of the apostrophe that groups digits in Switzerland.
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u2032\uff07", "'"))
_INDIAN = frozenset({"INR", "NPR", "PKR", "BDT", "LKR", "BTN"})
# For each numbering system by name, where its ten digits begin.
_ZEROS = {
    **{"arab": 0x660, "arabext": 0x6F0, "deva": 0x966, "beng": 0x9E6, "guru": 0xA66, "tamldec": 0xBE6, "telu": 0xC66},
    **{"knda": 0xCE6, "mlym": 0xD66, "thai": 0xE50, "mymr": 0x1040, "khmr": 0x17E0, "jpan": 0xFF10, "hanidec": 0xFF10},
}
# Beside their digits, Arabic and Persian have a mark for decimals and one for groups, whatever the page does with point
# and comma; and a comma of their own. East Asian keyboards have wide ones.
_ARABIC = {0x660, 0x6F0}
_ARABIC_DECIMAL, _ARABIC_GROUP = "٫", "٬"
_OTHER_MARKS = str.maketrans({"،": ",", "．": ".", "，": ","})


def _without_native_digits(text: str) -> str:
    """Return the text with the digits and marks of the page's language as ASCII's; a text that mixes both kinds of
    digits is returned unchanged."""
    if text.isascii() or re.search("[0-9]", text):
        return text
    for zero in _zeros(_language()):
        if any(zero <= ord(char) <= zero + 9 for char in text):
            digits = {zero + digit: str(digit) for digit in range(10)}
            return text.translate(digits | _OTHER_MARKS | (_arabic_marks() if zero in _ARABIC else {}))
    return text


def _arabic_marks() -> dict[int, str]:
    """Replace the two marks that mean one thing everywhere by the page's marks of that meaning: `١٫٢٣٤` is never a
    thousand."""
    decimal = get_decimal_symbol(_locale())
    return str.maketrans({_ARABIC_DECIMAL: decimal, _ARABIC_GROUP: "." if decimal == "," else ","})


@lru_cache(maxsize=128)
def _zeros(language: str) -> frozenset[int]:
    locale = _locale_of(language)
    systems = {locale.default_numbering_system, *locale.other_numbering_systems.values()}
    return frozenset(_ZEROS[name] for name in systems if name in _ZEROS)


def _without_currency(text: str) -> str:
    """Return the text without the bank's own currency on one side of it; another currency stays and is refused."""
    for name in _names_of(settings.CURRENCY, _language()):
        if text.casefold().startswith(name):
            return text[len(name) :].strip()
        if text.casefold().endswith(name):
            return text[: -len(name)].strip()
    return text


@lru_cache(maxsize=128)
def _names_of(currency: str, language: str) -> tuple[str, ...]:
    """Return its code, and its sign on the page and in English, casefolded, the longest first."""
    signs = (get_currency_symbol(currency, locale=locale) for locale in (_locale_of(language), Locale("en")))
    names = {without_marks(name).strip().casefold() for name in (currency, *signs)}
    return tuple(sorted(names - {""}, key=len, reverse=True))


def _as_programs_write(text: str) -> str:
    """Return the amount in ASCII digits and a point."""
    decimal = get_decimal_symbol(_locale())
    if text.endswith(decimal) and text[: -len(decimal)].isascii() and text[: -len(decimal)].isdigit():
        return text[: -len(decimal)]
    digits, marks = re.split("[^0-9]", text), re.findall("[^0-9]", text)
    if not all(digits):
        raise InvalidAmount(f"Enter an amount, for example {_examples()}.")
    whole, fraction = "".join(digits) if _is_grouped(digits, marks) else "", ""
    if marks and marks[-1] in {".", ",", decimal} - set(marks[:-1]) and _is_grouped(digits[:-1], marks[:-1]):
        fraction = f"{''.join(digits[:-1])}.{digits[-1]}"
    if not fraction and not whole:
        raise InvalidAmount(f"Enter an amount, for example {_examples()}.")
    fits = bool(fraction) and len(digits[-1]) <= currency_exponent()
    if whole and fits and marks[0] != decimal:
        raise InvalidAmount(_in_two_ways(Decimal(whole), Decimal(fraction)))
    if fraction and not fits and (not whole or marks[0] == decimal):
        raise InvalidAmount(_too_precise(whole))
    return fraction if fits else whole


def _is_grouped(digits: list[str], marks: list[str]) -> bool:
    """Return whether these are groups of a whole amount: one mark, three digits each, and no leading 0."""
    if not marks:
        return True
    group = get_group_symbol(_locale())
    group = "'" if group in "'’" else " " if group.isspace() else group
    if len(set(marks)) > 1 or marks[0] not in {",", ".", " ", "'", group} or digits[0].startswith("0"):
        return False
    if [len(one) for one in digits[1:]] == [3] * len(marks):
        return len(digits[0]) <= 3
    # 1,23,456: Indian, if the language or the currency is.
    by_two = marks[0] == "," and (settings.CURRENCY in _INDIAN or _locale().decimal_formats[None].grouping[1] == 2)
    return by_two and len(digits[0]) <= 2 and [len(one) for one in digits[1:]] == [2] * (len(marks) - 1) + [3]


def _in_two_ways(*readings: Decimal) -> str:
    one, other = (format_decimal(amount, f"#,##{_decimals_pattern()}", locale=_locale()) for amount in readings)
    return f"This can be read as {one} or as {other}. Write the one you mean."


def _too_precise(whole: str) -> str:
    places = currency_exponent()
    text = f"Write at most {_NUMBERS[places]} decimals." if places else "Write it without decimals."
    meant = format_decimal(Decimal(whole), "#,##0", locale=_locale()) if whole else ""
    return f"{text} If you mean a whole amount, write {meant}." if meant else text


def _decimals_pattern() -> str:
    return "0." + "0" * currency_exponent() if currency_exponent() else "0"


def _examples() -> str:
    """Return `1234.50 or 1,234.50`, in the page's language and with the currency's decimals."""
    example, pattern = Decimal("1234.5").quantize(from_minor(1)), _decimals_pattern()
    plain, grouped = (format_decimal(example, f, locale=_locale()) for f in (pattern, f"#,##{pattern}"))
    return f"{plain} or {grouped}"


def to_minor(amount: Decimal) -> int:
    """Convert major units to whole minor units, exactly.

    Raises:
        TypeError: `amount` is not a Decimal (a float has already lost cents).
        ValueError: it is not finite, or has more decimals than the currency.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"Money is a Decimal, not {type(amount).__name__}.")
    if not amount.is_finite():
        raise ValueError(f"{amount} is not an amount of money.")
    scaled = amount.scaleb(currency_exponent())
    minor = int(scaled)
    if minor != scaled:
        raise ValueError(f"{amount} has more decimals than {settings.CURRENCY}.")
    return minor


def from_minor(minor: int) -> Decimal:
    """Convert whole minor units to major units."""
    return Decimal(minor).scaleb(-currency_exponent())


def format_money(amount: Decimal) -> str:
    """Return the amount as people of the page's language write it: `€1,234.50`, `1.234,50 €`; below zero with a real
    minus, which screen readers read: `−€5.00`."""
    return _writer(_language(), settings.CURRENCY)(amount)


def format_money_signed(amount: Decimal) -> str:
    """Return the same with its sign always written: `+€5.00`, `−€5.00`."""
    return f"{'−' if amount < 0 else '+'}{format_money(abs(amount))}"


def format_money_short(amount: Decimal) -> str:
    """Return a round amount as short as the page's language allows, for the scale of a picture: `€2.5K`, `€1M`."""
    return _short(str(amount), settings.CURRENCY, _language())


@lru_cache(maxsize=512)  # scales have few marks, and other customers' the same
def _short(amount: str, currency: str, language: str) -> str:
    # Enough decimals for a thousandth, and none that the amount does not have.
    return format_compact_currency(Decimal(amount), currency, locale=_locale_of(language), fraction_digits=3)


def format_rate(rate: Decimal) -> str:
    """Return a rate as people of the page's language write it, with its own decimals: `1.5%`, `1,5 %`."""
    pattern = _locale().percent_formats[None].pattern.replace("0", "0.####", 1)
    return format_percent(rate, format=pattern, locale=_locale())


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


def _locale() -> Locale:
    return _locale_of(_language())


@lru_cache(maxsize=128)
def _locale_of(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


# --- Amounts as Babel writes them, without asking it for each -----------------------------------------------


class _Style(NamedTuple):
    """How a language writes the amounts of a currency: the text around the digits, and the marks between them."""

    digits: str  # a format of Python's
    marks: dict[int, str]
    around: tuple[str, str]
    around_negative: tuple[str, str]

    def write(self, amount: Decimal) -> str:
        before, after = self.around_negative if amount < 0 else self.around
        return f"{before}{format(amount, self.digits).lstrip('-').translate(self.marks)}{after}"


# Just below and above each mark that a language may set, and where it rounds.
_SAMPLES = [Decimal(text) for text in ("0", "0.125", "7", "999.99", "1000", "98765.432", "1234567.89", "123456789012")]


@lru_cache(maxsize=128)
def _writer(language: str, currency: str) -> Callable[[Decimal], str]:
    """Return a function that writes amounts as Babel does, learned from a few of its answers: that takes a tenth of
    asking Babel each time. Return Babel's own where a language has rules that these answers do not show, such as groups
    of two digits."""
    locale = _locale_of(language)
    by_babel = partial(_by_babel, currency, locale)
    marks = str.maketrans({",": get_group_symbol(locale), ".": get_decimal_symbol(locale)})
    digits = f",.{exponent_of(currency)}f"
    sample = _SAMPLES[-1]
    number = format(sample, digits).translate(marks)
    (before, _, after), (negative, _, negative_after) = (
        by_babel(amount).partition(number) for amount in (sample, -sample)
    )
    style = _Style(digits, marks, (before, after), (negative, negative_after))
    is_learned = all(style.write(amount) == by_babel(amount) for one in _SAMPLES for amount in (one, -one))
    return style.write if is_learned else by_babel


def _by_babel(currency: str, locale: Locale, amount: Decimal) -> str:
    # Babel's pattern and marks; the decimals are ISO 4217's, which for some currencies differ from Babel's.
    written = _pattern(currency, locale).apply(amount, locale, currency=currency, currency_digits=False)
    return written.replace("-", "−") if amount < 0 else written


@lru_cache(maxsize=128)
def _pattern(currency: str, locale: Locale) -> NumberPattern:
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (exponent_of(currency),) * 2
    return pattern


class MoneyField(models.BigIntegerField):
    """An amount in major units (`Decimal`) kept as whole minor units in a 64-bit integer column."""

    description = "Money in minor units"

    # For the type checker: an attribute of this field is a Decimal, though the column's kind says int.
    _pyi_private_set_type: Decimal  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]
    _pyi_lookup_exact_type: Decimal  # type: ignore[assignment]

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None:
            return None
        if int(value) != value:  # SQLite keeps a fraction or a text that was forced into the column
            raise ValueError(f"{self.model._meta.label}.{self.name} holds {value!r}, not whole minor units.")
        return from_minor(int(value))

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, str):
            return Decimal(value)
        raise ValidationError("Money is a Decimal.")

    def get_prep_value(self, value: Any) -> int | None:
        return None if value is None else to_minor(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))
