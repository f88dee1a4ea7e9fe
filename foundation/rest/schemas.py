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
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

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
    a value that no schema names does not leave the bank."""

    model_config = ConfigDict(from_attributes=True)


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


def _amount_schema() -> dict[str, Any]:
    places = currency_exponent()
    decimals = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    return {
        "type": "string",
        "pattern": rf"^[0-9]{{1,12}}{decimals}$",
        "description": "An amount as text, in the bank's currency: digits, with a point before the decimals.",
        "examples": ["1234.50" if places else "1234"],
    }


# A positive amount, as text: a number would be a float in many languages, and lose cents.
Amount = Annotated[Decimal, refusing(parse_amount, InvalidAmount), WithJsonSchema(_amount_schema())]
AmountOrZero = Annotated[
    Decimal,
    refusing(lambda text: parse_amount(text, allow_zero=True), InvalidAmount),
    WithJsonSchema(_amount_schema()),
]
# Where the previous page ended: its `next_cursor`.
Cursor = Annotated[
    paging.Cursor,
    refusing(paging.Cursor.parse, paging.InvalidCursor),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 100,
            "pattern": "^[A-Za-z0-9_-]+$",
            "description": "The `next_cursor` of the page before; leave it out for the first.",
        }
    ),
]
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


def text_of(field: forms.CharField) -> Any:
    """Return the type of a text that a field of the pages' forms reads, so that pages and API read it alike; use it in
    a schema like Annotated: `text_of(LineField(max_length=40, required=False))`."""

    def parse(value: str) -> Any:
        try:
            return field.clean(value)
        except ValidationError as error:
            fault = error.error_list[0]
            raise PydanticCustomError("invalid", "{text}", {"text": " ".join(fault.messages)}) from error

    schema: dict[str, Any] = {"type": "string"}
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
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["1234.50"]}),
]
TimeText = Annotated[
    datetime,
    PlainSerializer(time_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-03T08:00:00.000000Z"]}),
]
