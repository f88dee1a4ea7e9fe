"""Which tests have a mark of ASVS 5.0.0, read from their source: browser, firewall and slow tests are not imported
everywhere."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.asvs import REQUIREMENTS
from tests.syntax import parsed

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "audit", "bankproject", "foundation", "support", "tests", "transfers")


class Marked(NamedTuple):
    """A test with a mark."""

    file: str
    line: int


# The marked tests, by number.
Marks = Mapping[str, set[Marked]]


def marks_in(source: str, file: str) -> Iterator[tuple[Marked, str]]:
    """Yield each marked test of a file, with each of its numbers.

    Raises:
        ValueError: `proves` is called elsewhere than above a test, or without literal numbers of ASVS 5.0.0.
    """
    tree = parsed(source)
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


def files_that_prove(numbers: Iterable[str], marks: Marks) -> list[tuple[str, int]]:
    """Return each file with tests that are marked with one of these numbers, and how many they are, by path."""
    tests = {test for number in numbers for test in marks.get(number, ())}
    return sorted(Counter(test.file for test in tests).items())
