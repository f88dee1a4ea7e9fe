"""The prose of a file, and the bent sentences in it."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
CODE = ("accounts", "audit", "bankproject", "benchmarks", "deploy", "foundation", "support", "tests", "transfers")

# The line at which a piece of prose begins, and the piece.
Piece = tuple[int, str]

_BEGINNING = r"(?:\A\W*|[.!?]\W*\s+|\n\s*\n\W*)"


class Row(NamedTuple):
    """A row of `patterns.toml`: what is bent, an example, and the plain way to write that."""

    pattern: re.Pattern[str]
    bent: str
    plain: str


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of `patterns.toml`, in which a space is any white space and BEGINNING that of a sentence."""
    given = tomllib.loads((Path(__file__).parent / "patterns.toml").read_text(encoding="utf-8"))["bent"]
    return tuple(
        Row(
            re.compile(row["pattern"].replace("BEGINNING ", _BEGINNING).replace(" ", r"\s+"), re.IGNORECASE),
            row["bent"],
            row["plain"],
        )
        for row in given
    )


def files() -> list[Path]:
    """Return every file with our prose. Migrations and decisions are history, and keep their words."""
    documents = [ROOT / name for name in DOCUMENTS if (ROOT / name).exists()] + sorted((ROOT / "docs").glob("*.md"))
    templates = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"})
    code = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return documents + templates + [path for path in code if "migrations" not in path.parts]


def bent_in(path: Path) -> Iterator[tuple[int, str, Row]]:
    """Yield the line, the words found, and the row that found them."""
    text = path.read_text(encoding="utf-8")
    for line, piece in _PIECES.get(path.suffix, pieces_of_template)(text):
        for row in rows():
            for found in row.pattern.finditer(piece):
                words = re.sub(r"^\W+|\W+$", "", " ".join(found.group().split()))
                yield line + piece.count("\n", 0, found.end()), words, row


def pieces_of_document(text: str) -> Iterator[Piece]:
    """Yield the document without its code; of a changelog, the part that is not released yet."""
    if text.startswith("# Changelog"):
        text = re.split(r"\n## (?!Unreleased)", text)[0]
    yield 1, _blanked(r"^```.*?^```|`[^`\n]*`", text)


def pieces_of_template(text: str) -> Iterator[Piece]:
    """Yield the template without its tags; comments for its authors are prose too."""
    yield 1, _blanked(r"\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<[^>]*>", text)


def pieces_of_python(text: str) -> Iterator[Piece]:
    """Yield each docstring, and the comments of lines that follow one another, without code in backticks."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                yield node.body[0].lineno, _blanked(r"`[^`]*`", docstring)
    lines = [""] * len(text.split("\n"))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.string.lstrip("# ")
    for run in re.finditer(r"(?:.+\n?)+", "\n".join(lines)):
        yield run.string.count("\n", 0, run.start()) + 1, _blanked(r"`[^`]*`", run.group())


def _blanked(pattern: str, text: str) -> str:
    """Return the text without what matches; every line stays where it is."""
    return re.sub(pattern, lambda found: "…" + "\n" * found.group().count("\n"), text, flags=re.DOTALL | re.MULTILINE)


_PIECES = {".md": pieces_of_document, ".py": pieces_of_python}
