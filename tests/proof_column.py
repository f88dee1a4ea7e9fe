"""The proof columns of docs/security.md and docs/asvs.csv: which tests have the mark of a row's requirements.

    python -m tests.proof_column            # exit status 1 if a column says anything else; `make lint` asks this
    python -m tests.proof_column --write    # write both columns again

A row of docs/security.md is `V6.3.1, V6.3.4|promise|proof`. Its proof links each file with marked tests, with their
number if there are several. Where no test has a mark the column says `no test: ` and the reason, by hand. A gap in what
is promised follows `*Open:*`: docs/asvs.csv then says that a requirement of this row is not met, and nowhere else.
`tests.asvs_table` has the other document.
"""
# ruff: noqa: T201 - a program prints

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests import asvs_table
from tests.asvs import REQUIREMENTS
from tests.marks import ROOT, Marks, all_marks, files_that_prove

DOCUMENT = ROOT / "docs/security.md"
COLUMNS = ["ASVS", "Promise", "Proof"]
WITHOUT_A_TEST = "no test: "
OPEN = "*Open:*"
OUT_OF_DATE = "the proof column is not what the marks say: python -m tests.proof_column --write"


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


def proof(row: Row, marks: Marks) -> str:
    """Return the proof cell of a row: links to files with marked tests, or the reason that is there already."""
    files = files_that_prove(row.numbers, marks)
    links = (f"[{_short(file)}](../{file})" + (f"×{times}" if times > 1 else "") for file, times in files)
    return ", ".join(links) or row.proof


def _short(file: str) -> str:
    """Return the name of a test file in a link: `slow/lockout` for accounts/tests/slow/test_lockout.py."""
    return file.rpartition("tests/")[2].removesuffix(".py").replace("test_", "")


def written(text: str, marks: Marks) -> str:
    """Return the document with its proof column as the marks say."""
    lines = text.split("\n")
    for row in rows(text):
        lines[row.line] = f"{', '.join(row.numbers)}|{row.promise}|{proof(row, marks)}"
    return "\n".join(lines)


def problems(text: str, marks: Marks) -> Iterator[str]:
    """Yield what is wrong with the rows, except a column that can be written again."""
    stands = Counter(number for row in rows(text) for number in row.numbers)
    for number, times in stands.items():
        if number not in REQUIREMENTS:
            yield f"{number} is not a requirement of ASVS 5.0.0"
        if times > 1:
            yield f"{number} stands in {times} rows: one row has all that is promised for it"
    for row in rows(text):
        unmarked = [number for number in row.numbers if number not in marks]
        says_why = row.proof.startswith(WITHOUT_A_TEST) and row.proof != WITHOUT_A_TEST.strip()
        if unmarked and not (unmarked == row.numbers and says_why):
            yield f"{', '.join(unmarked)}: on no test. Give such numbers a row that says why: `{WITHOUT_A_TEST}…`"


def contradictions(text: str, table: Sequence[asvs_table.Requirement]) -> Iterator[str]:
    """Yield each promise that says more, or less, than the verdicts on its requirements."""
    verdicts = {requirement.id: requirement.verdict for requirement in table}
    for row in rows(text):
        unmet = [number for number in row.numbers if verdicts.get(number) != "met"]
        if unmet and OPEN not in row.promise:
            yield f"{', '.join(unmet)}: not met in docs/asvs.csv; the promise must say what is open, after {OPEN}"
        if not unmet and OPEN in row.promise:
            yield f"{', '.join(row.numbers)}: something is open, but docs/asvs.csv says that all are met"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write both documents; return the exit status."""
    parser = argparse.ArgumentParser(description="The proof columns of docs/security.md and docs/asvs.csv.")
    parser.add_argument("--write", action="store_true", help="write the columns again")
    options = parser.parse_args(arguments)
    text, table = DOCUMENT.read_text(encoding="utf-8"), asvs_table.DOCUMENT.read_text(encoding="utf-8")
    try:
        marks, requirements = all_marks(), asvs_table.read(table)
        new = {DOCUMENT: written(text, marks), asvs_table.DOCUMENT: asvs_table.written(table, marks)}
        found = (*problems(text, marks), *contradictions(text, requirements))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = [f"docs/security.md: {problem}" for problem in found]
    wrong += [f"docs/asvs.csv: {problem}" for problem in asvs_table.problems(requirements, marks)]
    for document, old in {DOCUMENT: text, asvs_table.DOCUMENT: table}.items():
        if options.write:
            document.write_text(new[document], encoding="utf-8")
        elif new[document] != old:
            wrong.append(f"{document.name}: {OUT_OF_DATE}")
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
