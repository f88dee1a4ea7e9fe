"""Documents, comments and tests name only what exists: promises, decisions, paths, commands, targets, links (R9.7).

The sizes of documents are here too. docs/adr and CHANGELOG.md are history: they keep the paths of their time.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from django.core.management import get_commands, load_command_class

from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    *("accounts", "audit", "bankproject", "benchmarks", "deploy", "docs", "foundation", "static", "support"),
    *("templates", "tests", "transfers", ".ci", ".github"),
)
SUFFIXES = {"", ".conf", ".css", ".html", ".js", ".md", ".py", ".service", ".sql", ".toml", ".txt", ".yml"}
PACKAGES = ("accounts", "audit", "bankproject", "benchmarks", "foundation", "support", "tests", "transfers")
# These look like modules and are not: the codes of Django's checks, and a log of the firewall.
NO_MODULE = re.compile(r"\w+\.[EW]\d{3}|audit\.log")

REQUIREMENTS = "docs/requirements.md"
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))

MOST_LINES = {"README.md": 120, "docs/architecture.md": 150}
MOST_WORDS = {"docs/security.md": 2_500}
MOST_WORDS_TOGETHER = 22_000


class Named(NamedTuple):
    """Something that a file names, and the line that names it."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def files() -> dict[str, Path]:
    """Return every file of the repository by its path in it, except what tools leave behind."""
    below = chain.from_iterable((ROOT / folder).rglob("*") for folder in FOLDERS)
    paths = [path for path in (*below, *ROOT.iterdir()) if path.is_file() and "__pycache__" not in path.parts]
    return {name_of(path): path for path in paths}


def readable() -> Iterator[Path]:
    """Yield every file that people write in, except history."""
    for name, path in files().items():
        is_ours = name.partition("/")[0] in FOLDERS or name in {"Makefile", "Dockerfile", "docker-compose.yml"}
        is_document = path in DOCUMENTS
        if (is_ours and path.suffix in SUFFIXES and not name.startswith("static/vendor")) or is_document:
            yield path


def named_in(paths: Iterable[Path], pattern: str) -> Iterator[Named]:
    """Yield each match of `pattern`: its first group, by file and line."""
    for path in paths:
        text = text_of(path)
        for match in re.finditer(pattern, text, re.MULTILINE):
            yield Named(name_of(path), text.count("\n", 0, match.start()) + 1, match[1])


def refuse(missing: Iterable[Named]) -> None:
    """Fail if anything is missing, and name all of it."""
    found = sorted(set(map(str, missing)))
    assert not found, "named, and not there:\n" + "\n".join(found)


# --- Promises and decisions --------------------------------------------------------------------------------------


def promises() -> list[str]:
    """Return the numbers of what the bank promises, except what is planned."""
    return re.findall(r"^\*\*(R\d+\.\d+)\*\*", text_of(ROOT / REQUIREMENTS), re.MULTILINE)


def test_every_promise_that_is_cited_is_one() -> None:
    """If this fails: the number is mistyped, or docs/requirements.md lacks it, or it stands there as planned."""
    known = set(promises())
    papers = {*DECISIONS, ROOT / "CHANGELOG.md", ROOT / REQUIREMENTS}
    cited = named_in((*(path for path in readable() if path not in papers), *DECISIONS), r"\b(R\d{1,2}\.\d{1,2})\b")
    refuse(one for one in cited if one.name not in known)


def test_every_promise_stands_once_in_order_and_a_test_cites_it() -> None:
    found = promises()
    assert found == sorted(set(found), key=lambda number: [int(part) for part in number[1:].split(".")])
    tests = (path for path in readable() if "tests" in path.parts and path.suffix == ".py")
    cited = {one.name for one in named_in(tests, r"\b(R\d{1,2}\.\d{1,2})\b")}
    assert [number for number in found if number not in cited] == [], "no test says that it shows these"


def test_every_number_is_promised_or_planned() -> None:
    """No number is given twice or used again for something else."""
    planned = text_of(ROOT / REQUIREMENTS).partition("## Planned")[2]
    numbers = {*promises(), *re.findall(r"\bR\d+\.\d+", planned)}
    chapters = {number.partition(".")[0] for number in numbers}
    for chapter in chapters:
        given = sorted(int(number.partition(".")[2]) for number in numbers if number.startswith(f"{chapter}."))
        assert given == list(range(1, len(given) + 1)), chapter


