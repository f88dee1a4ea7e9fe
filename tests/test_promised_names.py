"""Names that programs, bookmarks, scripts and operators depend on: codes, routes, URL names, settings, exit statuses.

`promised_names.json` lists all of them. A new name is added in the same change; a missing one breaks a promise.
"""

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from bankproject.api import api
from foundation.refusals import Refusal
from tests.setting_names import variables_read_by_settings
from tests.syntax import parsed

ROOT = Path(__file__).resolve().parent.parent
PROMISED: dict[str, list[str]] = json.loads(Path(__file__).with_name("promised_names.json").read_text(encoding="utf-8"))
APPS = ("accounts", "audit", "bankproject", "foundation", "support", "transfers")

# Refusals that no program and no page gets to read: their callers answer with another one.
KEPT_INSIDE = {"administrator_exists", "pin_busy", "wrong_pin"}
# Functions that are called with a code of an answer, and with one of a field.
ANSWERS = {"Problem", "wait"}
FIELDS = {"FieldError", "PydanticCustomError", "ValidationError"}


# --- The present names --------------------------------------------------------------------------------------------


def answers() -> Iterator[str]:
    """Return each code that the API answers with, and the status; "any" if the status is not written beside it."""
    yield from (f"{kind.code} {kind.status}" for kind in refusals() if kind.code not in KEPT_INSIDE)
    yield from written_answers(ROOT)


def refusals() -> Iterator[type[Refusal]]:
    for app in APPS:
        package = importlib.import_module(app)
        for module in pkgutil.walk_packages(package.__path__, f"{app}."):
            if not re.search(r"\.(tests|migrations|wsgi)\b", module.name):
                importlib.import_module(module.name)
    kinds: list[type[Refusal]] = [Refusal, *kinds_of(Refusal)]
    for kind in kinds:
        # A base class has no code of its own, and is never raised.
        is_base_alone = "code" not in vars(kind) and kind.__subclasses__()
        if kind.__module__.partition(".")[0] in APPS and ".tests" not in kind.__module__ and not is_base_alone:
            yield kind


def kinds_of(base: type[Refusal]) -> Iterator[type[Refusal]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def written_answers(root: Path) -> Iterator[str]:
    """Return the codes of answers without a refusal, such as those about a body that is not JSON."""
    for call in calls(sources(root), ANSWERS):
        status, code = (constant(value) for value in (*call.args[:2], None, None)[:2])
        if code:
            yield f"{code} {status or 'any'}"


def fields(root: Path = ROOT) -> Iterator[str]:
    """Return the codes of faults of one field, in forms and in the API's `errors`."""
    for call in calls(sources(root), FIELDS):
        values = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        values += {"FieldError": call.args[1:2], "PydanticCustomError": call.args[:1]}.get(name_of(call), [])
        yield from filter(None, map(constant, values))


def exits(root: Path = ROOT) -> Iterator[str]:
    """Return each command, and the statuses that it names; otherwise 0 is done and 1 is not."""
    for path in sources(root):
        if path.parent.name == "commands" and path.stem != "__init__":
            yield path.stem
            for keyword in (keyword for call in calls([path], {"CommandError"}) for keyword in call.keywords):
                if keyword.arg == "returncode" and constant(keyword.value):
                    yield f"{path.stem} {constant(keyword.value)}"


def sources(root: Path) -> Iterator[Path]:
    for path in (path for app in APPS for path in (root / app).rglob("*.py")):
        if not {"tests", "migrations"} & set(path.relative_to(root).parts):
            yield path


def calls(paths: Iterable[Path], names: set[str]) -> Iterator[ast.Call]:
    for path in paths:
        yield from (node for node in all_calls(path) if name_of(node) in names)


@cache
def all_calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(parsed(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]


def constant(value: ast.expr | None) -> str:
    """Return the constant; "" for a computed value."""
    return str(value.value) if isinstance(value, ast.Constant) else ""


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def routes() -> Iterator[str]:
    """Return each operation of the API's document, with the name that client generators call it by."""
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path} {operation['operationId']}"


def pages(resolver: Any = None, before: str = "", space: str = "") -> Iterator[str]:
    """Return each name of a URL, and the URL."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from pages(pattern, route, space + (f"{pattern.namespace}:" if pattern.namespace else ""))
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield f"{space}{pattern.name} /{route}"


NOW: dict[str, Callable[[], Any]] = {
    "answers": answers,
    "fields": fields,
    "routes": routes,
    "pages": pages,
    "settings": variables_read_by_settings,
    "exits": exits,
}


# --- Is it what was promised? -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", NOW)
def test_nothing_that_others_hold_on_to_has_changed(what: str) -> None:
    now, promised = set(NOW[what]()), set(PROMISED[what])
    gone, new = sorted(promised - now), sorted(now - promised)
    assert not gone, f"{what} that vanished, which breaks a promise: {gone}"
    assert not new, f"{what} that are new; add them to tests/promised_names.json in the same change: {new}"


def test_there_is_a_list_for_each_and_it_is_in_order() -> None:
    assert PROMISED.keys() == NOW.keys()
    assert {what: sorted(set(names)) for what, names in PROMISED.items()} == PROMISED
    assert all(PROMISED.values())
