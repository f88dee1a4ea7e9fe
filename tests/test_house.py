"""The rules of the house that no linter knows: sizes, templates, the top level, pins, what is documented."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from django.apps import apps
from django.core.checks import run_checks
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.asvs import proves
from tests.plugin import MARKS_OF_FOLDERS
from tests.syntax import parsed
from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parent.parent
CODE = ("accounts", "audit", "bankproject", "benchmarks", "deploy", "foundation", "support", "tests", "transfers")

# The required top level and what may join it; dot-files may too. Anything else needs a room inside.
TOP_LEVEL = {
    *("bankproject", "accounts", "transfers", "support", "audit", "foundation", "templates", "static"),
    *("manage.py", "requirements.txt", "docker-compose.yml", "README.md"),
    *("Makefile", "pyproject.toml", "docs", "benchmarks", "deploy", "tests"),
    *("requirements-dev.txt", "Dockerfile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
}

LONGEST_FUNCTION = 60
LONGEST_PAGE = 60


def python_files() -> Iterator[Path]:
    for folder in CODE:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


def templates() -> list[Path]:
    """Return every HTML template that a browser gets; mails are HTML of another kind."""
    paths = (ROOT / "templates").rglob("*.html")
    return sorted(path for path in paths if "emails" not in path.relative_to(ROOT / "templates").parts)


def markup(path: Path) -> str:
    """Return the template's HTML without comments, tags and variables."""
    return re.sub(
        r"\{#.*?#\}|\{%\s*comment\b.*?\{%\s*endcomment\s*%\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->",
        "",
        text_of(path),
        flags=re.DOTALL,
    )


@cache
def tree_of(path: Path) -> ast.Module:
    return parsed(text_of(path))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_start_finds_no_fault() -> None:
    """Django's checks and ours find nothing at start. Each finding names the file, and what is missing there."""
    assert [str(fault) for fault in run_checks()] == []


def test_every_change_of_a_model_has_its_migration() -> None:
    loader = MigrationLoader(None)
    present = ProjectState.from_apps(apps)
    changes = MigrationAutodetector(loader.project_state(), present).changes(graph=loader.graph)
    ours = {app: [str(operation) for one in changes[app] for operation in one.operations] for app in changes}
    assert ours == {}, "run manage.py makemigrations APP --name WHAT_IT_DOES"


def test_no_function_is_longer_than_sixty_lines() -> None:
    too_long = [
        f"{name_of(path)}:{node.lineno} {node.name}: {length} lines"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert too_long == []


def test_what_is_private_to_a_module_is_used_by_no_other() -> None:
    """Tests may look behind the scenes."""
    borrowed = [
        f"{name_of(path)}:{node.lineno} {node.module}.{alias.name}"
        for path in python_files()
        if "tests" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or ".").partition(".")[0] in {*CODE, ""}
        for alias in node.names
        if any(is_private(part) for part in (*(node.module or "").split("."), alias.name))
    ]
    assert borrowed == []


# Folders, and beginnings of module names, of code that answers requests.
EDGES = {"views", "api", "rest", "admin"}

# Below the edge, only these get a request. Services get plain values and an `Origin`.
TAKES_A_REQUEST = {
    "accounts/sign_in/origin.py": "makes the value that services get",
    "accounts/models.py": "names the type of a request of somebody signed in",
    "accounts/sign_in/sessions/pages.py": "Django signs out by the request",
    "accounts/people/page_acts.py": "Django signs in by the request, and the session follows what services change",
    "accounts/sign_in/sessions/middleware.py": "middleware",
    "accounts/sign_in/axes.py": "Django hands its backends the request, and django-axes knows requests only",
    "accounts/staff/acts.py": "the admin's pages of what staff do",
    "accounts/staff/list_filters.py": "the admin's lists",
    "accounts/staff/pending_acts.py": "the admin's acts on what waits for a second administrator",
    "accounts/staff/people_acts.py": "the admin's acts on people",
}


def test_what_is_apart_lies_in_a_folder_and_is_not_marked_by_hand() -> None:
    """The everyday run leaves folders out, `-m` takes marks: `tests/plugin.py` derives the marks from the folders."""
    marks = {mark for marks in MARKS_OF_FOLDERS.values() for mark in marks}
    by_hand = re.compile(rf"\bmark\.({'|'.join(sorted(marks))})\b")
    assert [name_of(path) for path in python_files() if by_hand.search(text_of(path))] == []


def test_no_service_takes_a_request() -> None:
    """A service that session, API and job can all call can be called by a test too."""
    requests = {"HttpRequest", "SignedInRequest", "ApiRequest"}
    taking = {
        name_of(path)
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in {"accounts", "transfers", "support"}
        and not is_edge(path)
        and any(isinstance(node, ast.alias) and node.name in requests for node in ast.walk(tree_of(path)))
    }
    assert taking == set(TAKES_A_REQUEST)


def is_edge(path: Path) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return "tests" in parts or any(part.partition("_")[0] in EDGES for part in parts)


# Pages that hand a password or code straight to its service. All others go through `accounts.people.page_acts`.
ASKS_BY_ITSELF = {
    "accounts/views/sign_in.py": "nobody is signed in yet: each step begins another session",
    "transfers/views/confirming.py": "a payment changes no factor; its code renews the key, as every code does",
}


