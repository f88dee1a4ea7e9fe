"""Money: `Decimal` at every edge, whole minor units (cents) in the database, a float nowhere.

Integers sum exactly on SQLite, PostgreSQL and SQL Server alike; decimal columns do not (docs/adr/0002).
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

from babel.core import Locale, UnknownLocaleError
from babel.numbers import (
    format_compact_currency,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language

from foundation.refusals import Refusal

# Twelve digits before the point: a quadrillion minor units still sum without overflow in a 64-bit column.
MAX_AMOUNT_DIGITS = 12
_AMOUNT = re.compile(rf"[0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]+)?")
_TOO_LONG = re.compile(rf"[0-9]{{{MAX_AMOUNT_DIGITS + 1},}}(?:\.[0-9]+)?")
_NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
_MORE_THAN_ZERO = "The amount must be more than zero."


def currency_exponent() -> int:
    """How many decimals the bank's currency has by ISO 4217: 2 for EUR, 0 for JPY, 3 for BHD."""
    return _exponent_of(settings.CURRENCY)


@lru_cache(maxsize=8)
def _exponent_of(currency: str) -> int:
    return get_currency_precision(currency)


class InvalidAmount(Refusal):
    """A text that is not an amount of money; `str()` says why, in words for the person who typed it."""

    code = "invalid_amount"
    status = 422


def parse_amount(text: str, *, allow_zero: bool = False) -> Decimal:
    """Read a positive amount such as `1234.50`, in major units: the one way that programs write it.

    Only ASCII digits and one point are accepted: no sign, exponent, `NaN`, `Infinity`, grouping or digits of
    other scripts, each of which has been a way to smuggle an amount past somebody's check (R3.2).

    Raises:
        InvalidAmount: anything else, zero (unless allowed), too large, or more decimals than the currency has.
    """
    text = text.strip() if isinstance(text, str) else ""
    if text.startswith("-") and _AMOUNT.fullmatch(text[1:]):
        raise InvalidAmount("The amount must not be less than zero." if allow_zero else _MORE_THAN_ZERO)
    if _TOO_LONG.fullmatch(text):
        raise InvalidAmount("This amount is too large.")
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount("Write the amount in digits with a point for the decimals, like 1234.50.")
    places = currency_exponent()
    if len(text.partition(".")[2]) > places:
        raise InvalidAmount(
            f"Write at most {_NUMBERS.get(places, places)} decimals." if places else "Write it without decimals."
        )
    amount = Decimal(text)
    if amount == 0 and not allow_zero:
        raise InvalidAmount(_MORE_THAN_ZERO)
    return amount


def parse_typed_amount(text: str, *, allow_zero: bool = False) -> Decimal:
    """Read a positive amount as people write it in the page's language, in major units: `1,234.50` in English,
    `1.234,50` in German; and plain `1234.50` in any. The bank's currency may stand before or after it, as sign or
    code (`€3`, `3 EUR`), and the decimal mark at the end (`5.`).

    What could be wrong by a factor of a thousand is refused, not guessed: groups have three digits, the first
    does not begin with 0, and where the currency has three decimals, one group alone (`1,234`) is none.

    Raises:
        InvalidAmount: as `parse_amount()` does.
    """
    text = _without_currency(text.strip() if isinstance(text, str) else "")
    sign = "-" if text.startswith(("-", "−")) else ""
    return parse_amount(sign + _without_grouping(text[len(sign) :]), allow_zero=allow_zero)


def currency_sign() -> str:
    """What the page's language writes beside an amount: `€`."""
    return get_currency_symbol(settings.CURRENCY, locale=_locale())


def _without_currency(text: str) -> str:
    """The text without the bank's own currency, on one side of it; another currency stays and is refused."""
    for name in {currency_sign(), settings.CURRENCY}:
        if text.upper().startswith(name.upper()):
            return text[len(name) :].strip()
        if text.upper().endswith(name.upper()):
            return text[: -len(name)].strip()
    return text


