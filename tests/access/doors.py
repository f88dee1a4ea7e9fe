"""What every door is asked, and what is checked afterwards."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.http.cookie import SimpleCookie

from accounts.models import User
from tests.access.visitors import Visitor, Walker
from tests.access_walk import OURS, WORDS, rows_about, text_of


@dataclass(frozen=True)
class Door:
    """One thing to ask for in one way.

    `answers` are the statuses it may answer with, with spaces between; `permission` opens it. `look` names further
    faults of an answer.
    """

    name: str
    permission: str
    answers: str
    ask: Callable[[Walker], Any]
    look: Callable[[Any], str] = lambda answer: ""
    may_add: str = ""  # the model of which it may make a row of Alice's, whoever asks
    may_write: bool = True  # what the staff's area shows
    could_change_rows: bool = False  # where Django adds, changes and deletes rows
    is_to_look: bool = False  # asked with a method that changes nothing of Alice's, whoever asks (R8.2)


def walk_through(doors: Iterable[Door], walker: Walker, alice: Any) -> list[str]:
    """Return a line for each fault in what they answer and show, and in what they change of Alice's.

    Each act is undone: the next one finds the same bank.
    """
    wrong, was, asked = [], rows_about(alice), 0
    for door in doors:
        asked += 1
        with undone(walker), writes() as written:
            answer = door.ask(walker)
            found = list(_faults(door, walker, answer))
            if not is_allowed_to_touch(door, walker, answer) and written & tables_about_people():
                found += _changes(door, alice, was, written)
            if not door.may_write and written & tables_of_the_staff_area():
                found.append(f"wrote to {written & tables_of_the_staff_area()}")
        wrong += [f"{walker.visitor}: {door.name}: {fault}" for fault in found]
    assert asked, "there was no door"
    return wrong


def without_what_no_flag_opens(visitor: Visitor, doors: Iterable[Door]) -> list[Door]:
    """Return the doors without those that no flag opens: a flag on top of a role could open what is closed to the role,
    and change rows that it sees."""
    has_a_flag_too = visitor.is_superuser and visitor.role is not None
    return [
        door for door in doors if not has_a_flag_too or door.answers in {"403", "404"} or door.could_change_rows
    ]  # fmt: skip


def is_allowed_to_touch(door: Door, walker: Walker, answer: Any) -> bool:
    return not door.is_to_look and is_allowed_to_see(door, walker, answer)


def is_allowed_to_see(door: Door, walker: Walker, answer: Any) -> bool:
    """Return whether the visitor may see it: a row that Alice is refused may still be hers, since her session is read
    whenever she asks."""
    return walker.visitor.is_alice or (walker.visitor.may_touch(door.permission) and answer.status_code < 400)


def _faults(door: Door, walker: Walker, answer: Any) -> Iterator[str]:
    said = text_of(answer)
    if str(answer.status_code) not in door.answers.split():
        yield f"answers {answer.status_code}, not {door.answers}"
    elif fault := door.look(answer):
        yield fault
    if not is_allowed_to_see(door, walker, answer):
        shown = [word for word in WORDS if word in said]
        if shown:
            yield f"shows {shown} of Alice's"


def _changes(door: Door, alice: Any, was: dict[tuple[str, Any], str], written: set[str]) -> Iterator[str]:
    now = rows_about(alice, was, written)
    added = {label for label, _ in now.keys() - was.keys()} - {door.may_add}
    changed = [key for key in was if now.get(key) != was[key]]
    if added or changed:
        yield f"changed what is Alice's: {sorted(added)} {changed}"


@contextmanager
def undone(walker: Walker | None = None) -> Iterator[None]:
    """Undo everything that is written meanwhile, and the browser's cookies."""
    point = transaction.savepoint()
    cookies = deepcopy(walker.browser.cookies) if walker else SimpleCookie()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)
        if walker:
            walker.browser.cookies = cookies


# --- What was written ---------------------------------------------------------------------------------------------


@contextmanager
def writes() -> Iterator[set[str]]:
    """Collect the tables that are written to meanwhile."""
    written: set[str] = set()

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.split(None, 1)[0].upper() not in {"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"}:
            written.update(table for table in _tables() if table in sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield written


@cache
def _tables() -> frozenset[str]:
    return tables_about_people() | tables_of_the_staff_area()


@cache
def tables_about_people() -> frozenset[str]:
    """Return the tables of users and of rows that refer to them by foreign keys, which `rows_about()` reads."""
    found: set[Any] = {User}
    models = [model for name in OURS for model in apps.get_app_config(name).get_models()]
    while more := {
        model for model in models for link in model._meta.fields if link.related_model in found
    } - found:  # fmt: skip
        found |= more
    return frozenset(connection.ops.quote_name(model._meta.db_table) for model in found)


@cache
def tables_of_the_staff_area() -> frozenset[str]:
    """Return them without the audit log, which records refusals, too."""
    from django.contrib import admin

    tables = {model._meta.db_table for model in admin.site._registry} - {"audit_auditentry"}
    return frozenset(connection.ops.quote_name(table) for table in tables)
