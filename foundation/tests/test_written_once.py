"""What pages write fast, they write as Babel and Django do, in every language (R10.3)."""

from copy import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from babel.core import Locale, UnknownLocaleError
from babel.numbers import format_compact_currency, format_currency, get_currency_precision
from django.conf import settings as bank_settings
from django.template import Context, Template
from django.template.defaultfilters import date as by_django
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.translation import override

from foundation.currencies import exponent_of
from foundation.money import format_money, format_money_short, format_money_signed
from foundation.templatetags.bank import day, in_words, path, shortened

LANGUAGES = [code for code, _ in bank_settings.LANGUAGES]
# Two decimals, none, three; signs of one letter and of more; some that few languages have a sign for.
CURRENCIES = ("EUR", "USD", "GBP", "JPY", "BHD", "CHF", "INR", "RSD", "XAF")
AMOUNTS = [
    Decimal(text)
    for text in (
        *("0", "0.01", "0.99", "1", "9.5", "12.345", "99.995", "100", "999.99", "1000", "1234.5", "10000", "99999.99"),
        *("123456.78", "1234567.89", "98765432.1", "123456789012.34", "999999999999.999"),
    )
]


def locale_of(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@pytest.mark.parametrize("currency", CURRENCIES)
def test_amounts_are_what_babel_writes_in_every_language(settings: Any, currency: str) -> None:
    settings.CURRENCY = currency
    assert len(LANGUAGES) > 90
    for language in LANGUAGES:
        locale = locale_of(language)
        # Except for the decimals, which are ISO 4217's (R2.7).
        pattern = copy(locale.currency_formats["standard"])
        pattern.frac_prec = (exponent_of(currency),) * 2
        by_babel = partial(pattern.apply, locale=locale, currency=currency, currency_digits=False)
        with override(language):
            for amount in AMOUNTS:
                if get_currency_precision(currency) == exponent_of(currency):
                    assert by_babel(amount) == format_currency(amount, currency, locale=locale), (language, amount)
                assert format_money(amount) == by_babel(amount), (language, amount)
                if amount:
                    # Below zero has a real minus, which is ours.
                    negative = by_babel(-amount).replace("-", "−")
                    assert format_money(-amount) == negative, (language, amount)
                    assert format_money_signed(amount) == f"+{format_money(amount)}"


def test_short_amounts_are_what_babel_writes_in_every_language(settings: Any) -> None:
    for language in LANGUAGES:
        with override(language):
            for amount in (Decimal(0), Decimal(250), Decimal(2500), Decimal("1E+6"), Decimal("0.5")):
                short = format_compact_currency(
                    amount, settings.CURRENCY, locale=locale_of(language), fraction_digits=3
                )
                assert format_money_short(amount) == short, (language, amount)


def test_a_language_without_a_locale_is_written_as_english() -> None:
    with override("tlh"):
        assert format_money(Decimal("1234.5")) == "€1,234.50"


def test_days_and_times_are_what_django_writes_in_every_language() -> None:
    moments = [datetime(2026, 11, 30, 0, 5, 9, tzinfo=UTC), datetime(2026, 2, 1, 13, 45, tzinfo=UTC)]
    for language in LANGUAGES:
        with override(language):
            for moment in moments:
                for pattern in ("DATE_FORMAT", "MONTH_DAY_FORMAT", "j M", "j F"):
                    assert day(moment, pattern) == by_django(moment, pattern), (language, pattern)
                    assert day(moment.date(), pattern) == by_django(moment.date(), pattern), (language, pattern)
                both = (by_django(moment, "c"), by_django(moment, "DATE_FORMAT"), by_django(moment, "TIME_FORMAT"))
                assert in_words(moment) == both, language


def test_moments_are_written_in_the_banks_time(settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    template = Template("{% load bank %}{% with w=at|in_words %}{{ w.day }} {{ w.time }} {{ w.iso }}{% endwith %}")
    with override("de"):
        text = template.render(Context({"at": datetime(2026, 11, 30, 12, 30, tzinfo=UTC)}))
        assert text == "1. Dezember 2026 01:30 2026-12-01T01:30:00+13:00"
        assert day(date(2026, 11, 30)) == "30. November 2026"


def test_a_path_is_what_url_gives_for_it() -> None:
    for name, values in (("history", ()), ("receipt", (UUID(int=7),)), ("entry", (UUID(int=2**127), 12345))):
        assert path(name, *values) == reverse(name, args=values)


@pytest.mark.parametrize("text", ["", "Lunch", "x" * 48, "x" * 49, "Ünïcödé " * 6, "e\u0301" * 48, "日本" * 30])
def test_a_text_is_cut_as_django_cuts_it(text: str) -> None:
    assert shortened(text, 48) == truncatechars(text, 48)
