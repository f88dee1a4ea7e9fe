"""The addresses that only show something, and what looking at them writes."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.utils import timezone

from accounts.models import UserSession
from tests.access import operations, pages, staff_area
from tests.access.doors import undone
from tests.access.visitors import Visitor, Walker
from tests.access.world import World
from tests.access_walk import text_of

DOWNLOAD = "a list or a document that is taken away is in the audit log: who took it, and what it was about"
MESSAGE = "why one is sent elsewhere is kept for the page that one is sent to, and shown there once"
# Why looking writes all the same, by the name of a page or operation, or a pattern of an address of the staff's area.
WRITES = {
    "history_export": DOWNLOAD,
    "receipt_pdf": DOWNLOAD,
    "statement": DOWNLOAD,
    "GET accounts/{number}/statements/{year}/{month}": DOWNLOAD,
    "GET accounts/{number}/statements/{year}/{month}/pdf": DOWNLOAD,
    "GET orders/{order_id}/pdf": DOWNLOAD,
    r"/admin/\w+/\w+/export/": DOWNLOAD,
    # For a review that does not exist: an existing one writes nothing (`test_looking`).
    "transfer_review": MESSAGE,
    "deposit_confirm": MESSAGE,
    "withdraw_confirm": MESSAGE,
}

Address = tuple[str, str, Callable[[Walker, str], Any]]


@contextmanager
def statements_but_reading() -> Iterator[list[str]]:
    """Collect the statements other than SELECT, including the beginning of a transaction: a reader that opens one takes
    SQLite's lock from payments."""
    told: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lstrip().upper().startswith("SELECT") or "FOR UPDATE" in sql.upper():
            told.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield told


def noted_now(user: Any) -> None:
    UserSession.objects.filter(user=user).update(last_seen_at=timezone.now())


def of_pages(world: World) -> Iterator[Address]:
    """Yield each page, asked nothing more, and asked with a value in every field that an address can have."""
    for page in pages.every_page():
        path = pages.path_of(page, world.hers)
        for address in (path, f"{path}?{urlencode(world.hers.fields)}"):
            yield page.name, address, lambda walker, method, to=address: getattr(walker.browser, method)(to)  # type: ignore[misc]


def of_the_staff_area(visitor: Visitor, world: World) -> Iterator[Address]:
    """Yield each page of it, and each list searched and sorted."""
    for door in staff_area.doors(visitor, world):
        verb, _, path = door.name.partition(" ")
        if verb == "get":
            is_list = re.fullmatch(r"/admin/\w+/\w+/", path)
            for address in (path, f"{path}?q=alice&o=-1") if is_list else (path,):
                yield path, address, lambda walker, method, to=address: getattr(walker.browser, method)(to)  # type: ignore[misc]


def of_the_api(world: World) -> Iterator[Address]:
    """Yield each operation that reads."""
    for name in operations.OPERATIONS:
        verb, _, route = name.partition(" ")
        if verb == "GET":
            path = route.format(**world.names)
            yield name, path, lambda walker, method, to=path: walker.program.send(method.upper(), to, b"")  # type: ignore[misc]


def writes_of(walker: Walker, addresses: Iterator[Address], method: str) -> dict[str, list[str]]:
    """Return, by name, what each address writes when asked by a user who was noted a moment ago."""
    wrote: dict[str, list[str]] = {}
    for name, path, ask in addresses:
        with undone(walker):
            noted_now(walker.user)
            with statements_but_reading() as told:
                answer = ask(walker, method)
                text_of(answer)
            assert answer.status_code < 500, path
            if told and not (answer.status_code in {403, 404} and _is_entry_of_refusal(told)):
                wrote[name] = told
    return wrote


def _is_entry_of_refusal(told: list[str]) -> bool:
    """Return whether only this is written: the place in the bound of refused accesses, and the entry (V16.3.2)."""
    tables = [sql for sql in told if not re.match(r"(RELEASE )?SAVEPOINT ", sql)]
    return all(
        re.search(r"(INSERT INTO|UPDATE|FROM) \W?(audit_auditentry|foundation_ratewindow)\W", sql) for sql in tables
    )


def unforeseen(wrote: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: told for name, told in wrote.items() if name not in WRITES and not _is_of_a_pattern(name)}


def _is_of_a_pattern(name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in WRITES if pattern.startswith("/"))
