"""Each lock that a transaction asks for, compared with docs/locks.md while the tests run.

The recorder listens to requests for locks, not to the database: SQLite locks no rows, and the order is the same on
every engine. An UPDATE or a DELETE locks the rows that it changes. Only the bank's transactions count, not those that a
test opens around them. Rolling back to a savepoint releases its locks.
"""

import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from django.apps import apps
from django.db import transaction
from django.db.models import Model
from django.db.models.sql import compiler as compilers

from foundation import compiled, transactions
from tests.locks.order import ROOT, Lock, Order

# By which column a row of these tables is requested, if not by its primary key.
_KEYS = {"transfers_customerlimit": "user", "foundation_ratewindow": "key"}
_RUN = transactions.own_transaction(lambda: None).__code__  # type: ignore[attr-defined]  # a protocol has none
_TABLE = re.compile(r"\b(?:UPDATE|FROM)\W+(\w+)")
_HERE = Path(__file__).resolve()
_MOST_FRAMES, _CALLERS = 60, 8

Ids = tuple[Any, ...] | None  # of the rows that a statement names; None if it names them in another way
Frames = list[tuple[CodeType, int]]  # and the instruction of each: its line is looked up when it is reported


class Asked(NamedTuple):
    """A statement that locks rows; `statement` is the text, or what it can be made from."""

    table: str
    ids: Ids
    in_order: bool  # one row, or several, the lowest first
    waits: bool
    statement: Any


class Taken(NamedTuple):
    """A lock that a transaction has, and since which of its savepoints, counted from 1."""

    lock: Lock
    ids: Ids
    depth: int
    asked: Asked
    frames: Frames


