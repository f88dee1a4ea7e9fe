"""Texts that people type and paste, with their meaning or the reason of refusal: the tables of `tests/typed/`, row by
row (R3.2, R10.3)."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from django import forms
from django.conf import settings as bank_settings
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from accounts.account_numbers import InvalidAccountNumber, parse_number
from accounts.sign_in.codes import InvalidCode, parse_code
from bankproject import api as _api  # noqa: F401 - all bodies are classes from here on
from foundation.money import InvalidAmount, as_typed, format_money, from_minor, parse_typed_amount
from foundation.rest.schemas import In
from tests.asvs import proves
from tests.tables import in_one_world

APPS = ("bankproject.", "support.", "transfers.", "accounts.")
_TABLES = Path(__file__).parent / "typed"
# How the tables write invisible characters.
_UNSEEN = {
    "[NBSP]": "\u00a0",
    "[narrow NBSP]": "\u202f",
    "[thin space]": "\u2009",
    "[figure space]": "\u2007",
    "[ideographic space]": "\u3000",
    "[zero-width space]": "\u200b",
    "[BOM]": "\ufeff",
    "[LRM]": "\u200e",
    "[RLM]": "\u200f",
    "[LRI]": "\u2066",
    "[PDI]": "\u2069",
    "[soft hyphen]": "\u00ad",
}


def rows_of(name: str) -> Iterator[list[str]]:
    """Yield the cells of each row of a table, one after another."""
    for line in (_TABLES / name).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" ") for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] not in {"Page", "Typed", "---"}:
            yield [re.sub(r"\[[^]]+\]", lambda found: _UNSEEN[found[0]], cell) for cell in cells]


AMOUNTS, NUMBERS, CODES = (list(rows_of(name)) for name in ("amounts.md", "numbers.md", "codes.md"))


def told(parse: Any, text: str) -> str:
    """Return the tables' answer: the meaning, or the refusal."""
    try:
        return str(parse(text))
    except (InvalidAmount, InvalidAccountNumber, InvalidCode) as refusal:
        return f"refused: {refusal}"


@proves("V2.2.1")
@in_one_world(("language", "currency", "text", "means"), AMOUNTS)
def test_an_amount_means_what_the_table_says(
    language: str, currency: str, text: str, means: str, settings: Any
) -> None:
    """R3.2, R10.3."""
    settings.CURRENCY = currency
    with override(language):
        assert told(lambda typed: f"{parse_typed_amount(typed).normalize():f}", text) == means


@in_one_world(("text", "means"), NUMBERS)
def test_an_account_number_names_the_account_that_the_table_says(text: str, means: str) -> None:
    """R2.2."""
    assert told(parse_number, text) == means


@in_one_world(("text", "means"), CODES)
def test_a_code_means_what_the_table_says(text: str, means: str) -> None:
    """R1.2, R3.6."""
    assert told(parse_code, text) == means


def kinds_of(base: Any) -> Iterator[Any]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def test_every_field_for_a_code_reads_it_as_the_table_says() -> None:
    """R1.2, R3.6, F8, F9: of all forms, and of all bodies that programs send."""
    by_rule = [row for row in CODES if row[1] == "751577"]
    bodies = {kind for kind in kinds_of(In) if kind.__module__.startswith(APPS) and "code" in kind.model_fields}
    forms_ = {kind for kind in kinds_of(forms.BaseForm) if kind.__module__.startswith(APPS)}
    typed = {kind.base_fields[name] for kind in forms_ for name in kind.base_fields if name.endswith("code")}
    assert len(bodies) >= 10
    assert len(typed) >= 3
    for text, means in by_rule:
        for kind in bodies:
            field = kind.model_fields["code"]
            of_the_field: Any = Annotated[field.annotation, "code", *field.metadata]
            read: Any = TypeAdapter(of_the_field).validate_python(text)
            assert read == means, (kind, text)
        assert {field.clean(text) for field in typed} == {means}, text


def test_the_tables_have_no_row_twice_and_150_at_least() -> None:
    for table in (AMOUNTS, NUMBERS, CODES):
        typed = [tuple(row[:-1]) for row in table]
        assert len(set(typed)) == len(typed)
    assert len(AMOUNTS) + len(NUMBERS) + len(CODES) >= 150


_MINOR = (*(1, 5, 10, 99, 100, 101, 999, 1000, 1234, 9999, 10_000, 12_345, 99_999, 100_000, 123_456, 999_999),
          *(1_000_000, 1_234_567, 12_345_678, 123_456_789, 1_000_000_000, 99_999_999_999_9))  # fmt: skip


@proves("V2.2.1")
@in_one_world("currency", ["EUR", "USD", "CHF", "INR", "RSD", "CVE", "JPY", "XAF", "BHD", "DKK", "UYW"])
def test_the_bank_accepts_every_amount_that_it_writes_in_every_language(currency: str, settings: Any) -> None:
    """R10.3: an amount that a customer copies from a page, in any of Django's languages, means the same there."""
    settings.CURRENCY = currency
    assert len(bank_settings.LANGUAGES) > 90
    for language, _ in bank_settings.LANGUAGES:
        with override(language):
            for amount in map(from_minor, _MINOR):
                written = format_money(amount)
                assert parse_typed_amount(written) == amount, (language, written)
                in_a_field = as_typed(amount)
                assert parse_typed_amount(in_a_field) == amount, (language, in_a_field)


@given(minor=st.integers(1, 10**14 - 1), language=st.sampled_from([code for code, _ in bank_settings.LANGUAGES]))
def test_any_amount_that_is_written_is_read_again(minor: int, language: str) -> None:
    """R10.3."""
    with override(language):
        assert parse_typed_amount(format_money(from_minor(minor))) == from_minor(minor)


@proves("V2.2.1")
@given(
    text=st.text(alphabet="0123456789,.' €-−\u00a0\u200e", max_size=14),
    language=st.sampled_from(["en-gb", "de", "fr", "de-ch"]),
)
def test_no_digit_that_was_typed_changes_its_place(text: str, language: str) -> None:
    """R3.2: the result has the typed digits, two at most behind the last mark, and groups of three before it."""
    with override(language):
        try:
            amount = parse_typed_amount(text)
        except InvalidAmount:
            return
    first, *groups = re.split("[,.' ]", re.sub("[€\u200e]", "", text).replace("\u00a0", " ").strip())
    cents = groups.pop() if groups and len(groups[-1]) < 3 else "0"
    assert [len(group) for group in groups] == [3] * len(groups)
    assert amount == Decimal(f"{first}{''.join(groups)}.{cents or '0'}")