def _without_grouping(text: str) -> str:
    """The amount as a program writes it: ASCII digits and a point."""
    group, decimal = get_group_symbol(_locale()), get_decimal_symbol(_locale())
    # Nobody types a narrow no-break space, and an apostrophe is typed straight.
    groups = "[ \u00a0\u202f]" if group.isspace() else "['’]" if group == "’" else re.escape(group)
    whole = rf"[0-9]+|[1-9][0-9]{{0,2}}(?:{groups}[0-9]{{3}})+"
    written = re.fullmatch(rf"({whole})(?:{re.escape(decimal)}([0-9]+))?", text)
    if written is None:
        if re.fullmatch(rf"[0-9]+{re.escape(decimal)}", text):
            return text[: -len(decimal)]
        if re.fullmatch(r"[0-9]+\.[0-9]+", text):
            return text
        raise InvalidAmount(f"Write the amount in digits, like {_examples()}.")
    if currency_exponent() > 2 and written[2] is None and re.fullmatch("[0-9]+[.,][0-9]{3}", text):
        raise InvalidAmount(f"This can be read in two ways: write the amount without “{group}”.")
    digits = re.sub("[^0-9]", "", written[1])
    return f"{digits}.{written[2]}" if written[2] else digits


def _examples() -> str:
    """`1234.50 or 1,234.50`, in the page's language and with the currency's decimals."""
    places = currency_exponent()
    example, pattern = Decimal("1234.5").quantize(from_minor(1)), "0." + "0" * places if places else "0"
    plain, grouped = (format_decimal(example, f, locale=_locale()) for f in (pattern, f"#,##{pattern}"))
    return f"{plain} or {grouped}"


def to_minor(amount: Decimal) -> int:
    """Major units to whole minor units, exactly.

    Raises:
        TypeError: `amount` is no Decimal (a float has already lost cents).
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
    """Whole minor units to major units."""
    return Decimal(minor).scaleb(-currency_exponent())


def format_money(amount: Decimal) -> str:
    """The amount as people of the page's language write it: `€1,234.50`, `1.234,50 €`; less than zero with a real
    minus, which screen readers say: `−€5.00`."""
    return _writer(_language(), settings.CURRENCY)(amount)


def format_money_signed(amount: Decimal) -> str:
    """The same with its sign always written: `+€5.00`, `−€5.00`."""
    return f"{'−' if amount < 0 else '+'}{format_money(abs(amount))}"


def format_money_short(amount: Decimal) -> str:
    """A round amount as short as the page's language has it, for the scale of a picture: `€2.5K`, `€1M`."""
    return _short(str(amount), settings.CURRENCY, _language())


@lru_cache(maxsize=512)  # scales have few marks, and other customers' the same
def _short(amount: str, currency: str, language: str) -> str:
    # Enough decimals for a thousandth, and none that the amount does not have.
    return format_compact_currency(Decimal(amount), currency, locale=_locale_of(language), fraction_digits=3)


def format_rate(rate: Decimal) -> str:
    """A rate as people of the page's language write it, with the decimals that it has: `1.5%`, `1,5 %`."""
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
    """How a language writes the amounts of a currency: what stands around the digits, and the marks between them."""

    digits: str  # a format of Python's
    marks: dict[int, str]
    around: tuple[str, str]
    around_negative: tuple[str, str]

    def write(self, amount: Decimal) -> str:
        before, after = self.around_negative if amount < 0 else self.around
        return f"{before}{format(amount, self.digits).lstrip('-').translate(self.marks)}{after}"


# Below and above each mark that a language may set, and where it rounds.
_SAMPLES = [Decimal(text) for text in ("0", "0.125", "7", "999.99", "1000", "98765.432", "1234567.89", "123456789012")]


@lru_cache(maxsize=128)
def _writer(language: str, currency: str) -> Callable[[Decimal], str]:
    """What writes amounts as Babel does, learned from a few of its answers: that takes a tenth of asking each time.
    Babel itself where a language has rules that these answers do not tell, such as groups of two digits."""
    locale = _locale_of(language)
    by_babel = partial(_by_babel, currency, locale)
    marks = str.maketrans({",": get_group_symbol(locale), ".": get_decimal_symbol(locale)})
    digits = f",.{_exponent_of(currency)}f"
    sample = _SAMPLES[-1]
    number = format(sample, digits).translate(marks)
    (before, _, after), (negative, _, negative_after) = (
        by_babel(amount).partition(number) for amount in (sample, -sample)
    )
    style = _Style(digits, marks, (before, after), (negative, negative_after))
    is_learned = all(style.write(amount) == by_babel(amount) for one in _SAMPLES for amount in (one, -one))
    return style.write if is_learned else by_babel


def _by_babel(currency: str, locale: Locale, amount: Decimal) -> str:
    written = format_currency(amount, currency, locale=locale)
    return written.replace("-", "−") if amount < 0 else written


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
        if int(value) != value:  # SQLite keeps a fraction, or a text, where one was forced into the column
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