@proves("V7.2.4")
def test_a_page_that_shows_or_changes_a_factor_gives_the_session_another_key() -> None:
    """Each service that needs a fresh code or password needs an `Origin` too: a view that makes one itself bypasses
    `page_acts`, and would leave a copy of the cookie valid."""
    making = {
        name_of(path)
        for path in python_files()
        if "views" in path.parts
        and any(isinstance(node, ast.alias) and node.name == "origin_of" for node in ast.walk(tree_of(path)))
    }
    assert making == set(ASKS_BY_ITSELF)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_what_ends_a_refusal_lets_a_full_limit_through() -> None:
    """It has a page of its own, 429 or 503: shown in a form, it would refuse what was never checked. A refusal that is
    returned ends nothing: it is raised once its record is committed."""
    kept = [
        f"{name_of(path)}:{handler.lineno}"
        for path in python_files()
        if "tests" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Try)
        for handler in node.handlers
        if "Refusal" in caught_by(handler)
        and not isinstance(handler.body[-1], ast.Raise)
        and not returns_what_it_caught(handler)
        and not any(
            caught_by(other) & {"NotNow", "LimitsUnavailable"} and isinstance(other.body[0], ast.Raise)
            for other in node.handlers[: node.handlers.index(handler)]
        )
    ]
    assert kept == []


def returns_what_it_caught(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and last.value.id == handler.name


def caught_by(handler: ast.ExceptHandler) -> set[str]:
    return set(re.findall(r"\w+", ast.unparse(handler.type))) if handler.type else set()


INLINE = {
    "a script with code in it": r"<script\b(?![^>]*\bsrc\s*=)",
    "a style element": r"<style\b",
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "an event handler": r"<[^>]*\s(on[a-z]+|hx-on[\w:-]*)\s*=",
    "a javascript: address": r"=\s*[\"']?\s*javascript:",
    "something from another host": r"<(link|script|img|source|iframe|object|embed|use|audio|video)\b[^>]*"
    r"\b(href|src|srcset|data)\s*=\s*[\"']?\s*(https?:)?//",
}


@proves("V3.4.3")
@in_one_world("fault", INLINE)
def test_no_template_holds_what_the_content_security_policy_forbids(fault: str) -> None:
    pages = templates()
    assert pages, "the bank has no templates"
    assert [name_of(path) for path in pages if re.search(INLINE[fault], markup(path), re.IGNORECASE)] == []


@in_one_world(
    ("fault", "html"),
    [
        ("a script with code in it", "<script>x</script>"),
        ("a script with code in it", '<script type="module" nonce="1">x</script>'),
        ("a style element", "<STYLE>b{}</STYLE>"),
        ("a style attribute", '<p class="a"\n style="color:red">'),
        ("an event handler", '<a href="#" onClick="x()">'),
        ("a javascript: address", '<a href="javascript:x()">'),
        ("something from another host", '<script defer src="https://cdn.example/x.js"></script>'),
        ("something from another host", '<img alt="" src=//cdn.example/x.png>'),
    ],
)
def test_the_template_rules_catch(fault: str, html: str) -> None:
    assert re.search(INLINE[fault], html, re.IGNORECASE)


def test_the_template_rules_let_ordinary_pages_be() -> None:
    html = '<script src="/static/js/a.js" defer></script><a href="https://example.com">on = 1, style = "b"</a>'
    assert [fault for fault, rule in INLINE.items() if re.search(rule, html, re.IGNORECASE)] == []


def test_every_template_opens_with_a_comment_that_names_its_variables() -> None:
    opens = re.compile(r"\s*(\{#|\{%\s*comment\b)")
    assert [name_of(path) for path in templates() if not opens.match(text_of(path))] == []


def test_no_text_asks_people_to_call_a_number_that_it_does_not_give() -> None:
    texts = [path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"}]
    assert [path for path in texts if re.search(r"\bcall us\b", path.read_text(), re.IGNORECASE)] == []


def test_every_template_is_short() -> None:
    lengths = {name_of(path): len(text_of(path).splitlines()) for path in templates()}
    assert {name: lines for name, lines in lengths.items() if lines >= LONGEST_PAGE} == {}


@proves("V3.6.1")
def test_own_styles_and_scripts_fetch_nothing_from_another_host() -> None:
    elsewhere = re.compile(r"(url\(|@import|\bfrom|\bimport|\bfetch)\s*\(?\s*[\"']?(https?:)?//\w", re.IGNORECASE)
    files = [path for path in (ROOT / "static").rglob("*") if path.suffix in {".css", ".js"}]
    assert [name_of(path) for path in files if elsewhere.search(text_of(path))] == []


def test_the_top_level_is_the_agreed_one() -> None:
    ignored = [
        line.strip("/") for line in text_of(ROOT / ".gitignore").splitlines() if line and not line.startswith("#")
    ]
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    names = {name for name in names if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert names - TOP_LEVEL == set()


@proves("V13.3.1")
@in_one_world("file", ["docker-compose.yml", "Dockerfile"])
def test_no_secret_stands_in_the_deployment_files(file: str) -> None:
    text = "\n".join(line for line in text_of(ROOT / file).splitlines() if not line.lstrip().startswith("#"))
    # A variable with a secret's name takes its value from outside, and has no default except an empty one.
    secret = r"^[ \t-]*(?:ENV\s+)?\w*(?:PASSWORD|SECRET|KEYS?|TOKEN)\w*[ \t]*[:=][ \t]*(.*)$"
    given = re.findall(secret, text, re.MULTILINE)
    assert [value for value in given if not re.fullmatch(r"([\"']?\$\{\w+:(\?[^}]+|-)\}[\"']?)?", value)] == []
    in_addresses = re.findall(r"\w+://[^\s/@:]+:(.*?)@", text)
    assert [password for password in in_addresses if not re.fullmatch(r"\$\{\w+:\?[^}]+\}", password)] == []
