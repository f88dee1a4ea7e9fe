"""Pages by key: each row once, there and back, in every order; and texts that are not a cursor of the list.

The tables are those of the bank, by their names: this floor imports no app.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.http import HttpRequest, QueryDict
from django.test.utils import CaptureQueriesContext

from foundation import paging
from foundation.paging import CompiledPages, Cursor, InvalidCursor, Page, page_in, page_of, pager_urls

User: Any = apps.get_model("accounts.User")
Transaction: Any = apps.get_model("transfers.Transaction")
Entry: Any = apps.get_model("transfers.Entry")

AT = datetime(2026, 11, 30, 9, 30, 15, 123456, tzinfo=UTC)


def asking(**query: str) -> HttpRequest:
    request = HttpRequest()
    request.GET = QueryDict(urlencode(query))
    return request


@pytest.fixture
def people(make_user: Callable[..., Any]) -> Any:
    """Seven, of whom three came in one moment."""
    for number, minute in enumerate((3, 1, 2, 2, 2, 0, 4)):
        user = make_user(f"Person{number}", two_factor=False)
        User.objects.filter(pk=user.pk).update(created_at=AT + timedelta(minutes=minute))
    return User.objects.filter(first_name__startswith="Person")


# --- Pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by", [("created_at", "pk"), ("pk",), ("public_id",), ("created_at", "public_id")], ids=lambda by: "+".join(by)
)
def test_the_pages_hold_each_row_once_there_and_back(people: Any, by: Sequence[str]) -> None:
    """By a moment and a number, a number, a UUID; those of one moment are parted by what comes after it."""
    wanted = list(people.order_by(*(f"-{name}" for name in by)))
    for limit in (1, 2, 3, 6, 7, 8):
        pages = [page_of(people, by=by, limit=limit)]
        while (after := pages[-1].next_cursor) is not None:
            pages.append(page_of(people, by=by, limit=limit, after=after))
        assert [row for page in pages for row in page.items] == wanted
        assert [len(page.items) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        back = [pages[-1]]
        while (before := back[-1].previous_cursor) is not None:
            back.append(page_of(people, by=by, limit=limit, before=before))
        assert [list(page.items) for page in back[::-1]] == [list(page.items) for page in pages]


@pytest.mark.parametrize(
    "by", [("created_at", "pk"), ("pk",), ("created_at", "public_id")], ids=lambda by: "+".join(by)
)
def test_compiled_pages_are_the_same_pages(people: Any, by: Sequence[str]) -> None:
    for limit in (1, 3, 7, 8):
        compiled: CompiledPages = CompiledPages(
            User,
            lambda name: User.objects.filter(first_name__gt=name, first_name__startswith="Person"),
            User._meta.get_field("first_name"),
            by=by,
            limit=limit,
        )
        after: Cursor | None = None
        while True:
            page = page_of(people, by=by, limit=limit, after=after)
            assert compiled.page("Person", after=after) == page
            if page.previous_cursor is not None:
                before = page.previous_cursor
                assert compiled.page("Person", before=before) == page_of(people, by=by, limit=limit, before=before)
            if page.next_cursor is None:
                break
            after = page.next_cursor
        with pytest.raises(InvalidCursor):
            compiled.page("Person", after=Cursor("00"))


def test_a_row_that_comes_meanwhile_shifts_no_page(people: Any, make_user: Callable[..., Any]) -> None:
    first = page_of(people, by=("created_at", "pk"), limit=3)
    make_user("Person8", two_factor=False)
    second = page_of(people, by=("created_at", "pk"), limit=3, after=first.next_cursor)
    assert not set(first.items) & set(second.items)
    assert len(second.items) == 3


def test_a_page_goes_on_where_its_row_is_gone(people: Any) -> None:
    first = page_of(people, by=("created_at", "pk"), limit=3)
    wanted = list(people.order_by("-created_at", "-pk")[3:])
    people.filter(pk=first.items[-1].pk).update(created_at=AT + timedelta(days=1))
    assert list(page_of(people, by=("created_at", "pk"), after=first.next_cursor).items) == wanted


def test_a_page_is_one_statement_that_neither_counts_nor_skips(people: Any) -> None:
    first = page_of(people, by=("created_at", "pk"), limit=2)
    with CaptureQueriesContext(connection) as captured:
        for place in ({}, {"after": first.next_cursor}, {"before": page_of(people, by=("pk",)).next_cursor}):
            page_of(people, by=("created_at", "pk"), limit=2, **place)
    texts = [query["sql"] for query in captured.captured_queries]
    assert len(texts) == 4
    assert not [text for text in texts if "OFFSET" in text or "COUNT(" in text.upper()]


def test_without_a_limit_a_page_has_fifty_rows(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paging.PAGE_ROWS == 50
    monkeypatch.setattr(paging, "PAGE_ROWS", 4)
    assert len(page_of(people, by=("pk",)).items) == 4


@pytest.mark.django_db
def test_beyond_the_ends_there_is_nothing() -> None:
    nothing: Page[Any] = Page([], None, None)
    key = Cursor.of(User(created_at=AT, pk=1), ("created_at", "pk"))
    assert page_of(User.objects.none(), by=("created_at", "pk")) == nothing
    assert page_of(User.objects.filter(pk=0), by=("created_at", "pk"), after=key) == nothing
    assert page_of(User.objects.filter(pk=0), by=("created_at", "pk"), before=key) == nothing


# --- Cursors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "by"),
    [
        (lambda: Entry(sequence=1), ("sequence",)),
        (lambda: Entry(sequence=2**63 - 1), ("sequence",)),
        (lambda: Entry(posted_at=AT, id=2**63 - 1), ("posted_at", "id")),
        (lambda: Entry(posted_at=datetime(1970, 1, 1, tzinfo=UTC), id=0), ("posted_at", "id")),
        (lambda: Entry(posted_at=datetime(2286, 11, 20, tzinfo=UTC), id=0), ("posted_at", "id")),
        (lambda: Transaction(created_at=AT, id=uuid4()), ("created_at", "pk")),
        (lambda: Transaction(id=uuid4()), ("pk",)),
    ],
)
def test_a_cursor_says_which_key_it_is_of(row: Any, by: Sequence[str]) -> None:
    one = row()
    cursor = Cursor.of(one, by)
    assert Cursor.parse(str(cursor)).key(type(one), by) == [getattr(one, name) for name in by]
    assert len(cursor) <= 100


def test_a_cursor_of_a_moment_and_a_number_looks_like_a_uuid_and_no_uuid_is_one() -> None:
    """Lists of the API say so in their document."""
    cursor = Cursor.of(Entry(posted_at=AT, id=77), ("posted_at", "id"))
    assert str(UUID(cursor)) == cursor
    for drawn in (uuid4(), UUID("018f0000-0000-7000-8000-000000000000")):
        with pytest.raises(InvalidCursor):
            Cursor.parse(str(drawn)).key(Entry, ("posted_at", "id"))


NONSENSE = ["", "-", "x", "1", "1-", "-1", "%00", "٣٣", "9" * 41, " " + "0" * 16, "A" * 16, "0" * 32, "00-00", "é" * 16]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_not_a_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        Cursor.parse(text)
    assert (refused.value.code, str(refused.value)) == (
        "invalid_cursor",
        "This is no cursor of this list. Begin again without one.",
    )


@pytest.mark.parametrize(
    ("text", "by"),
    [
        (f"{5:016x}", ("posted_at", "id")),
        (str(UUID(int=5 * 2**64 + 1)), ("sequence",)),
        (f"{2**63:016x}", ("sequence",)),
        (str(UUID(int=10**16 * 2**64 + 1)), ("posted_at", "id")),
        (str(UUID(int=5 * 2**64 + 2**63)), ("posted_at", "id")),
        ("00", ("sequence",)),
    ],
)
def test_the_cursor_of_another_list_is_refused(text: str, by: Sequence[str]) -> None:
    """It would begin somewhere, and missing rows would not show."""
    with pytest.raises(InvalidCursor):
        Cursor.parse(text).key(Entry, by)


# --- Pages in an address ------------------------------------------------------------------------------------


def test_the_address_says_which_page(people: Any) -> None:
    def rows(*, after: Cursor | None = None, before: Cursor | None = None) -> Page[Any]:
        return page_of(people, by=("created_at", "pk"), after=after, before=before, limit=3)

    first = page_in(asking(), rows)
    second = page_in(asking(older_than=first.next_cursor or ""), rows)
    assert second == rows(after=first.next_cursor)
    assert page_in(asking(newer_than=second.previous_cursor or ""), rows).items == first.items
    of_another_list = Cursor.of(first.items[0], ("pk",))
    for text in (*NONSENSE, of_another_list):
        assert page_in(asking(older_than=text), rows) == page_in(asking(newer_than=text), rows) == first


def test_older_and_newer_lead_to_the_pages_beside_this_one() -> None:
    def page(older: bool, newer: bool) -> Page[Any]:
        return Page([], Cursor("a1") if older else None, Cursor("b2") if newer else None)

    assert pager_urls(page(True, True), "/x/") == {"older_url": "/x/?older_than=a1", "newer_url": "/x/?newer_than=b2"}
    urls = pager_urls(page(True, True), "/x/?type=fee")
    assert urls == {"older_url": "/x/?type=fee&older_than=a1", "newer_url": "/x/?type=fee&newer_than=b2"}
    assert pager_urls(page(False, False), "/x/") == {"older_url": None, "newer_url": None}
    assert pager_urls(page(False, True), "/x/", newest_only=True) == {"older_url": None, "newer_url": "/x/"}
    assert pager_urls(page(True, False), "/x/", newest_only=True)["newer_url"] is None


def test_what_is_shown_of_a_page_keeps_its_cursors() -> None:
    page = Page([1, 2], Cursor("a1"), Cursor("b2"))
    assert page.showing(["one", "two"]) == Page(["one", "two"], Cursor("a1"), Cursor("b2"))
