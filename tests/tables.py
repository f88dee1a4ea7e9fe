"""Tables whose rows run in one world: users, accounts and clients are made once, each row is a subtest.

`@in_one_world("name", [...])` replaces `@pytest.mark.parametrize` and takes the same arguments; one above another makes
every combination. A row begins in the world that the fixtures made, whatever the rows before it did: rows of the
database, settings, patches, the clock, cookies, mails and the content of the fixtures' objects are restored after each.
A list in a fixture's closure is not: a test that looks at one is parametrized.
"""

import copy
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.core import mail
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from time_machine import Traveller

from tests.api_client import ApiClient

Test = TypeVar("Test", bound=Callable[..., None])
# The name of a row, and its values by the names of the test's arguments.
Row = tuple[str, dict[str, Any]]

# Other threads and connections see only committed rows, and those are not restored.
_CANNOT_BE_SHARED = {"transactional_db", "live_server"}
# Rows name them: they are made before the first row, or the first row that uses one would undo it again.
_CAST = ("alice", "bob", "charlie", "sam", "audrey", "ada")


def in_one_world(names: str | Sequence[str], table: Iterable[Any], ids: Any = None) -> Callable[[Test], Test]:
    """Run the test once for each row of the table, in one world; each row passes or fails by its own name."""
    columns = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    own = [_row(columns, number, values, ids) for number, values in enumerate(table)]
    assert own, "a table without a row proves nothing"

    def decorate(test: Test) -> Test:
        step: Callable[..., None] = getattr(test, "step", test)
        inner: list[Row] = getattr(test, "table", [("", {})])
        whole = [(f"{first}-{more}".strip("-"), one | others) for (first, one), (more, others) in product(inner, own)]
        return _walk(step, whole, test)

    return decorate


def _walk(step: Callable[..., None], table: list[Row], test: Test) -> Test:
    parameters = inspect.signature(step).parameters
    fixtures = [name for name in parameters if name not in table[0][1]]
    named = [person for person in _CAST if any(person in values.values() for _, values in table)]

    @wraps(test)
    def walk(*args: Any, subtests: pytest.Subtests, request: pytest.FixtureRequest, **world: Any) -> None:
        _refuse_what_is_committed(request)
        people = {person: request.getfixturevalue(person) for person in named}
        if "request" in fixtures:
            world["request"] = request
        made: set[str] = set(request._fixture_defs)
        for number, (name, values) in enumerate(table):
            with subtests.test(name, **values), _put_back_after(request.node.funcargs | people):
                own = {"tmp_path": _folder(world["tmp_path"], number)} if "tmp_path" in world else {}
                step(*args, **world | own, **values)
            assert set(request._fixture_defs) == made, "a fixture that a row asked for first is gone with the row"

    ours = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("subtests", "request")]
    theirs = [parameters[name] for name in fixtures if name != "request"]
    walk.__signature__ = inspect.Signature([*theirs, *ours])  # type: ignore[attr-defined]
    walk.step, walk.table = step, table  # type: ignore[attr-defined]
    return walk  # type: ignore[return-value]


def _refuse_what_is_committed(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("django_db")
    is_committed = marker is not None and (marker.kwargs.get("transaction") or any(marker.args))
    assert not is_committed, "parametrize what commits its rows"
    assert not _CANNOT_BE_SHARED & set(request.fixturenames), "parametrize what commits its rows"


def _row(columns: list[str], number: int, values: Any, ids: Any) -> Row:
    given: str | None = None
    if isinstance(values, type(pytest.param())):
        assert not values.marks, "a row has no marks of its own"
        given, values = str(values.id) if values.id else None, values.values
    elif len(columns) == 1:
        values = (values,)
    assert len(values) == len(columns), f"row {number} has {len(values)} values for {columns}"
    if callable(ids):
        given = given or "-".join(str(ids(value)) for value in values)
    elif ids is not None:
        given = given or str(list(ids)[number])
    named = given or "-".join(_name(name, number, value) for name, value in zip(columns, values, strict=True))
    return named, dict(zip(columns, values, strict=True))


def _name(column: str, number: int, value: Any) -> str:
    if isinstance(value, str | int | float | bool | None):
        return ascii(value)[1:-1] if isinstance(value, str) else str(value)
    return getattr(value, "__name__", f"{column}{number}")


def _folder(parent: Path, number: int) -> Path:
    folder = parent / str(number)
    folder.mkdir()
    return folder


# --- The world, as it was ---------------------------------------------------------------------------------


@contextmanager
def _put_back_after(fixtures: dict[str, Any]) -> Iterator[None]:
    from accounts.sign_in.passwords import hashing

    sent = len(getattr(mail, "outbox", []))
    with ExitStack() as stack:
        for value in fixtures.values():
            _remember(value, stack)
        with _rolled_back():
            yield
    hashing.forget_kinds()
    del getattr(mail, "outbox", [])[sent:]


@contextmanager
def _rolled_back() -> Iterator[None]:
    """Run it in a transaction inside the test's own; without a database there is none."""
    if not connection.in_atomic_block:
        yield
        return
    block = transaction.atomic()
    # As Django marks the test's own: a service may begin its outermost transaction in it.
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        try:
            yield
        finally:
            transaction.set_rollback(True)


def _remember(value: Any, stack: ExitStack) -> None:
    """Let the stack restore the present content of the value, in place: others hold the same object."""
    if isinstance(value, Model):
        cached = dict(value._state.fields_cache)
        stack.callback(_replace, value._state.fields_cache, cached)
        stack.callback(_replace, value.__dict__, dict(value.__dict__))
    elif isinstance(value, ApiClient):
        stack.callback(setattr, value, "tokens", value.tokens)
        _remember(value.client, stack)
    elif isinstance(value, Client):
        stack.callback(setattr, value, "cookies", copy.deepcopy(value.cookies))
    elif isinstance(value, Traveller):
        stack.callback(value.move_to, time.time())
    elif isinstance(value, pytest.MonkeyPatch):
        stack.enter_context(_patches_of_their_own(value))
    elif isinstance(value, pytest.LogCaptureFixture | pytest.CaptureFixture):
        stack.callback(value.clear if isinstance(value, pytest.LogCaptureFixture) else value.readouterr)
    elif hasattr(value, "_to_restore"):
        stack.callback(_disable_from, value._to_restore, len(value._to_restore))
    elif isinstance(value, list | tuple | dict):
        _remember_all(value, stack)


def _remember_all(values: Any, stack: ExitStack) -> None:
    if isinstance(values, dict):
        stack.callback(_replace, values, dict(values))
    elif isinstance(values, list):
        stack.callback(values.__setitem__, slice(None), list(values))
    for value in list(values.values() if isinstance(values, dict) else values):
        _remember(value, stack)


def _replace(there: dict[str, Any], before: dict[str, Any]) -> None:
    there.clear()
    there.update(before)


def _disable_from(overrides: list[Any], kept: int) -> None:
    """Undo the settings that a row changed; those of the fixtures stay."""
    while len(overrides) > kept:
        overrides.pop().disable()


@contextmanager
def _patches_of_their_own(patches: Any) -> Iterator[None]:
    """Undo the row's patches; those of the fixtures stay."""
    before = patches._setattr, patches._setitem
    assert patches._cwd is patches._savesyspath is None, "a folder or path that is changed for all rows is not put back"
    patches._setattr, patches._setitem = [], []
    try:
        yield
    finally:
        patches.undo()
        patches._setattr, patches._setitem = before
