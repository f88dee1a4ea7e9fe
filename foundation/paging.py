"""Pages of a list by key, newest first: the deepest costs what the first does, and nothing is counted.

One pager for pages and API. A cursor says at which row a page ended or began; programs should not read it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import DateTimeField, Field, Model, Q, QuerySet, UUIDField
from django.http import HttpRequest

from foundation.compiled import Select
from foundation.refusals import CURSOR_FORGED, Refusal

PAGE_ROWS = 50
# How cursors look, for documents: of a number; of a moment, until the year 2282, and a number, or a UUID.
NUMBER_PATTERN = "[0-7][0-9a-f]{15}"
MOMENT_PATTERN = "00([01][0-9a-f]|2[0-2])[0-9a-f]{4}(-[0-9a-f]{4}){2}-[0-7][0-9a-f]{3}-[0-9a-f]{12}"
MOMENT_UUID_PATTERN = "00([01][0-9a-f]|2[0-2])[0-9a-f]{44}"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND = 10**16 - 1  # in the year 2286
_LARGEST_NUMBER = 2**63 - 1
_UUID_BYTES, _NUMBER_BYTES = 16, 8

M = TypeVar("M", bound=Model)
T = TypeVar("T")
U = TypeVar("U")


class InvalidCursor(Refusal):
    code = "invalid_cursor"
    text = "This is no cursor of this list. Begin again without one."
    status = 422
    forgery = CURSOR_FORGED


class Cursor(str):
    """The key of a row, as text: its fields in hexadecimal digits of a fixed number, one after the other.

    A cursor with as many digits as a UUID has a UUID's hyphens: some lists of the API say that their cursors are UUIDs.
    A random UUID is never a cursor of a moment and a number: as a number, its second half is too large.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what `str()` of a cursor returned.

        Raises:
            InvalidCursor: it is not a cursor.
        """
        try:
            raw = bytes.fromhex(text.replace("-", ""))
        except ValueError as error:
            raise InvalidCursor from error
        if not raw or _spelled(raw) != text:
            raise InvalidCursor
        return cls(text)

    @classmethod
    def of(cls, row: Model, by: Sequence[str]) -> "Cursor":
        """Return the cursor of this row in a list that these fields order."""
        fields = _fields(type(row), by)
        return cls(_spelled(b"".join(_packed(field, getattr(row, field.attname)) for field in fields)))

    def key(self, model: type[Model], by: Sequence[str]) -> list[Any]:
        """Return the values of these fields.

        Raises:
            InvalidCursor: it is of another list.
        """
        raw, key = bytes.fromhex(self.replace("-", "")), []
        fields = _fields(model, by)
        if len(raw) != sum(map(_width, fields)):
            raise InvalidCursor
        for field in fields:
            part, raw = raw[: _width(field)], raw[_width(field) :]
            key.append(_unpacked(field, part))
        return key


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, newest first, with the cursors of the older page and the newer one; None: there is none."""

    items: Sequence[T]
    next_cursor: Cursor | None
    previous_cursor: Cursor | None = None

    def showing(self, items: Sequence[U]) -> "Page[U]":
        """Return the same page with the rows as they are shown."""
        return Page(items, self.next_cursor, self.previous_cursor)


def page_of(
    rows: QuerySet[M],
    *,
    by: Sequence[str],
    after: Cursor | None = None,
    before: Cursor | None = None,
    limit: int | None = None,
) -> Page[M]:
    """Return the latest `limit` rows (`PAGE_ROWS`, if not given); after or before a cursor, if there is one.

    Args:
        by: the fields that order the rows, the last of them unique among those that share the others.
        after: the `next_cursor` of the page before.
        before: the `previous_cursor` of the page after; it counts where both are given.

    Raises:
        InvalidCursor: it is of another list.
    """
    limit = PAGE_ROWS if limit is None else limit
    came_from = after if before is None else before
    values = [] if came_from is None else values_of(came_from, rows.model, by)
    found = list(around(rows, by, values, is_newer=before is not None)[: limit + 1])
    return page_of_found(found, by=by, after=after, before=before, limit=limit)


class CompiledPages(Generic[M]):
    """Pages like those of `page_of()`, by statements that are compiled once (`foundation.compiled`).

    Args:
        build: makes the queryset from values for `fields`.
        by: as in `page_of()`.
        limit: rows on a page.
        may_be_behind: as in `Select`.
    """

    def __init__(
        self,
        model: type[M],
        build: Callable[..., QuerySet[M]],
        *fields: Field,
        by: Sequence[str],
        limit: int,
        may_be_behind: bool = False,
    ) -> None:
        self._model, self._build, self._by, self._limit = model, build, by, limit
        self._fields, self._may_be_behind = fields, may_be_behind
        self._selects: dict[str, Select[M]] = {}

    def page(self, *values: Any, after: Cursor | None = None, before: Cursor | None = None) -> Page[M]:
        """Return the page of the rows for these values.

        Raises:
            InvalidCursor: it is of another list.
        """
        came_from = after if before is None else before
        key = [] if came_from is None else values_of(came_from, self._model, self._by)
        side = "first" if came_from is None else "older" if before is None else "newer"
        if side not in self._selects:
            self._selects[side] = self._select(side)
        found = self._selects[side].instances(*values, *key)
        return page_of_found(found, by=self._by, after=after, before=before, limit=self._limit)

    def _select(self, side: str) -> Select[M]:
        count = len(self._fields)

        def build(*values: Any) -> QuerySet[M]:
            rows = around(self._build(*values[:count]), self._by, values[count:], is_newer=side == "newer")
            return rows[: self._limit + 1]

        key = [] if side == "first" else each_but_the_last_twice(_fields(self._model, self._by))
        return Select(build, *self._fields, *key, may_be_behind=self._may_be_behind)


