"""docs/asvs.csv: every requirement of ASVS 5.0.0 with our verdict, where to look, what is missing, and its tests.

A row is `id,level,verdict,evidence,reason,proof`. Evidence is paths, also with a heading (`docs/keys.md#rotate`), apart
by `; `. The reason says what is missing, or why the requirement is not applicable; a requirement that is met may have
one too, where a word on it is needed. `python -m tests.proof_column --write` writes the proof: files with marked tests.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.asvs import LEVELS
from tests.marks import ROOT, Marks, files_that_prove

DOCUMENT = ROOT / "docs/asvs.csv"
VERDICTS = ("met", "partly", "not met", "not applicable")
MOST_PARTLY_AT_LEVEL_2 = 12


class Requirement(NamedTuple):
    """A row of the table."""

    id: str
    level: str
    verdict: str
    evidence: str
    reason: str
    proof: str

    @property
    def places(self) -> list[str]:
        """Paths from the top of the project, some with the anchor of a heading."""
        return self.evidence.split("; ") if self.evidence else []

    @property
    def passages(self) -> list[str]:
        """Those of its places that are under a heading of a document."""
        return [place for place in self.places if ".md#" in place]


def read(text: str) -> list[Requirement]:
    """Return the rows of the table.

    Raises:
        ValueError: the columns are others, or a row has another number of cells.
    """
    head, *rows = csv.reader(io.StringIO(text))
    if head != list(Requirement._fields):
        raise ValueError(f"docs/asvs.csv: its columns are {', '.join(Requirement._fields)}")
    if wrong := [row for row in rows if len(row) != len(head)]:
        raise ValueError(f"docs/asvs.csv: not {len(head)} cells: {wrong[0]}")
    return [Requirement(*row) for row in rows]


def written(text: str, marks: Marks) -> str:
    """Return the table with its proof column as the marks say."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Requirement._fields)
    writer.writerows(requirement._replace(proof=proof(requirement.id, marks)) for requirement in read(text))
    return buffer.getvalue()


def proof(number: str, marks: Marks) -> str:
    """Return the files with tests of a requirement: `accounts/tests/test_lockout.py×5; …`."""
    files = files_that_prove([number], marks)
    return "; ".join(file + (f"×{times}" if times > 1 else "") for file, times in files)


def problems(table: Sequence[Requirement], marks: Marks) -> Iterator[str]:
    """Yield what is wrong with the table, except a proof that can be written again."""
    if [(row.id, row.level) for row in table] != [(number, str(level)) for number, level in LEVELS.items()]:
        yield "its rows are not the requirements of the standard, in its order, with their levels"
    for row in table:
        if row.verdict not in VERDICTS:
            yield f"{row.id}: '{row.verdict}' is none of {', '.join(VERDICTS)}"
        elif row.verdict == "met" and not (row.id in marks or row.passages):
            yield f"{row.id}: met, but no test has its mark, and its evidence names no passage (docs/keys.md#rotate)"
        elif row.verdict != "met" and not row.reason:
            yield f"{row.id}: {row.verdict} without a reason"
        elif row.verdict in {"not met", "not applicable"} and row.id in marks:
            yield f"{row.id}: {row.verdict}, but {min(marks[row.id]).file} has its mark"
    counts = Counter((row.level, row.verdict) for row in table)
    if counts["1", "partly"] or counts["1", "not met"] or counts["2", "not met"]:
        yield "a requirement of level 1 is not met whole, or one of level 2 not at all"
    partly = counts["2", "partly"]
    if partly > MOST_PARTLY_AT_LEVEL_2:
        yield f"{partly} requirements of level 2 are met in part; at most {MOST_PARTLY_AT_LEVEL_2} may be"
