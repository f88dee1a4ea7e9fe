"""Where prose is in a file, and what of it is bent."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
CODE = ("accounts", "audit", "bankproject", "benchmarks", "deploy", "foundation", "support", "tests", "transfers")

# The line at which a piece of prose begins, and the piece.
Piece = tuple[int, str]

# In `patterns.toml`: where a sentence begins. A space there is any white space, for sentences go over lines.
_BEGINNING = r"(?:\A\W*|[.!?]\W*\s+|\n\s*\n\W*)"


@cache
def patterns() -> dict[re.Pattern[str], str]:
    """Return each pattern with the plain way to write what it finds."""
    rows = tomllib.loads((Path(__file__).parent / "patterns.toml").read_text(encoding="utf-8"))["bent"]
    return {compiled(row["pattern"]): row["plain"] for row in rows}


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("BEGINNING ", _BEGINNING).replace(" ", r"\s+"), re.IGNORECASE)


def files() -> list[Path]:
    """Return every file with prose of ours; migrations keep the words that they were written with."""
    documents = [ROOT / name for name in DOCUMENTS if (ROOT / name).exists()] + sorted((ROOT / "docs").glob("*.md"))
    templates = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"})
    code = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return documents + templates + [path for path in code if "migrations" not in path.parts]


def bent_in(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words found, and the plain way to write them."""
    text = path.read_text(encoding="utf-8")
    for line, piece in _PIECES.get(path.suffix, pieces_of_template)(text):
        for pattern, plain in patterns().items():
            for found in pattern.finditer(piece):
                words = " ".join(found.group().split()).strip("“”\"'`.!? ")
                yield line + piece.count("\n", 0, found.end()), words, plain


def pieces_of_document(text: str) -> Iterator[Piece]:
    """Yield the document without its code; of a changelog, the part that is not released yet."""
    if text.startswith("# Changelog"):
        text = text[: re.search(r"\n## (?!Unreleased)|\Z", text).start()]  # type: ignore[union-attr] # \Z is always there
    yield 1, _blanked(r"^```.*?^```|`[^`\n]*`", text)


def pieces_of_template(text: str) -> Iterator[Piece]:
    """Yield the template without its tags; what comments for its authors say is prose too."""
    yield 1, _blanked(r"\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<[^>]*>", text)


def pieces_of_python(text: str) -> Iterator[Piece]:
    """Yield each docstring and each run of comments, without code in backticks."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                yield node.body[0].lineno, _blanked(r"`[^`]*`", docstring)
    run: list[str] = []
    begins = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        goes_on = run and token.start[0] == begins + len(run) and token.line.lstrip().startswith("#")
        if run and not goes_on:
            yield begins, _blanked(r"`[^`]*`", "\n".join(run))
            run = []
        if not run:
            begins = token.start[0]
        run.append(token.string.lstrip("# "))
    if run:
        yield begins, _blanked(r"`[^`]*`", "\n".join(run))


def _blanked(pattern: str, text: str) -> str:
    """Return the text with what matches put out of sight, each line where it was."""
    return re.sub(pattern, lambda found: "…" + "\n" * found.group().count("\n"), text, flags=re.DOTALL | re.MULTILINE)


_PIECES = {".md": pieces_of_document, ".py": pieces_of_python}
