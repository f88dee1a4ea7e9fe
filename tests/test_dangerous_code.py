"""What stands nowhere in our code: patterns that a text can make slow, formats that somebody typed, calls to other
hosts, and scripts that make pages of text (ASVS 1.2, 1.3, 3.2, 15.3).

`security_audit` adds what bandit knows (V1.2.5, V1.3.2).
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]  # how Python itself reads a pattern
from typing import Any

import pytest

from tests.asvs import proves
from tests.marks import ROOT
from tests.syntax import parsed
from tests.tables import in_one_world

APPS = ("accounts", "audit", "bankproject", "foundation", "support", "transfers")
OF_PATTERNS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
# What a program asks another host with, by name; mail, database and cache have libraries of their own.
CLIENTS = {"urllib.request", "http.client", "requests", "httpx", "urllib3", "aiohttp", "ftplib", "socket", "xmlrpc"}
# It bounds how long the mail server may take.
MAIL = "foundation/delivery.py"


@cache
def sources() -> dict[str, ast.Module]:
    """Return the code of every app by its path, without its tests."""
    paths = (path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if "tests" not in path.parts)
    return {str(path.relative_to(ROOT)): parsed(path.read_text(encoding="utf-8")) for path in paths}


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def patterns(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the pattern of each call of the module `re`."""
    for call in calls(tree):
        name = ast.unparse(call.func)
        if name.startswith("re.") and name[3:] in OF_PATTERNS and call.args:
            yield call.args[0]


def grows(parts: Any, *, inside: int | None = None) -> bool:
    """Return whether a part that repeats without bound repeats another one within: `(a+)+` takes years for some
    texts, `(?:,a+)+` does not.

    Args:
        inside: the character that every turn of an endless part around this one begins with; 0 if any may be.
    """
    for operation, value in parts:
        repeats = operation in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}
        endless = repeats and value[1] is _constants.MAXREPEAT
        if endless and inside is not None and (not inside or _compiler.compile(value[2]).match(chr(inside))):
            return True
        around = first_of(value[2]) if endless else inside
        children = [value[2]] if repeats else children_of(operation, value)
        if any(grows(child, inside=around) for child in children):
            return True
    return False


def first_of(parts: Any) -> int:
    """Return the one character that a part begins with; 0 if there are several."""
    operation, value = parts[0]
    if operation is _constants.SUBPATTERN:
        return first_of(value[-1])
    return value if operation is _constants.LITERAL else 0


def children_of(operation: Any, value: Any) -> list[Any]:
    if operation is _constants.BRANCH:
        return list(value[1])
    if operation in {_constants.SUBPATTERN, _constants.ASSERT, _constants.ASSERT_NOT}:
        return [value[-1]]
    return []


@proves("V1.3.12")
def test_no_pattern_repeats_without_bound_what_repeats_without_bound() -> None:
    written = [
        (path, pattern.value)
        for path, tree in sources().items()
        for pattern in patterns(tree)
        if isinstance(pattern, ast.Constant)
    ]
    assert len(written) > 30
    assert [(path, text) for path, text in written if grows(_parser.parse(text))] == []


@in_one_world("text", ["(a+)+", "(?:[a-z]*,)*x", "(?:(a|b*)c?){2,}", "(?:/[a-z/]+)*"])
def test_such_a_pattern_is_noticed(text: str) -> None:
    assert grows(_parser.parse(text))
    assert not grows(_parser.parse("(?:[a-z]{1,9},)*x+"))
    assert not grows(_parser.parse("[a-z]+(?:/[a-z]+)*"))


@proves("V1.2.9")
def test_a_pattern_is_made_of_constants_and_of_what_was_escaped() -> None:
    """What stands in the braces of a pattern: a name in capitals, `re.escape(…)`, or a sum with one."""
    made = [
        (path, ast.unparse(part.value))
        for path, tree in sources().items()
        for pattern in patterns(tree)
        for part in ast.walk(pattern)
        if isinstance(part, ast.FormattedValue)
    ]
    known = re.compile(r"[A-Z_]+( [+-] \d+)?|re\.escape\(.*\)")
    assert made
    assert [(path, text) for path, text in made if not known.fullmatch(text)] == []
    names = {ast.unparse(pattern) for tree in sources().values() for pattern in patterns(tree)}
    assert not [name for name in names if name.isidentifier()], "a pattern that comes from elsewhere"


