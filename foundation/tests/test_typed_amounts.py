"""Amounts as people type them: read as the bank writes them, refused where two readings are possible (R3.2, R10.3)."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from foundation.form_fields import AmountInput
from foundation.money import InvalidAmount, format_money, from_minor, parse_amount, parse_typed_amount
from tests.tables import in_one_world


@in_one_world(
    ("language", "text", "amount"),
    [
        *(("en-gb", "1,234.56", "1234.56"), ("en-gb", "12,345", "12345"), ("en-gb", "1,234", "1234")),
        *(("en-gb", "999,999,999,999.99", "999999999999.99"), ("en-gb", " 5.5 ", "5.5"), ("en-gb", "0.50", "0.5")),
        *(("de", "1.234,56", "1234.56"), ("de", "1.234", "1234"), ("de", "12,5", "12.5"), ("de", "0,05", "0.05")),
        # The bank's own forms and addresses have plain amounts in every language.
        *(("de", "1234.56", "1234.56"), ("de", "12.5", "12.5"), ("fr", "1234.56", "1234.56")),
        *(("fr", "1\u202f234,56", "1234.56"), ("fr", "1 234,56", "1234.56"), ("fr", "1\u00a0234 567", "1234567")),
        *(("pl", "1\u00a0234,56", "1234.56"), ("de-ch", "1’234.56", "1234.56"), ("de-ch", "1'234.56", "1234.56")),
        *(("pt-br", "1.234.567,89", "1234567.89"), ("xx", "1,234.56", "1234.56")),
    ],
)
def test_people_may_write_an_amount_as_the_bank_writes_it(language: str, text: str, amount: str) -> None:
    # R10.3
    with override(language):
        assert parse_typed_amount(text) == Decimal(amount)


@in_one_world(
    ("language", "text"),
    [
        *(("en-gb", text) for text in ("1,23.4", "1,2345", ",5", "1,", "1234,567", "1,234,56", "1,23,456", "12 34")),
        *(
            ("en-gb", text)
            for text in ("0,123", "00,123", "01,234", "1,,234", "1,234.", "1.234,567", "1.234.56", "1 234 56")
        ),
        *(
            ("en-gb", text)
            for text in ("1,234,", "1.5,000", "1,234.5.6", "1,２３４", "1٬234", "1'234'", "1,234e3", "1_234")
        ),
        *(
            ("de", text)
            for text in ("1,234.567", "1.2345", "1,2,3", "1.234.56", "0.123", "1.23.456", "1,234", ",5", "1.")
        ),
        *(("fr", text) for text in ("1  234", "1 23", "1.234,567", "1,234", "1\t234", "1\n234", "0 123")),
    ],
)
def test_what_is_malformed_or_could_be_meant_otherwise_is_refused(language: str, text: str) -> None:
    # R3.2: never wrong by a factor of a thousand.
    with override(language), pytest.raises(InvalidAmount):
        parse_typed_amount(text)


@in_one_world(
    ("language", "text", "why"),
    [
        ("en-gb", "1,5,", "Enter an amount, for example 1234.50 or 1,234.50."),
        ("de", "1,2,3", "Enter an amount, for example 1234,50 or 1.234,50."),
        ("en-gb", "1.005", "Write at most two decimals. If you mean a whole amount, write 1,005."),
        ("de", "1,005", "Write at most two decimals. If you mean a whole amount, write 1.005."),
        ("en-gb", "0.005", "Write at most two decimals."),
        ("en-gb", "1,000,000,000,000", "This amount is too large."),
        ("en-gb", "-5", "The amount must be more than zero."),
        ("en-gb", "−1,234.50", "The amount must be more than zero."),
        ("de", "-0,5", "The amount must be more than zero."),
        ("en-gb", "0.00", "The amount must be more than zero."),
    ],
)
def test_what_was_typed_is_refused_with_what_fits(language: str, text: str, why: str) -> None:
    # R3.2, R10.3
    with override(language), pytest.raises(InvalidAmount) as refusal:
        parse_typed_amount(text)
    assert str(refusal.value) == why


def test_a_currency_with_three_decimals_makes_one_group_ambiguous(settings: Any) -> None:
    # R3.2: 1,234 dinars, or 1 dinar 234?
    settings.CURRENCY = "BHD"
    for language, text, whole, fraction in (
        ("en", "1,234", "1,234.000", "1.234"),
        ("en", "999,000", "999,000.000", "999.000"),
        ("de", "1.234", "1.234,000", "1,234"),
        ("de", "12.000", "12.000,000", "12,000"),
    ):
        with override(language):
            with pytest.raises(InvalidAmount, match=f"read as {whole} or as {fraction}"):
                parse_typed_amount(text)
            # What is offered is understood when it is typed.
            assert parse_typed_amount(whole) == 1000 * parse_typed_amount(fraction)
    for language, text, amount in (
        *(
            ("en", "1.234", "1.234"),
            ("en", "1,234.5", "1234.5"),
            ("en", "1,234,567", "1234567"),
            ("en", "1234", "1234"),
        ),
        *(("de", "1,234", "1.234"), ("de", "1.234,567", "1234.567"), ("fr", "1 234", "1234"), ("fr", "1,234", "1.234")),
    ):
        with override(language):
            assert parse_typed_amount(text) == Decimal(amount), text


@in_one_world(
    ("language", "text"),
    [
        *(("en-gb", text) for text in ("€5", "5 €", " € 5.00 ", "EUR 5", "eur5", "5EUR", "5.", "€5.")),
        *(("de", text) for text in ("5 €", "€ 5,00", "5 EUR", "5,")),
    ],
)
def test_the_banks_currency_may_stand_on_one_side_and_the_decimal_mark_at_the_end(language: str, text: str) -> None:
    # R3.2
    with override(language):
        assert parse_typed_amount(text) == Decimal(5)


@in_one_world("text", ["$5", "5 USD", "€5€", "EUR 5 €", "€", "EUR", ".", "€-5", "-€5", "E5", "€,5", "5..", "5.€."])
def test_another_currency_or_a_sign_twice_is_refused(text: str) -> None:
    # R3.2
    with pytest.raises(InvalidAmount):
        parse_typed_amount(text)


def test_a_currency_without_decimals_has_examples_without(settings: Any) -> None:
    # R3.2
    settings.CURRENCY = "JPY"
    assert parse_typed_amount("1,234") == 1234
    with pytest.raises(InvalidAmount, match="for example 1234 or 1,234"):
        parse_typed_amount("1,2,3")
    with pytest.raises(InvalidAmount, match="Write it without decimals"):
        parse_typed_amount("1,234.5")


@given(
    minor=st.integers(min_value=1, max_value=10**14 - 1), language=st.sampled_from(["en-gb", "de", "fr", "pl", "de-ch"])
)
def test_the_bank_reads_every_amount_that_it_writes(minor: int, language: str) -> None:
    # R10.3
    amount = from_minor(minor)
    with override(language):
        written = re.sub(r"[^0-9.,’\s]|\s(?=[^0-9])|\s$|^\s", "", format_money(amount))
        assert parse_typed_amount(written) == amount
        assert parse_typed_amount(f"{amount:f}") == amount


def test_programs_write_plainly() -> None:
    # R3.2, R7: what the API takes does not depend on anybody's language.
    for language, text in (("en-gb", "1,234.56"), ("de", "1.234,56"), ("de", "12,5"), ("fr", "1 234")):
        with override(language), pytest.raises(InvalidAmount):
            parse_amount(text)


def test_the_currency_stands_before_the_field(settings: Any) -> None:
    # R10.2
    field = '<div class="input-group"><span class="input-group-text">€</span><input type="text"'
    assert field in AmountInput().render("amount", "")
    settings.CURRENCY = "JPY"
    assert '<span class="input-group-text">JP¥</span>' in AmountInput().render("amount", "<b>")
