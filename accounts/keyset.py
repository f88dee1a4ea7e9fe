"""Pages of a list by key, newest first: the deepest costs what the first does, and nothing is counted.

The cursor says where a page ended: a moment and the key of a row, in letters that no program should read.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from foundation.refusals import Refusal

PAGE_ROWS = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS = 16  # microseconds to the year 2286
_LARGEST_KEY = 2**63 - 1

T = TypeVar("T", bound=Model)


class InvalidCursor(Refusal):
    code = "invalid_cursor"
    text = "This is no cursor of this list. Begin again without one."


@dataclass(frozen=True)
class Key:
    """The row that a page ended with."""

    at: datetime
    row: str  # its primary key, as text


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and the cursor of the next; None on the last."""

    items: Sequence[T]
    next_cursor: str | None


def parse_cursor(text: str) -> Key:
    """What `Page.next_cursor` says.

    Raises:
        InvalidCursor
    """
    try:
        told = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    micros, _, row = told.partition(".")
    if not (micros.isdigit() and len(micros) <= _MOST_DIGITS and row):
        raise InvalidCursor
    return Key(_EPOCH + timedelta(microseconds=int(micros)), row)


def page_of(rows: QuerySet[T], *, by: str, after: Key | None) -> Page[T]:
    """The next `PAGE_ROWS` of the rows, by this moment and then by their keys.

    Raises:
        InvalidCursor: it is of another list.
    """
    if after is not None:
        earlier = Q(**{f"{by}__lt": after.at}) | Q(pk__lt=_key_of(rows.model, after.row))
        rows = rows.filter(earlier, **{f"{by}__lte": after.at})
    # One more than is shown says whether there are others, without counting.
    found = list(rows.order_by(f"-{by}", "-pk")[: PAGE_ROWS + 1])
    shown = found[:PAGE_ROWS]
    return Page(shown, _cursor_of(shown[-1], by) if len(found) > PAGE_ROWS else None)


def _key_of(model: type[Model], text: str) -> Any:
    try:
        key = model._meta.pk.to_python(text)
    except ValidationError as error:
        raise InvalidCursor from error
    if isinstance(key, int) and not 0 <= key <= _LARGEST_KEY:
        raise InvalidCursor
    return key


def _cursor_of(row: Model, by: str) -> str:
    micros = (getattr(row, by) - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros}.{row.pk}".encode()).decode().rstrip("=")
