"""docs/security.md cannot rot: every path, every test and every number that it names is there (R8.6)."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "docs/security.md"
COLUMNS = ["Measure", "Threat", "Code", "Test", "ASVS 5.0"]
SECTIONS = [
    *("Identity", "Sessions", "Money", "Data at rest", "Audit", "Web", "API", "Firewall", "Staff"),
    "Operations",
]
# How many requirements each section of OWASP ASVS 5.0.0 has, in order of the sections.
ASVS = {
    1: (2, 10, 12, 3, 3),
    2: (3, 3, 5, 2),
    3: (1, 3, 5, 8, 8, 1, 5),
    4: (5, 5, 2, 4),
    5: (1, 6, 3, 3),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    8: (4, 4, 3, 2),
    9: (3, 4),
    10: (2, 3, 5, 16, 5, 2, 3),
    11: (4, 5, 5, 4, 2, 2, 2),
    12: (5, 2, 5),
    13: (4, 6, 4, 7),
    14: (2, 8, 3),
    15: (5, 5, 7, 4),
    16: (1, 5, 4, 3, 4),
    17: (2, 8, 2),
}


class Row(NamedTuple):
    section: str
    measure: str
    threat: str
    code: str
    test: str
    asvs: str


def rows(text: str) -> list[Row]:
    """The rows of every table with our columns.

    Raises:
        AssertionError: a row has another number of cells, or one is empty.
    """
    found, section, is_ours = [], "", False
    for line in text.splitlines():
        if line.startswith("#"):
            section = line.strip("# ")
        if not line.startswith("|"):
            is_ours = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if cells == COLUMNS:
            is_ours = True
        elif is_ours and not set(line) <= set("|- "):
            assert len(cells) == len(COLUMNS), line
            assert all(cells), line
            found.append(Row(section, *cells))
    return found


@cache
def document() -> list[Row]:
    return rows((ROOT / DOCUMENT).read_text(encoding="utf-8"))


@cache
def names_of_tests_in(path: str) -> frozenset[str]:
    """Names of the test functions in a file, and of test classes with what is in them."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_section_is_there_and_has_measures() -> None:
    sections = list(dict.fromkeys(row.section for row in document()))
    assert sections == SECTIONS
    assert len(document()) >= 60


def test_every_path_is_there() -> None:
    missing = [(row.measure, path) for row in document() for path in quoted(row.code) if not (ROOT / path).exists()]
    assert missing == []
    assert [row.measure for row in document() if not quoted(row.code)] == []


def test_every_test_is_there() -> None:
    missing = []
    for row in document():
        named = quoted(row.test)
        assert named, f"{row.measure} has no test"
        for test in named:
            path, _, name = test.partition("::")
            if not (ROOT / path).is_file() or name not in names_of_tests_in(path):
                missing.append((row.measure, test))
    assert missing == []


def test_every_number_is_one_of_the_standards() -> None:
    wrong = []
    for row in document():
        numbers = [number.strip() for number in row.asvs.split(",")]
        for number in numbers:
            match = re.fullmatch(r"V(\d+)\.(\d+)\.(\d+)", number)
            if not match or not is_required(*map(int, match.groups())):
                wrong.append((row.measure, number))
    assert wrong == []


def is_required(chapter: int, section: int, number: int) -> bool:
    sections = ASVS.get(chapter, ())
    return 1 <= section <= len(sections) and 1 <= number <= sections[section - 1]


def test_no_measure_stands_there_twice() -> None:
    measures = [row.measure for row in document()]
    assert sorted(measures) == sorted(set(measures))


def test_the_limits_are_stated() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8").partition("## Limits")[2]
    for what in (
        "PCI DSS",
        "PSD2",
        "dynamic linking",
        "TDE",
        "SQL Server",
        "administrator of the database",
        "in clear",
    ):
        assert what in text, f"the limits do not speak of {what}"


@in_one_world(
    "line",
    [
        "| a | b | `manage.py` | `tests/test_house.py::test_x` |",
        "| a | b | | `tests/test_house.py::test_x` | V1.1.1 |",
        "| a | b | `manage.py` | `tests/test_house.py::test_x` | V1.1.1 | more |",
    ],
)
def test_a_row_with_a_cell_too_few_or_too_many_is_noticed(line: str) -> None:
    head = "| " + " | ".join(COLUMNS) + " |\n" + "| --- " * 5 + "|\n"
    with pytest.raises(AssertionError):
        rows(head + line)


def test_a_number_that_the_standard_does_not_have_is_noticed() -> None:
    assert is_required(6, 2, 12)
    assert not any(is_required(*number) for number in ((6, 2, 13), (6, 9, 1), (18, 1, 1), (1, 0, 1)))
    assert sum(map(sum, ASVS.values())) == 345


def test_a_test_that_nobody_wrote_is_noticed() -> None:
    assert "test_a_test_that_nobody_wrote_is_noticed" in names_of_tests_in("tests/test_security_document.py")
    assert "is_required" not in names_of_tests_in("tests/test_security_document.py")
