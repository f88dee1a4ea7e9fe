"""Amounts of money: read strictly, kept exactly, written as people write them (R3.2)."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Sum
from django.template import Context, Template
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import BankAccount
from foundation.form_fields import AmountField
from foundation.money import (
    InvalidAmount,
    MoneyField,
    currency_exponent,
    format_money,
    format_money_short,
    format_rate,
    from_minor,
    parse_amount,
    to_minor,
)
from tests.asvs import proves
from tests.tables import in_one_world

REFUSED = [
    *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e3", "1E3", "1e-1", "0x10", "1_000"),
    *("-5", "-0", "+5", "0", "0.00", "0.001", "1.005", ".5", "5.", ".", "1.2.3", "--5"),
    *("１２", "١٢", "1٫5", "½", "²", "1,000", "1,5", "1 000", "1'000", "1\u00a0000", "1\u200b0"),
    *("100000000000000000000", "1" + "0" * 20 + ".00", "9" * 13, "9" * 400),
    *("", " ", "\t\n", " 1 ", "1 ", "12.00\n", "EUR 5", "5 €", "$5", "five", "0; DROP TABLE", "\x005", "5\x00"),
]


@proves("V2.2.1")
@in_one_world("text", REFUSED)
def test_anything_except_a_positive_amount_is_refused(text: str) -> None:
    # R3.2
    with pytest.raises(InvalidAmount) as refusal:
        parse_amount(text)
    assert str(refusal.value).endswith((".", "1234.50."))


@in_one_world("value", [None, 5, 5.0, True, Decimal(5), b"5", ["5"], {"amount": "5"}])
def test_an_amount_of_another_type_is_refused(value: Any) -> None:
    # R3.2: a JSON number has been a float on its way.
    with pytest.raises(InvalidAmount):
        parse_amount(value)


@in_one_world(
    ("text", "why"),
    [
        ("0", "The amount must be more than zero."),
        ("-5", "The amount must be more than zero."),
        ("-0.01", "The amount must be more than zero."),
        ("1000000000000", "This amount is too large."),
        ("0.001", "Write at most two decimals."),
        ("NaN", "Write the amount in digits with a point for the decimals, like 1234.50."),
    ],
)
def test_the_refusal_says_clearly_why(text: str, why: str) -> None:
    # R3.2
    with pytest.raises(InvalidAmount, match=why.replace(".", r"\.")):
        parse_amount(text)


@in_one_world(
    ("text", "amount"),
    [("5", "5"), ("5.5", "5.5"), ("0.01", "0.01"), ("007.10", "7.1"), ("9" * 12, "9" * 12)],
)
def test_plain_digits_are_accepted(text: str, amount: str) -> None:
    # R3.2
    assert parse_amount(text) == Decimal(amount)


def test_zero_is_accepted_only_where_it_makes_sense() -> None:
    # R2.1: an opening deposit may be zero.
    assert parse_amount("0", allow_zero=True) == 0
    with pytest.raises(InvalidAmount, match="must not be less than zero"):
        parse_amount("-0", allow_zero=True)


@in_one_world(
    ("currency", "exponent", "accepted", "refused"),
    [
        ("EUR", 2, ["1.23", "1.2", "1"], ["1.234"]),
        ("JPY", 0, ["123"], ["123.0", "1.2"]),
        ("BHD", 3, ["1.234", "1.23"], ["1.2345"]),
    ],
)
def test_each_currency_has_its_own_decimals(
    settings: Any, currency: str, exponent: int, accepted: list[str], refused: list[str]
) -> None:
    # R3.2
    settings.CURRENCY = currency
    assert currency_exponent() == exponent
    for text in accepted:
        assert from_minor(to_minor(parse_amount(text))) == Decimal(text)
    for text in refused:
        with pytest.raises(InvalidAmount, match="decimals"):
            parse_amount(text)
    assert to_minor(Decimal(7)) == 7 * 10**exponent


@given(minor=st.integers(min_value=1, max_value=10**14 - 1))
def test_every_amount_survives_writing_and_reading(minor: int) -> None:
    # R3.2: exact over the whole range that a form accepts.
    amount = from_minor(minor)
    assert to_minor(amount) == minor
    assert parse_amount(f"{amount:f}") == amount


@given(text=st.text(alphabet="0123456789.eE+-,_ naifNI１٣", max_size=16))
def test_every_accepted_amount_is_positive_finite_and_exact(text: str) -> None:
    # R3.2
    try:
        amount = parse_amount(text)
    except InvalidAmount:
        return
    assert amount.is_finite()
    assert 0 < amount < 10**12
    assert amount == amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


@in_one_world("value", [0.1, 1, "1.00", None, True])
def test_only_a_decimal_becomes_minor_units(value: Any) -> None:
    # R3.2: no float anywhere.
    with pytest.raises(TypeError, match="Money is a Decimal"):
        to_minor(value)


@proves("V1.4.2")
@in_one_world("value", ["NaN", "Infinity", "-Infinity", "sNaN", "0.001", "1e-30"])
def test_what_does_not_fit_in_minor_units_is_refused_not_rounded(value: str) -> None:
    # R3.2
    with pytest.raises(ValueError, match=r"amount of money|more decimals"):
        to_minor(Decimal(value))


def account(balance: str, code: str) -> BankAccount:
    # One of the bank's own kind: reading a column needs no number.
    row = BankAccount(kind="fees", ledger_code=code, balance=Decimal(balance))
    row.save()
    return row


@pytest.mark.django_db
def test_the_column_holds_whole_minor_units_and_sums_exactly() -> None:
    # R3.2: 0.1 + 0.2 is 0.3 here, and twelve digits before the point lose no cent.
    for number, balance in enumerate(["0.10", "0.20", "999999999999.99", "-0.30"]):
        account(balance, f"test-{number}")
    rows = BankAccount.objects.filter(ledger_code__startswith="test-")
    total = rows.aggregate(total=Sum("balance"))["total"]
    assert total == Decimal("999999999999.99")
    assert isinstance(total, Decimal)
    assert rows.filter(balance=Decimal("0.1")).count() == 1
    assert rows.filter(balance__gt=Decimal("0.19")).count() == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts_bankaccount WHERE ledger_code = 'test-0'")
        assert cursor.fetchone() == (10,)


WRITES: dict[str, Callable[[BankAccount, Any], Any]] = {
    "save": lambda row, value: BankAccount(pk=row.pk, kind=row.kind, ledger_code="test", balance=value).save(),
    "update": lambda row, value: BankAccount.objects.filter(pk=row.pk).update(balance=value),
    "filter": lambda row, value: BankAccount.objects.filter(balance=value).exists(),
    "create": lambda row, value: BankAccount.objects.create(kind="fees", ledger_code="other", balance=value),
}


@pytest.mark.django_db
@in_one_world("write", WRITES)
def test_a_float_reaches_no_column(write: str) -> None:
    # R3.2
    row = account("1.00", "test")
    with pytest.raises((TypeError, ValidationError), match="Money is a Decimal"), transaction.atomic():
        WRITES[write](row, 0.1)
    row.refresh_from_db()
    assert row.balance == Decimal("1.00")


@pytest.mark.django_db
def test_a_fraction_forced_into_the_column_is_not_rounded_away() -> None:
    # R3.2: SQLite keeps it; the value read would otherwise differ from the value summed.
    if connection.vendor != "sqlite":
        pytest.skip("other engines refuse it themselves")
    row = account("1.00", "test")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_bankaccount SET balance = 100.5 WHERE id = %s", [row.pk])
    with pytest.raises(ValueError, match="not whole minor units"):
        BankAccount.objects.get(pk=row.pk)


def test_the_field_reads_what_serializers_give_it() -> None:
    # R3.2: text is exact, a JSON number is not.
    field = MoneyField()
    assert field.to_python("1.10") == Decimal("1.1")
    assert field.to_python(None) is None
    assert field.get_prep_value(None) is None
    assert field.from_db_value(None, None, connection) is None
    with pytest.raises(ValidationError):
        field.to_python(1.1)
    named = BankAccount._meta.get_field("balance")
    assert named.value_to_string(BankAccount(balance=Decimal("1.10"))) == "1.10"


@in_one_world(
    ("language", "amount", "text"),
    [
        ("en", "1234.5", "€1,234.50"),
        ("en", "-1234.5", "−€1,234.50"),
        ("de", "-1234.5", "−1.234,50\u00a0€"),
        ("de", "1234.5", "1.234,50\u00a0€"),
        ("fr", "1234.5", "1\u202f234,50\u00a0€"),
        ("pt-br", "1234.5", "€\u00a01.234,50"),
        ("en", "0", "€0.00"),
        # A language that Babel does not know must not make a page fail.
        ("xx", "5", "€5.00"),
    ],
)
def test_amounts_follow_the_language_of_the_page(language: str, amount: str, text: str) -> None:
    # R10.3
    with override(language):
        assert format_money(Decimal(amount)) == text


def test_without_a_language_the_bank_has_its_own(settings: Any) -> None:
    # R10.3: a command runs outside any page.
    settings.LANGUAGE_CODE = "de"
    with override(None):
        assert format_money(Decimal(5)) == "5,00\u00a0€"


def test_templates_write_the_sign_for_those_who_listen() -> None:
    # R10.2: a hyphen is silent, a minus is read out.
    page = Template("{% load bank %}{{ a|money_signed }} {{ b|money_signed }} {{ a|money }}")
    assert page.render(Context({"a": Decimal(5), "b": Decimal(-5)})) == "+€5.00 −€5.00 €5.00"


class AmountForm(forms.Form):
    amount = AmountField()
    deposit = AmountField(allow_zero=True, required=False)


def test_the_form_field_cleans_to_a_decimal() -> None:
    # R3.2
    form = AmountForm({"amount": " 12.30 ", "deposit": ""})
    assert form.is_valid()
    assert form.cleaned_data == {"amount": Decimal("12.30"), "deposit": None}


@in_one_world("text", ["NaN", "1e3", "-5", "0", "0.001", "１２", "1" + "0" * 20])
def test_the_form_field_says_what_is_wrong_and_keeps_what_was_typed(text: str) -> None:
    # R3.2, R10.2
    form = AmountForm({"amount": text})
    assert not form.is_valid()
    [error] = form.errors["amount"].as_data()
    assert error.code == "invalid_amount"
    assert f'value="{text}"' in str(form["amount"])


def test_the_keyboard_of_a_phone_fits_the_currency(settings: Any) -> None:
    # R10.1
    assert 'inputmode="decimal"' in str(AmountForm()["amount"])
    settings.CURRENCY = "JPY"

    class YenForm(forms.Form):
        amount = AmountField()

    assert 'inputmode="numeric"' in str(YenForm()["amount"])


@in_one_world(
    ("currency", "language", "amount", "text"),
    [
        ("EUR", "en-gb", "0", "€0"),
        ("EUR", "en-gb", "0.02", "€0.02"),
        ("EUR", "en-gb", "500", "€500"),
        ("EUR", "en-gb", "2500", "€2.5K"),
        ("EUR", "en-gb", "1500000000000", "€1.5T"),
        ("EUR", "de", "1500000", "1,5\u00a0Mio.\u00a0€"),
        ("JPY", "en", "10000", "¥10K"),
        ("BHD", "en", "0.005", "BHD0.005"),
    ],
)
def test_the_marks_of_a_scale_are_short_and_exact(
    currency: str, language: str, amount: str, text: str, settings: Any
) -> None:
    # R10.3, R10.5
    settings.CURRENCY = currency
    with override(language):
        assert format_money_short(Decimal(amount)) == text
        written = Template("{% load bank %}{{ amount|money_short }}").render(Context({"amount": Decimal(amount)}))
    assert written == text


def test_a_rate_has_the_decimals_that_it_has_in_the_language_of_the_page() -> None:
    """R10.3."""
    rates = {"0": "0%", "0.01": "1%", "0.015": "1.5%", "0.012345": "1.2345%", "1": "100%"}
    assert {text: format_rate(Decimal(text)) for text in rates} == rates
    with override("de"):
        assert format_rate(Decimal("0.015")) == "1,5\u00a0%"
