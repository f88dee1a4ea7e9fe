"""Money: `Decimal` at every edge, whole minor units (cents) in the database, a float nowhere.

Integers sum exactly on SQLite, PostgreSQL and SQL Server alike; decimal columns do not (docs/adr/0002).
"""

import re
from decimal import Decimal
from typing import Any

from babel.core import Locale, UnknownLocaleError
from babel.numbers import format_currency, get_currency_precision
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language

# Twelve digits before the point: a quadrillion minor units still sum without overflow in a 64-bit column.
MAX_AMOUNT_DIGITS = 12
_AMOUNT = re.compile(rf"[0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]+)?")
_TOO_LONG = re.compile(rf"[0-9]{{{MAX_AMOUNT_DIGITS + 1},}}(?:\.[0-9]+)?")


def currency_exponent() -> int:
    """How many decimals the bank's currency has by ISO 4217: 2 for EUR, 0 for JPY, 3 for BHD."""
    return get_currency_precision(settings.CURRENCY)


class InvalidAmount(ValueError):
    """A text that is not an amount of money; `str()` says why, in words for the person who typed it."""

    code = "invalid_amount"


def parse_amount(text: str, *, allow_zero: bool = False) -> Decimal:
    """Read a positive amount such as `1234.50`, in major units.

    Only ASCII digits and one point are accepted: no sign, exponent, `NaN`, `Infinity`, grouping or digits of
    other scripts, each of which has been a way to smuggle an amount past somebody's check (R3.2).

    Raises:
        InvalidAmount: anything else, zero (unless allowed), too large, or more decimals than the currency has.
    """
    text = text.strip() if isinstance(text, str) else ""
    if _TOO_LONG.fullmatch(text):
        raise InvalidAmount("This amount is too large.")
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmount("Write the amount in digits with a point for the decimals, like 1234.50.")
    places = currency_exponent()
    if len(text.partition(".")[2]) > places:
        raise InvalidAmount(
            f"{settings.CURRENCY} has {places} decimals at most." if places else f"{settings.CURRENCY} has no decimals."
        )
    amount = Decimal(text)
    if amount == 0 and not allow_zero:
        raise InvalidAmount("The amount must be more than zero.")
    return amount


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
    """The amount as people of the page's language write it: `€1,234.50`, `1.234,50 €`."""
    try:
        locale = Locale.parse(get_language() or settings.LANGUAGE_CODE, sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    return format_currency(amount, settings.CURRENCY, locale=locale)


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