def test_every_decision_that_is_cited_was_written_down() -> None:
    """`ADR 5`, `ADRs 3, 4` or `docs/adr/0005`."""
    known = {int(path.name[:4]) for path in DECISIONS}
    cited = named_in((*readable(), *DECISIONS), r"(?:\bADRs? |adr/)(\d+(?:(?:, | and )\d+)*)\b")
    each = (one._replace(name=f"ADR {number}") for one in cited for number in re.findall(r"\d+", one.name))
    refuse(one for one in each if int(one.name.split()[1]) not in known)


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


# --- Paths and links ---------------------------------------------------------------------------------------------

CODE_SPAN = r"(?<!`)`([^`\n]+)`(?!`)"
MADE_BY_OPERATORS = {"docker-compose.override.yml": "compose reads it where there is one"}
FILE_NAME = re.compile(r"[\w.*-]*[\w*-]\.(?:py|md|html|css|js|conf|sql|json|toml|txt|yml|service)")


@cache
def folders() -> frozenset[str]:
    return frozenset(str(parent) for name in files() for parent in Path(name).parents)


def is_there(name: str) -> bool:
    """Return whether a file or folder has that name: its path from the top, or the end of its path, as documents
    shorten it."""
    wanted = name.rstrip("/")
    pattern = re.compile(r"(?:.*/)?" + re.escape(wanted).replace(r"\*", "[^/]*"))
    return any(pattern.fullmatch(path) for path in (*files(), *folders()))


def is_path(span: str) -> bool:
    """Return whether a span of code names a file or folder of ours: by its suffix, or by a folder that it begins
    with."""
    path, _, _ = span.partition("::")
    if not re.fullmatch(r"[\w.*/-]+", path) or path.startswith(("/", "-")):
        return False
    beginning = path.split("/")[0]
    return bool(FILE_NAME.fullmatch(path.rsplit("/", 1)[-1])) or ("/" in path and beginning in FOLDERS)


def is_route(span: str) -> bool:
    """Return whether it is an address of the API. Documents leave out the part that all addresses begin with."""
    promised = json.loads(text_of(ROOT / "tests" / "promised_names.json"))
    return any(one.split()[1] == f"/api/v1/{span}" for one in (*promised["routes"], *promised["pages"]))


def test_every_path_in_a_document_is_there() -> None:
    named = (one for one in named_in(DOCUMENTS, CODE_SPAN) if is_path(one.name))
    missing = (one for one in named if not is_there(one.name.partition("::")[0]) and not is_route(one.name))
    refuse(one for one in missing if one.name not in MADE_BY_OPERATORS)


