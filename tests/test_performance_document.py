"""docs/performance.md names only existing things, and only figures that `make bench` wrote there (R9.7)."""

import ast
import re
from pathlib import Path

import pytest

BEGIN, END = "<!-- figures:", "<!-- end of figures -->"
# Measured figures come with a unit. Counts of clients, customers and statements do not.
FIGURE = re.compile(r"\d[\d.,]*\s*(?:ms|µs|×|%|a second|times)(?:\b|\s|$)")


@pytest.fixture
def document(repository: Path) -> str:
    return (repository / "docs" / "performance.md").read_text(encoding="utf-8")


def test_every_file_that_it_names_is_there(document: str, repository: Path) -> None:
    named = set(re.findall(r"`((?:benchmarks|tests|transfers|deploy)/[\w./-]+)`", document))
    assert len(named) >= 8
    assert [name for name in named if not (repository / name).exists()] == []


def test_every_program_that_make_bench_runs_is_in_its_table(document: str, repository: Path) -> None:
    runner = (repository / "benchmarks" / "bench.py").read_text(encoding="utf-8")
    runs = re.findall(r'^    "([\w-]+)": Run\("([\w.]+)"', runner, re.MULTILINE)
    assert len(runs) >= 7
    for name, program in runs:
        assert re.search(rf"^\|.*`{name}`.*\| `benchmarks/{program}` \|", document, re.MULTILINE), name


def test_figures_stand_between_its_marks_alone(document: str) -> None:
    before, _, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end
    assert FIGURE.findall(before + after) == []


@pytest.fixture
def tables(repository: Path) -> str:
    return (repository / "benchmarks" / "figures.md").read_text(encoding="utf-8")


def test_each_figure_stands_in_the_tables_of_the_same_run(document: str, tables: str) -> None:
    shown = re.findall(r"^\|[^|\n]+\| (.*) \| (.*) \|$", document.partition(BEGIN)[2].partition(END)[0], re.MULTILINE)
    figures = [cell.partition(" ") for row in shown[1:] for cell in row if cell and not cell.startswith("-")]
    assert len(figures) > 15
    missing = [
        (number, unit)
        for number, _, unit in figures
        if not re.search(rf"^\| .* \| {re.escape(number)} \| .*\| {unit} ?\|$", tables, re.MULTILINE)
    ]
    assert missing == []


def test_each_line_that_is_chosen_is_measured(repository: Path, document: str, tables: str) -> None:
    report = ast.parse((repository / "benchmarks" / "report.py").read_text(encoding="utf-8"))
    calls = [node.args for node in ast.walk(report) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Line"]
    lines = [(ast.literal_eval(words), ast.literal_eval(what)) for words, _, what in calls]
    assert len(lines) > 15
    assert [what for _, what in lines if f"| {what} |" not in tables] == []
    assert [words for words, _ in lines if f"| {words} |" not in document] == []
