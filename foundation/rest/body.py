"""Read what a program sends, before any schema sees it: JSON that every parser would read the same way (RFC 8259).

Duplicate keys, `NaN` and numbers beyond all bounds mean different things to different parsers, and a firewall in front
may have read another document than the bank; NUL and half of a surrogate pair break databases.
"""

import codecs
import json
import math
from collections.abc import Container, Iterable
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from foundation.rest.problems import FieldError, Problem, invalid

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8


def read_json(request: HttpRequest) -> Any:
    """Return the document in the body.

    Raises:
        Problem: 413, 415, or 400 with a code that says what is wrong.
    """
    if request.content_type != "application/json":
        raise Problem(415, "content_type", "Send JSON, as application/json.")
    if len(request.body) > MAX_BYTES:
        raise Problem(413, "body_too_large", f"A body has at most {MAX_BYTES} bytes.")
    if request.body.startswith(codecs.BOM_UTF8):
        raise Problem(400, "body_unreadable", "The body begins with a byte order mark (BOM). Send it without one.")
    try:
        document = json.loads(
            request.body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_float,
        )
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are kinds of it
        raise Problem(400, "body_unreadable", "The body is not JSON in UTF-8.") from error
    _check(document)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Problem(400, "duplicate_key", "An object in the body has the same key twice.")
    return made


def _no_constant(name: str) -> NoReturn:
    raise Problem(400, "number_out_of_range", "NaN and Infinity are no numbers of JSON.")


def _float(text: str) -> float:
    """Read a number with a fraction. It never becomes money: amounts are strings, and a schema refuses any other
    type."""
    number = float(text)
    if not math.isfinite(number):
        raise Problem(400, "number_out_of_range", "A number in the body is too large.")
    return number


def _check(document: Any) -> None:
    """Check depth and texts, without recursion: the sender chooses the document's depth."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            check_text(value)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise _too_deep()
            inner: Iterable[Any] = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            waiting.extend((item, depth + 1) for item in inner)


def check_text(text: str) -> None:
    """Refuse text that no database column holds.

    Raises:
        Problem
    """
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Problem(400, "unreadable_text", "A text has NUL or half of a surrogate pair in it.")


def _too_deep() -> Problem:
    return Problem(400, "too_deep", f"The body nests deeper than {MAX_DEPTH} levels.")


def check_query(query: MultiValueDict, known: Container[str], *, lists: Container[str] = ()) -> None:
    """Check the parameters of a query.

    Raises:
        Problem: 422 for one that is unknown, or given twice: a misspelt filter must not show everything.
    """
    for name, values in query.lists():
        check_text(name + "".join(values))
        if name not in known:
            raise invalid([FieldError(name[:60], "extra_forbidden", "There is no such parameter.")])
        if len(values) > 1 and name not in lists:
            raise invalid([FieldError(name, "repeated", "This parameter is given more than once.")])


class StrictParser(Parser):
    """For the whole API: reads bodies with `read_json()`, and checks queries with `check_query()`."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request)

    def parse_querydict(self, data: MultiValueDict, list_fields: list[str], request: HttpRequest) -> dict[str, Any]:
        # Set around each operation, by bankproject.api: no attribute that the type checker knows.
        check_query(data, request.query_names, lists=list_fields)  # type: ignore[attr-defined]
        return super().parse_querydict(data, list_fields, request)