def test_every_module_in_a_document_or_comment_is_there() -> None:
    """`accounts.roles.may` or `accounts.roles`: the module, and a word in it."""
    pattern = rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?:\(\))?`"
    named = (one for one in named_in(readable(), pattern) if not NO_MODULE.fullmatch(one.name))
    refuse(one for one in named if not is_module(one.name))


def is_module(name: str) -> bool:
    path, words = ROOT, name.split(".")
    while words and (path / words[0]).is_dir():
        path /= words.pop(0)
    if words and (path / f"{words[0]}.py").is_file():
        path /= f"{words.pop(0)}.py"
    text = text_of(path if path.is_file() else path / "__init__.py") if words else ""
    return all(re.search(rf"\b{word}\b", text) for word in words)


def test_every_document_that_code_names_is_there() -> None:
    """With the section, where it is named after the document: docs/scaling.md, "By month"."""
    pattern = r"((?<![\w/])docs/[\w/-]+\.md(?:, \"[^\"\n]+\")?)"
    missing = []
    for one in named_in(readable(), pattern):
        name, _, section = one.name.partition(', "')
        if name not in files() or (section and section.rstrip('"') not in headings(files()[name])):
            missing.append(one)
    refuse(missing)


@cache
def headings(path: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(path))
    return {text.replace(" ", "-") for text in plain}


def test_every_link_leads_somewhere() -> None:
    missing = []
    for one in named_in((*DOCUMENTS, *DECISIONS), r"\]\(([^)\s]+)\)"):
        target, _, anchor = one.name.partition("#")
        if "://" in target:
            continue
        document = ROOT / one.file
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(one)
    refuse(missing)


def test_every_document_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document not in reached and document in DOCUMENTS:
            reached.add(document)
            links = named_in([document], r"\]\(([^)\s#]+)[^)\s]*\)")
            waiting += [(document.parent / one.name).resolve() for one in links if "://" not in one.name]
    assert sorted(map(name_of, set(DOCUMENTS) - reached)) == []


# --- Commands and targets ----------------------------------------------------------------------------------------


@cache
def options_of(command: str) -> set[str]:
    """Return the options of one of our commands or of Django's.

    Raises:
        KeyError: there is no such command.
    """
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_in_a_document_or_comment_is_there() -> None:
    """With the options that follow it."""
    missing = []
    for one in named_in(readable(), r"manage\.py (?!commands?\b)([a-z][a-z_]+\b[^`|\"'\n]*)"):
        command, *words = one.name.replace("[", " ").replace("]", " ").split()
        if command not in get_commands():
            missing.append(one)
        elif one.file.endswith(".md"):
            asked = {word.partition("=")[0].rstrip(",;.:)") for word in words if word.startswith("--")}
            if asked - options_of(command):
                missing.append(one)
    refuse(missing)


def test_every_target_in_a_document_or_comment_is_there() -> None:
    """The words after `make` in code, with the variables that are given to it."""
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\b([A-Z_]+)\b", makefile))
    spans = named_in(readable(), r"(?:`|^    |^)(make [a-z][a-z-]*\b[^`\n#]*)")
    missing = []
    for one in spans:
        if not one.file.endswith(".md") and f"`{one.name}" not in text_of(ROOT / one.file):
            continue  # a sentence that begins a line of code or of a comment
        target, *words = one.name.split()[1:]
        given = {word.partition("=")[0] for word in words if re.match(r"[A-Z_]+=", word)}
        if target not in targets or given - variables:
            missing.append(one)
    refuse(missing)


# --- Sizes -------------------------------------------------------------------------------------------------------


@in_one_world("document", MOST_LINES)
def test_a_document_is_short_in_lines(document: str) -> None:
    lines = len(text_of(ROOT / document).splitlines())
    assert lines <= MOST_LINES[document]


@in_one_world("document", MOST_WORDS)
def test_a_document_is_short_in_words(document: str) -> None:
    words = len(text_of(ROOT / document).split())
    assert words <= MOST_WORDS[document]


def test_all_documents_together_can_be_read() -> None:
    words = {name_of(path): len(text_of(path).split()) for path in DOCUMENTS}
    all_of_them = sum(words.values())
    assert all_of_them <= MOST_WORDS_TOGETHER, sorted(words.items(), key=lambda item: -item[1])


# --- Which names the search finds ----------------------------------------------------------------------------------


@in_one_world(
    ("span", "is_one"),
    [
        ("tests/test_house.py", True),
        ("placing.py", True),
        ("support/requests/kinds/", True),
        ("tests/test_house.py::test_x", True),
        ("text/html", False),
        ("/var/lib/bank", False),
        ("a, b.py", False),
    ],
)
def test_a_path_is_told_from_other_code(span: str, is_one: bool) -> None:
    assert is_path(span) == is_one


def test_what_nobody_wrote_is_noticed() -> None:
    assert is_there("transfers/orders/placing.py")
    assert is_there("placing.py")
    assert not is_there("orders/placing.txt")
    assert is_module("accounts.roles.may")
    assert not any(map(is_module, ("accounts.roles.nobody", "accounts.nowhere", "accounts.nowhere.may")))
    assert is_route("audit/entries")
    assert not is_route("audit/nothing")
    assert "--verbosity" in options_of("backup")
    assert "--nothing" not in options_of("backup")
    assert {"the-tests-on-a-server", "nothing"} & anchors(ROOT / "docs" / "sql-server.md") == {"the-tests-on-a-server"}
