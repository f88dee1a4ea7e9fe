"""docs/scaling.md says what the tests of the replica check, and names only existing things (R9.7)."""

import re
from pathlib import Path

import pytest

from bankproject import databases
from foundation import replica
from tests.slow import test_replica


@pytest.fixture
def document(repository: Path) -> str:
    return (repository / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_every_file_that_it_names_is_there(document: str, repository: Path) -> None:
    named = set(re.findall(r"`((?:benchmarks|tests|transfers|deploy)/[\w./-]+)`", document))
    linked = set(re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", document))
    assert len(named) >= 3
    assert len(linked) >= 7
    assert [name for name in named if not (repository / name).exists()] == []
    assert [name for name in linked if not (repository / "docs" / name).exists()] == []


def test_every_route_that_reads_the_copy_is_in_the_table(document: str) -> None:
    (told,) = re.findall(r"^\| of the API: (.*?) \|", document, re.MULTILINE)
    beginnings = [name.rstrip("…/") for name in re.findall(r"`([^`]+)`", told)]
    last_words = {path.split("/{year}")[0].replace("{number}", "…") for path in test_replica.OPERATIONS}
    assert {name.replace("accounts/…/statements", "statements") for name in last_words} == set(beginnings)


def test_the_times_are_those_of_the_code(document: str) -> None:
    assert f"longer than {databases.READ_SECONDS} seconds" in document
    assert f"leaves the copy alone for {replica.AWAY_SECONDS} seconds" in document


def test_every_number_says_where_it_comes_from(document: str) -> None:
    """No arithmetic over figures that are not marked as measured or assumed."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL))
    assert "**M**" in sections["What a customer and a payment take"]
    assert "**A**" in sections["One million, a hundred million"]