class Recorder:
    """Requests against the order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._by_table = order.by_table
        self._found: list[str] = []
        self._mutex = threading.Lock()

    def take(self) -> list[str]:
        """Return the findings since the last call."""
        with self._mutex:
            found, self._found = self._found, []
        return found

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Listen meanwhile, in every thread."""
        listeners = [*self._on_statements(), *self._on_transactions()]
        kept = [(place, name, place.__dict__.get(name)) for place, name, _ in listeners]
        for place, name, listener in listeners:
            setattr(place, name, listener)
        try:
            yield self
        finally:
            for place, name, original in kept:
                if original is None:
                    delattr(place, name)
                else:
                    setattr(place, name, original)

    def asked(self, database: Any, asked: Asked) -> None:
        """Note that a statement is about to run that locks rows."""
        depth = own_depth(database)
        if not depth:  # it is a transaction of its own, and locks nothing before
            return
        taken: list[Taken] = database.__dict__.setdefault("locks_taken", [])
        lock = self._by_table.get(asked.table)
        same = [one for one in taken if one.lock is lock]
        if same and _is_held(asked.ids, same):
            return
        frames = _frames()
        service = service_in(frames)
        if service is None or (not service and not taken and _is_by_itself(frames)):
            return
        if lock is None:
            if service:
                self._note(f"No line of docs/locks.md has the table {asked.table}.", (asked, frames))
            return
        now = Taken(lock, asked.ids, depth, asked, frames)
        self._hold_against_the_order(taken, same, now, service)
        taken.append(now)

    def _hold_against_the_order(self, taken: list[Taken], same: list[Taken], now: Taken, service: str) -> None:
        lock, asked = now.lock, now.asked
        named = self._order.services.get(service)
        if named is not None and lock.name not in named:
            self._note(f"docs/locks.md does not say that {service} takes {_said(lock)}.", (asked, now.frames))
        if named is None and service and any(one.lock is not lock for one in taken):
            text = f"docs/locks.md has no line for {service}, which takes more than one lock."
            self._note(text, *((one.asked, one.frames) for one in (taken[-1], now)))
        if not asked.waits:
            return
        if fault := _fault_of_rows(same, now):
            self._note(fault, *((one.asked, one.frames) for one in (*same[-1:], now)))
        for one in taken:
            is_late = one.lock is not lock and one.lock.rank >= lock.rank
            if is_late and not self._order.is_excepted(lock, one.lock, service):
                text = f"{service or 'A transaction'} takes {_said(lock)} behind {_said(one.lock)}."
                self._note(text, (one.asked, one.frames), (asked, now.frames))
                return

    def _note(self, text: str, *where: tuple[Asked, Frames]) -> None:
        told = [text, *(line for asked, frames in where for line in _told(asked, frames))]
        with self._mutex:
            self._found.append("\n".join(told))

    def _on_statements(self) -> Iterable[tuple[Any, str, Any]]:
        """Replace the functions that run statements."""
        select, update = compilers.SQLCompiler.execute_sql, compilers.SQLUpdateCompiler.execute_sql
        bound, many = compiled._Compiled._bound, compiled.Update.execute_many

        def on_select(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            if compiler.query.select_for_update:
                self.asked(compiler.connection, _asked_by(compiler))
            return select(compiler, *args, **kwargs)

        def on_update(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            self.asked(compiler.connection, _asked_by(compiler))
            return update(compiler, *args, **kwargs)

        def on_delete(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            self.asked(compiler.connection, _asked_by(compiler))
            return select(compiler, *args, **kwargs)

        def on_bound(one: Any, values: Any) -> Any:
            found = bound(one, values)
            if type(one) is compiled.Update or getattr(found[0], "locks", False):
                self.asked(found[2], _asked_compiled(one, found[0], [values]))
            return found

        def on_many(one: Any, rows: Any) -> None:
            statement, _, database = bound(one, rows[0])
            self.asked(database, _asked_compiled(one, statement, rows))
            many(one, rows)

        yield compilers.SQLCompiler, "execute_sql", on_select
        yield compilers.SQLUpdateCompiler, "execute_sql", on_update
        yield compilers.SQLDeleteCompiler, "execute_sql", on_delete
        yield compiled._Compiled, "_bound", on_bound
        yield compiled.Update, "execute_many", on_many

    def _on_transactions(self) -> Iterable[tuple[Any, str, Any]]:
        """Replace the functions that begin and end transactions."""
        enter, leave = transaction.Atomic.__enter__, transaction.Atomic.__exit__

        def on_entering(block: Any) -> None:
            block.is_of_a_test = _is_test(sys._getframe(1).f_code.co_filename)
            enter(block)

        def on_leaving(block: Any, kind: Any, *details: Any) -> Any:
            database = transaction.get_connection(block.using)
            try:
                return leave(block, kind, *details)
            finally:
                if "locks_taken" in database.__dict__:
                    _let_go(database, is_undone=kind is not None)

        yield transaction.Atomic, "is_of_a_test", False
        yield transaction.Atomic, "__enter__", on_entering
        yield transaction.Atomic, "__exit__", on_leaving


# --- What a transaction has ----------------------------------------------------------------------------------


def own_depth(database: Any) -> int:
    """Return how many blocks of `atomic()` are open, without those of tests."""
    return sum([not (block._from_testcase or block.is_of_a_test) for block in database.atomic_blocks])


def _let_go(database: Any, *, is_undone: bool) -> None:
    """Release the locks of the block that was just left, or hand them to the one around it."""
    depth, taken = own_depth(database), database.locks_taken
    if not depth:
        taken.clear()
    elif is_undone:
        taken[:] = [one for one in taken if one.depth <= depth]
    else:
        taken[:] = [one._replace(depth=min(one.depth, depth)) for one in taken]


def _is_held(ids: Ids, same: Sequence[Taken]) -> bool:
    """Return whether the transaction has locked these rows before, with a lock that it still has."""
    lock = same[0].lock
    if lock.rows == "several":
        return True
    if ids is None:  # the row of a customer's limit is read by its customer, and written by its own key
        return lock.rows == "one" or lock.tables[0] in _KEYS
    known = [one.ids for one in same]
    return None in known or set(ids) <= {pk for found in known for pk in found or ()}


def _fault_of_rows(same: Sequence[Taken], now: Taken) -> str:
    """Return what is wrong with the rows of one lock; "" if nothing is."""
    lock, asked = now.lock, now.asked
    if lock.rows == "several":
        return ""
    before = [pk for one in same for pk in one.ids or ()]
    if lock.rows == "one":
        is_one = not before and len(set(asked.ids or (0,))) == 1
        return "" if is_one else f"A second row of {_said(lock)}, of which a transaction has one: {asked.ids}"
    more = [pk for pk in asked.ids or () if pk not in before]
    if not asked.in_order and len(more) != 1:
        return f"Several rows of {_said(lock)}, which are locked {lock.rows}, in no order."
    if before and more and min(more) < max(before):
        return f"{_said(lock)} {min(more)} behind {max(before)}, though they are locked {lock.rows}."
    return ""


# --- What a statement asks for --------------------------------------------------------------------------------


def _asked_by(compiler: Any) -> Asked:
    """Return the request of a query that the ORM compiles each time."""
    query = compiler.query
    model, is_select = query.get_meta().model, type(query).__name__ == "Query"
    ids = _ids_in(query.where, _key_of(model._meta.db_table, model))
    ordered = is_select and [*query.order_by] in (["pk"], [model._meta.pk.name])
    return Asked(model._meta.db_table, ids, ordered or _is_of_one(query.where), _waits(query), compiler)


def _is_of_one(where: Any) -> bool:
    """Return whether a condition names one row by something unique, such as its public id."""
    return where.connector == "AND" and any(
        getattr(child, "lookup_name", "") == "exact" and getattr(getattr(child.lhs, "target", None), "unique", False)
        for child in where.children
    )


def _waits(query: Any) -> bool:
    """Return whether it waits for rows that others have locked: not a DELETE of rows that a query within found free."""
    within = [child.rhs for child in query.where.children if hasattr(getattr(child, "rhs", None), "where")]
    return not any(one.select_for_update_skip_locked or one.select_for_update_nowait for one in (query, *within))


def _ids_in(where: Any, key: Any) -> Ids:
    """Return the rows that a condition names by their key."""
    if where.connector != "AND" or where.negated:
        return None
    for child in where.children:
        if hasattr(child, "connector"):
            if (ids := _ids_in(child, key)) is not None:
                return ids
        elif getattr(getattr(child, "lhs", None), "target", None) is key:
            if child.lookup_name in ("exact", "startswith"):
                return (child.rhs,)
            if child.lookup_name == "in" and isinstance(child.rhs, list | tuple | set):
                return tuple(child.rhs)
    return None


def _asked_compiled(one: Any, statement: Any, rows: Sequence[Sequence[Any]]) -> Asked:
    """Return the request of a statement that was compiled once."""
    table, places = _table_and_places(one, statement)
    ids: list[Any] = []
    for values in rows:
        for place in places:
            ids += values[place] if type(values[place]) is list else [values[place]]
    ordered = "ORDER BY" in statement.text or all(first <= then for first, then in pairwise(ids))
    return Asked(table, tuple(ids) if places else None, ordered, True, statement.text)


def _table_and_places(one: Any, statement: Any) -> tuple[str, list[int]]:
    """Return the table, and which of the values are keys of its rows."""
    found = statement.__dict__.get("locked_rows")
    if found is None:
        named = _TABLE.search(statement.text)
        assert named is not None, statement.text
        table = named[1]
        key = _key_of(table, _models()[table])
        found = statement.locked_rows = table, [place for place, field in enumerate(one._fields) if field is key]
    return found


@cache
def _models() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


@cache
def _key_of(table: str, model: type[Model]) -> Any:
    return model._meta.get_field(_KEYS[table]) if table in _KEYS else model._meta.pk


# --- Where ---------------------------------------------------------------------------------------------------


def _frames() -> Frames:
    """Return the present frames, innermost first, without their contents: the service, and by which way it was
    called."""
    frame: FrameType | None = sys._getframe(2)
    frames: Frames = []
    left = _MOST_FRAMES
    while frame is not None and left:
        code = frame.f_code
        frames.append((code, frame.f_lasti))
        left = _CALLERS if _is_run(code) else left - 1
        frame = frame.f_back
    return frames


def service_in(frames: Frames) -> str | None:
    """Return the service of this transaction, as docs/locks.md names it; "" if the bank has none; None where a test
    does something of its own in the middle of one, behind its back."""
    is_tests_own = False
    for (inner, _), (outer, _) in pairwise(frames):
        is_by_test = _is_test(inner.co_filename)
        if not _is_run(outer):
            is_tests_own |= is_by_test
        elif is_by_test:
            return ""
        else:
            return None if is_tests_own else f"{_module_of(inner.co_filename)}.{inner.co_qualname}"
    return ""


def _is_run(code: CodeType) -> bool:
    """Return whether this is the function that owns a service's transaction. By its name: coverage tools replace the
    code of functions while they run."""
    return code.co_qualname == _RUN.co_qualname and code.co_filename == _RUN.co_filename


@cache
def _is_test(filename: str) -> bool:
    return "tests" in Path(filename).parts and Path(filename) != _HERE


@cache
def _module_of(filename: str) -> str:
    return ".".join(Path(filename).relative_to(ROOT).with_suffix("").parts)


def _is_by_itself(frames: Frames) -> bool:
    """Return whether this is a `delete()` outside of any transaction, which Django gives one of its own, or a
    migration."""
    files = [code.co_filename for code, _ in frames[:20]]
    return any(name.endswith("django/db/models/deletion.py") or "/migrations/" in name for name in files)


def _said(lock: Lock) -> str:
    return f"the lock {lock.name!r} (rank {lock.rank})"


def _told(asked: Asked, frames: Frames) -> list[str]:
    """Return a statement, and the lines of the bank and its tests that led to it, outermost first."""
    if isinstance(asked.statement, str):
        text = asked.statement
    else:
        sql, params = asked.statement.as_sql()
        text = sql % tuple(map(repr, params))
    lines = [f"  {text:.1000}" + (f"  -- rows {asked.ids}" if asked.ids is not None else "")]
    ours = [(code, at) for code, at in reversed(frames) if _is_ours(code)]
    return lines + [
        f"    {Path(code.co_filename).relative_to(ROOT)}:{_line_of(code, at)} {code.co_name}" for code, at in ours
    ]


def _line_of(code: CodeType, instruction: int) -> int | None:
    """Return the line as `f_lineno` does, which reads all lines before it."""
    return list(code.co_positions())[instruction // 2][0]


def _is_ours(code: CodeType) -> bool:
    path = Path(code.co_filename)
    return path.is_relative_to(ROOT) and ".venv" not in path.parts and path != _HERE
