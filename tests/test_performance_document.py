"""docs/performance.md names only existing things, and only figures that `make bench` wrote there (R9.7)."""

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
