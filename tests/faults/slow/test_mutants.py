"""The checks work: each fault of `tests/faults/mutants/` makes the tests fail that `caught.md` there names, by their
assertions. These tests were written for promises, not for mutants."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests import migrated_database
from tests.faults.copies import copied_bank, pytest_in
from tests.faults.patching import Mutant, caught_by, mutants

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on_one_engine() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("a mutant is the same everywhere, and is caught on SQLite")


@pytest.fixture
def bank() -> Iterator[Path]:
    """A copy of the bank, and a migrated database beside it."""
    with copied_bank(os.environ["TEST_RUN_FOLDER"]) as copy:
        migrated_database.lay(copy.parent / "migrated.sqlite3")
        yield copy


def ends_of(tests: list[str], bank: Path) -> dict[str, list[str]]:
    """Return how each of these tests ends on this copy of the bank; `outcomes` says in what form."""
    told = bank.parent / "outcomes.json"
    database = str(bank.parent / "migrated.sqlite3")
    run = pytest_in(bank, "-p", "tests.faults.outcomes", *tests, MIGRATED_DATABASE=database, OUTCOMES=str(told))
    ends = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    assert set(ends) == set(tests), f"not all ran:\n{run.stdout}{run.stderr}"
    return ends


def test_the_tests_that_catch_the_mutants_pass_as_the_code_stands(bank: Path) -> None:
    named = sorted({test for tests in caught_by().values() for test in tests})
    ends = ends_of(named, bank)
    assert {test: end for test, end in ends.items() if end != ["passed"]} == {}


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught_by_what_the_tests_assert(mutant: Mutant, bank: Path) -> None:
    """A module that cannot be imported, or an error of another kind, does not count."""
    mutant.apply(bank)
    ends = ends_of(caught_by()[mutant.name], bank)
    missed = {test: end for test, end in ends.items() if "assertion" not in end}
    assert missed == {}, f"{mutant.name} is not noticed. {mutant.head}"