@proves("V1.3.10")
def test_a_format_is_a_text_of_our_own() -> None:
    """`str.format` reads attributes of what it is given, so nobody else may write the format."""
    formats = [
        (path, ast.unparse(call.func.value))
        for path, tree in sources().items()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"format", "format_map"}
    ]
    # A constant; an entry of one; a text for this engine; the path of a route; and the `format()` of log lines.
    ours = re.compile(r"'.*'|_?[A-Z_]+(\[.*\])?|texts\[connection\.vendor\]|quote|_path_of\(.*\)|self", re.DOTALL)
    assert [(path, text) for path, text in formats if not ours.fullmatch(text)] == []


@proves("V1.3.6", "V4.2.5", "V14.2.3")
def test_nothing_asks_another_host() -> None:
    """R8.3: no address that somebody typed is fetched, and nothing about anybody is sent to a third party."""
    names = [(path, name) for path, tree in sources().items() for node in ast.walk(tree) for name in imported(node)]
    assert ("foundation/limiter/redis.py", "redis") in names
    clients = tuple(f"{client}." for client in CLIENTS)
    assert [(path, name) for path, name in names if f"{name}.".startswith(clients) and path != MAIL] == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


# --- Scripts -----------------------------------------------------------------------------------------------------

# Only this script shows HTML, which the bank has escaped and sent for this place (its `show()`).
SHOWS_HTML = {"live.js"}
FORBIDDEN = {
    "text that becomes a page": r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write(?:ln)?)\b",
    "text that becomes a script": r"\beval\(|\bnew Function\b|setTimeout\(\s*[\"'`]",
    "a variable that the whole page shares": r"^\s*var\b|\bwindow\.\w+\s*=[^=]|^\w+\s*=[^=>]",
    "an object whose keys come from outside": r"Object\.assign\(|__proto__|\bfor \((?:const|let) \w+ in\b",
    "a callback named in an address": r"[?&](?:callback|jsonp)=",
    "a message to or from another window": r"\bpostMessage\(|[\"']message[\"']",
}


def scripts() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "static/js").glob("*.js"))}


@proves("V3.2.2", "V3.2.3", "V3.5.6", "V15.3.6")
@in_one_world("fault", FORBIDDEN)
def test_no_script_has_what_makes_text_dangerous(fault: str) -> None:
    found = {name for name, text in scripts().items() if re.search(FORBIDDEN[fault], text, re.MULTILINE)}
    assert scripts()
    assert found <= (SHOWS_HTML if fault == "text that becomes a page" else set())


@proves("V1.2.3", "V3.5.7")
def test_scripts_are_files_that_nobody_writes_into() -> None:
    """They are the same for everybody: no template makes one, so none has data of a person or needs escaping."""
    kinds = {path.suffix for path in (ROOT / "templates").rglob("*") if path.is_file()}
    assert kinds == {".html"}
    assert not [name for name, text in scripts().items() if "{{" in text or "{%" in text]


@pytest.mark.parametrize(
    ("fault", "script"),
    [
        ("text that becomes a page", "box.innerHTML = name;"),
        ("text that becomes a script", 'setTimeout("go()", 5)'),
        ("a variable that the whole page shares", "var count = 0;"),
        ("a variable that the whole page shares", "count = 0;"),
        ("an object whose keys come from outside", "for (const key in answer) {}"),
        ("a callback named in an address", 'fetch("/a?callback=show")'),
        ("a message to or from another window", 'addEventListener("message", show)'),
    ],
)
def test_each_rule_for_scripts_catches_its_fault(fault: str, script: str) -> None:
    assert re.search(FORBIDDEN[fault], script, re.MULTILINE)


def test_the_folder_of_our_scripts_is_the_only_one() -> None:
    ours = {path.parent for path in Path(ROOT / "static").rglob("*.js") if "vendor" not in path.parts}
    assert ours == {ROOT / "static/js"}
