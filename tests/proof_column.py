"""The proof column of docs/security.md: which tests have the mark of a row's requirements.

    python -m tests.proof_column            # exit status 1 if the column says anything else; `make lint` asks this
    python -m tests.proof_column --write    # write the column again

A row is `V6.3.1, V6.3.4 | promise | proof`. Its proof links each file with marked tests, with their number if there
are several. Where no test has a mark the column says `no test: ` and the reason, by hand. Marks are read from the
source, since browser, firewall and slow tests are not imported everywhere.
"""
# ruff: noqa: T201 - a program prints

import argparse
import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.asvs import REQUIREMENTS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/security.md"
COLUMNS = ["ASVS", "Promise", "Proof"]
PACKAGES = ("accounts", "audit", "bankproject", "foundation", "support", "tests", "transfers")
WITHOUT_A_TEST = "no test: "


class Marked(NamedTuple):
    """A test with a mark."""

    file: str
    line: int


# The marked tests, by number.
Marks = Mapping[str, set[Marked]]


class Row(NamedTuple):
    """A promise: the section and line where it stands, and its cells."""

    section: str
    line: int
    numbers: list[str]
    promise: str
    proof: str


def rows(text: str) -> list[Row]:
    """Return the rows of every table with our columns, each up to the next empty line.

    Raises:
        ValueError: a row has another number of cells, or one is empty.
    """
    found, section, is_ours = [], "", False
    for number, line in enumerate(text.split("\n")):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if line.startswith("#"):
            section = line.strip("# ")
        elif cells == COLUMNS:
            is_ours = True
        elif not line.strip():
            is_ours = False
        elif is_ours and set(line) != {"-", "|"}:
            if len(cells) != len(COLUMNS) or not all(cells):
                raise ValueError(f"not a row of {', '.join(COLUMNS)}: {line}")
            found.append(Row(section, number, cells[0].split(", "), cells[1], cells[2]))
    return found


def marks_in(source: str, file: str) -> Iterator[tuple[Marked, str]]:
    """Yield each marked test of a file, with each of its numbers.

    Raises:
        ValueError: `proves` is called elsewhere than above a test, or without literal numbers of ASVS 5.0.0.
    """
    tree = ast.parse(source)
    calls = {node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "proves"}
    for test in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for mark in calls.intersection(test.decorator_list if test.name.startswith("test_") else []):
            calls.remove(mark)
            numbers = [node.value if isinstance(node, ast.Constant) else None for node in mark.args]
            if not numbers or not set(numbers) <= set(REQUIREMENTS):
                raise ValueError(f"{file}:{mark.lineno}: not of ASVS 5.0.0: {ast.unparse(mark)}")
            yield from ((Marked(file, test.lineno), str(number)) for number in numbers)
    for call in calls:
        raise ValueError(f"{file}:{call.lineno}: proves() stands above a test function and nowhere else")


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def all_marks() -> Marks:
    """Return the marks of every test of the project, read from its source."""
    marks: defaultdict[str, set[Marked]] = defaultdict(set)
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "proves(" in source:
            for test, number in marks_in(source, str(path.relative_to(ROOT))):
                marks[number].add(test)
    return marks


def proof(row: Row, marks: Marks) -> str:
    """Return the proof cell of a row: links to files with marked tests, or the reason that is there already."""
    tests = {test for number in row.numbers for test in marks.get(number, ())}
    files = sorted(Counter(test.file for test in tests).items())
    links = (f"[{_short(file)}](../{file})" + (f"×{times}" if times > 1 else "") for file, times in files)
    return ", ".join(links) or row.proof


def _short(file: str) -> str:
    """Return the name of a test file in a link: `slow/lockout` for accounts/tests/slow/test_lockout.py."""
    return file.rpartition("tests/")[2].removesuffix(".py").replace("test_", "")


def written(text: str, marks: Marks) -> str:
    """Return the document with its proof column as the marks say."""
    lines = text.split("\n")
    for row in rows(text):
        lines[row.line] = f"{', '.join(row.numbers)} | {row.promise} | {proof(row, marks)}"
    return "\n".join(lines)


def problems(text: str, marks: Marks) -> Iterator[str]:
    """Yield what is wrong with the rows, except a column that can be written again."""
    stands = Counter(number for row in rows(text) for number in row.numbers)
    for number, times in stands.items():
        if number not in REQUIREMENTS:
            yield f"{number} is not a requirement of ASVS 5.0.0"
        if times > 1:
            yield f"{number} stands in {times} rows: one row has all that is promised for it"
    for number in sorted(marks.keys() - stands.keys()):
        yield f"{number} is in no row, but on {len(marks[number])} tests, as in {min(marks[number]).file}"
    for row in rows(text):
        unmarked = [number for number in row.numbers if number not in marks]
        says_why = row.proof.startswith(WITHOUT_A_TEST) and row.proof != WITHOUT_A_TEST.strip()
        if unmarked and not (unmarked == row.numbers and says_why):
            yield f"{', '.join(unmarked)}: on no test. Give such numbers a row that says why: `{WITHOUT_A_TEST}…`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the document; return the exit status."""
    parser = argparse.ArgumentParser(description="The proof column of docs/security.md.")
    parser.add_argument("--write", action="store_true", help="write the column again")
    options = parser.parse_args(arguments)
    try:
        marks, text = all_marks(), DOCUMENT.read_text(encoding="utf-8")
        new, wrong = written(text, marks), list(problems(text, marks))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.write:
        DOCUMENT.write_text(new, encoding="utf-8")
    elif new != text:
        wrong.append("the proof column is not what the marks say: python -m tests.proof_column --write")
    for problem in wrong:
        print(f"docs/security.md: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