def around(rows: QuerySet[M], by: Sequence[str], values: Sequence[Any], *, is_newer: bool) -> QuerySet[M]:
    """Return the rows in their order: from the newest, or from a key towards the older or the newer ones."""
    if values:
        rows = rows.filter(beyond(by, iter(values), "gt" if is_newer else "lt"))
    return rows.order_by(*(name if is_newer else f"-{name}" for name in by))


def page_of_found(
    found: list[M], *, by: Sequence[str], after: Cursor | None, before: Cursor | None, limit: int
) -> Page[M]:
    """Return the page of rows that were found with one more than is shown: that one says whether there are others,
    without counting."""
    items, is_cut = found[:limit], len(found) > limit
    if before is None:
        has_older, has_newer = is_cut, after is not None
    else:
        items, has_older, has_newer = items[::-1], True, is_cut
    return Page(
        items,
        Cursor.of(items[-1], by) if items and has_older else None,
        Cursor.of(items[0], by) if items and has_newer else None,
    )


# --- In the address of a page -------------------------------------------------------------------------------


def page_in(request: HttpRequest, rows: Callable[..., Page[T]]) -> Page[T]:
    """Return the page of `rows(after=…, before=…)` that the address asks for; nonsense asks for the first."""
    try:
        return rows(after=_cursor_in(request, "older_than"), before=_cursor_in(request, "newer_than"))
    except InvalidCursor:
        return rows()


def pager_urls(page: Page[Any], here: str, *, newest_only: bool = False) -> dict[str, str | None]:
    """Return the addresses of "Older" and "Newer" for a page of the list at `here`; None where there is nothing.

    Args:
        newest_only: "Newer" leads to the first page, not to the one before.
    """
    newer = here if newest_only else _with(here, newer_than=page.previous_cursor or "")
    return {
        "older_url": _with(here, older_than=page.next_cursor) if page.next_cursor else None,
        "newer_url": newer if page.previous_cursor else None,
    }


def _cursor_in(request: HttpRequest, name: str) -> Cursor | None:
    try:
        return Cursor.parse(request.GET.get(name, ""))
    except InvalidCursor:
        return None


def _with(url: str, **query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


# --- Keys ---------------------------------------------------------------------------------------------------


def beyond(by: Sequence[str], values: Iterator[Any], side: str) -> Q:
    """Return the rows on this side of a key, "lt" or "gt", whose values come as `values_of()` gives them."""
    name, *rest = by
    if not rest:
        return Q(**{f"{name}__{side}": next(values)})
    # The first condition adds nothing, but lets the database read from an index.
    from_here = Q(**{f"{name}__{side}e": next(values)})
    return from_here & (Q(**{f"{name}__{side}": next(values)}) | beyond(rest, values, side))


def values_of(cursor: Cursor, model: type[Model], by: Sequence[str]) -> list[Any]:
    """Return the key of a cursor, each value as often as `beyond()` uses it.

    Raises:
        InvalidCursor: it is of another list.
    """
    return each_but_the_last_twice(cursor.key(model, by))


def each_but_the_last_twice(parts: Sequence[T]) -> list[T]:
    """Return the stand-ins for each field of a key, as often as `beyond()` uses it."""
    return [part for part in parts[:-1] for _ in range(2)] + [parts[-1]]


def _fields(model: type[Model], by: Sequence[str]) -> list[Any]:
    return [model._meta.pk if name == "pk" else model._meta.get_field(name) for name in by]


def _width(field: Field) -> int:
    return _UUID_BYTES if isinstance(field, UUIDField) else _NUMBER_BYTES


def _packed(field: Field, value: Any) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    number = (value - _EPOCH) // timedelta(microseconds=1) if isinstance(field, DateTimeField) else value
    return number.to_bytes(_NUMBER_BYTES, "big")


def _unpacked(field: Field, raw: bytes) -> Any:
    if isinstance(field, UUIDField):
        return UUID(bytes=raw)
    number, is_moment = int.from_bytes(raw, "big"), isinstance(field, DateTimeField)
    if number > (_LAST_MICROSECOND if is_moment else _LARGEST_NUMBER):
        raise InvalidCursor
    return _EPOCH + timedelta(microseconds=number) if is_moment else number


def _spelled(raw: bytes) -> str:
    return str(UUID(bytes=raw)) if len(raw) == _UUID_BYTES else raw.hex()
