"""JSON in and out: strict on the way in, one spelling of amounts and times on the way out (R7.3)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from ninja import Header
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
    WrapValidator,
)
from pydantic import ValidationError as SchemaError
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from foundation import paging
from foundation.idempotency import KEY_HEADER, KEY_IN_HEADER, MAX_KEY_CHARS, MIN_KEY_CHARS
from foundation.money import InvalidAmount, currency_exponent, parse_amount
from foundation.refusals import Refusal

T = TypeVar("T")

_RFC_3339 = re.compile(r"[0-9]{4}(-[0-9]{2}){2}[Tt][0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})")


class In(BaseModel):
    """The base of everything that programs send: no value is converted to another type, no unknown field is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class InQuery(BaseModel):
    """The base of queries, in which everything is text: `filters: Query[HistoryIn]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """The base of everything that programs get. It is read from the attributes of rows and dataclasses, field by field:
    a value that no schema names does not leave the bank. Every field is there, also one that has a default here."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class PageOf(Out, Generic[T]):
    """A page of a list, and the cursor to ask for the next with; null on the last."""

    items: list[T]
    next_cursor: str | None = None


# --- In ------------------------------------------------------------------------------------------------------


def refusing(parse: Callable[[str], Any], *errors: Any) -> PlainValidator:
    """Return a validator that lets only texts through to `parse`, and gives its message."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        try:
            return parse(value)
        except errors as error:
            raise PydanticCustomError(error.code, "{text}", {"text": str(error)}) from error

    return PlainValidator(validate)


def _name_the_field(value: Any, validate: Callable[[Any], Any]) -> Any:
    try:
        return validate(value)
    except SchemaError as error:
        raise SchemaError.from_exception_data(error.title, [_of_the_field(fault) for fault in error.errors()]) from None


def _of_the_field(fault: Any) -> InitErrorDetails:
    if fault["type"].startswith("union_tag"):  # whose message repeats what was sent
        unknown = PydanticCustomError("unknown_kind", "There is no such kind of request.")
        return InitErrorDetails(type=unknown, loc=("kind",), input=None)
    said = PydanticCustomError(fault["type"], "{text}", {"text": fault["msg"]})
    return InitErrorDetails(type=said, loc=fault["loc"][1:], input=None)


# For a body of several kinds: an error names only the field; Pydantic would put the kind before its name.
NAMES_THE_FIELD = WrapValidator(_name_the_field)


class _InvalidMoment(Refusal):
    code = "invalid_time"
    status = 422


def _parse_moment(text: str) -> datetime:
    if not _RFC_3339.fullmatch(text):
        raise _InvalidMoment("Write a time as RFC 3339 does, with its offset: 2026-11-03T08:00:00Z.")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _InvalidMoment("There is no such time.") from error


def _example_amount() -> str:
    return "1234.50" if currency_exponent() else "1234"


def _amount_schema(*, allow_zero: bool) -> dict[str, Any]:
    places = currency_exponent()
    decimals = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    some = "" if allow_zero else "(?=.*[1-9])"
    return {
        "type": "string",
        "pattern": rf"^{some}[0-9]{{1,12}}{decimals}$",
        "description": "An amount as text, in the bank's currency: digits, with a point before the decimals.",
        "examples": [_example_amount()],
    }


# A positive amount, as text: a number would be a float in many languages, and lose cents.
Amount = Annotated[Decimal, refusing(parse_amount, InvalidAmount), WithJsonSchema(_amount_schema(allow_zero=False))]
AmountOrZero = Annotated[
    Decimal,
    refusing(lambda text: parse_amount(text, allow_zero=True), InvalidAmount),
    WithJsonSchema(_amount_schema(allow_zero=True)),
]


def _cursor_schema(pattern: str) -> WithJsonSchema:
    said = "The `next_cursor` of the page before; leave it out for the first."
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "description": said})


# Where the previous page ended: its `next_cursor`. In lists of rows by moment and number, and of movements.
Cursor = Annotated[
    paging.Cursor,
    refusing(paging.Cursor.parse, paging.InvalidCursor),
    _cursor_schema(paging.MOMENT_PATTERN),
]
LedgerCursor = Annotated[Cursor, _cursor_schema(paging.MOMENT_UUID_PATTERN)]


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "Leave this out, or give it a value.")
    return value


# A field of a body that may be left out, which the bank reads as None; null is refused, as the document says.
LeftOut = Annotated[T | SkipJsonSchema[None], BeforeValidator(_given)]
# A moment, with its offset from UTC; parsed to UTC.
Moment = Annotated[
    datetime,
    refusing(_parse_moment, _InvalidMoment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-03T08:00:00Z"]}),
]
# The public id of anything; strict mode would take no text for it.
Id = Annotated[UUID, Strict(False)]
# Chosen by the client, one for each thing that is to happen once; required on everything that moves money.
IdempotencyKey = Annotated[
    str,
    Header(
        alias=KEY_HEADER,
        min_length=MIN_KEY_CHARS,
        max_length=MAX_KEY_CHARS,
        pattern=KEY_IN_HEADER,
        description="Chosen by you, a UUID say: the same key again gives the first answer and moves nothing.",
    ),
]


# In no text of the bank: controls other than white space, marks that reverse what follows, private characters
# (`foundation.text.has_unprintable`; the unassigned ones that it refuses too are too many for a pattern).
_NEVER = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ue000-\uf8ff"
_NO_LETTERS_OF_ASCII = r"\x00-@\[-`{-\xa9"


def text_pattern(*, required: bool, letter: bool = False) -> str:
    """Return what a regular expression can say of the texts that are taken: it matches each of them.

    Args:
        letter: one that is not empty has a letter.
    """
    one = f"[^{_NEVER}{_NO_LETTERS_OF_ASCII if letter else ''}\\s]"
    some = f"[^{_NEVER}]*{one}[^{_NEVER}]*"
    if required:
        return f"^{some}$"
    return rf"^(\s*|{some})$" if letter else f"^[^{_NEVER}]*$"


def text_of(field: forms.CharField, *, letter: bool = False) -> Any:
    """Return the type of a text that a field of the pages' forms reads, so that pages and API read it alike; use it in
    a schema like Annotated: `text_of(LineField(max_length=40, required=False))`.

    Args:
        letter: the field takes no text without a letter.
    """

    def parse(value: str) -> Any:
        try:
            return field.clean(value)
        except ValidationError as error:
            fault = error.error_list[0]
            raise PydanticCustomError("invalid", "{text}", {"text": " ".join(fault.messages)}) from error

    schema: dict[str, Any] = {"type": "string", "pattern": text_pattern(required=field.required, letter=letter)}
    if field.max_length is not None:
        schema["maxLength"] = field.max_length
    if field.required:
        schema["minLength"] = 1
    return Annotated[str, refusing(parse), WithJsonSchema(schema)]


# --- Out -----------------------------------------------------------------------------------------------------


def amount_text(amount: Decimal) -> str:
    """Return the amount with all decimals of the currency: `1234.50`."""
    return f"{amount:.{currency_exponent()}f}"


def time_text(moment: datetime) -> str:
    """Return the time as RFC 3339 in UTC: `2026-11-03T08:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# On the way out, an amount may be zero or less.
AmountText = Annotated[
    Decimal,
    PlainSerializer(amount_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": [_example_amount()]}),
]
TimeText = Annotated[
    datetime,
    PlainSerializer(time_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-03T08:00:00.000000Z"]}),
]
