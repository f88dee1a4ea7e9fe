"""A changed function replaces the old one, everywhere (`tests/faults/mutation/swapping.py`)."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mutation.swapping import changed_functions, put_in
from tests.tables import in_one_world

MODULE = """
from dataclasses import dataclass
from functools import wraps

MOST = 5


def guarded(function):
    @wraps(function)
    def run(*args):
        return function(*args) if args else None
    return run


@guarded
def fits(amount):
    return amount < MOST


@dataclass
class Account:
    balance: int = 1

    @property
    def is_empty(self):
        return self.balance == 0


listed = [lambda one: one + 1, lambda one: one + 2]
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Any]:
    file = tmp_path / "module_that_is_changed.py"
    file.write_text(MODULE)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules[file.stem]


def change(module: Any, old: str, new: str) -> bool | None:
    """Return whether the change was put in; None if it is outside of functions."""
    pairs = changed_functions(module.__file__, MODULE, MODULE.replace(old, new))
    return None if pairs is None else put_in(pairs)


def test_a_function_that_was_imported_and_wrapped_has_the_change(module: Any) -> None:
    held = module.fits
    assert not held(5)
    assert change(module, "amount < MOST", "amount <= MOST")
    assert held(5)


def test_a_method_a_wrapper_and_one_of_two_functions_of_a_line_have_it(module: Any) -> None:
    account = module.Account()
    assert change(module, "balance == 0", "balance != 0")
    assert account.is_empty
    assert change(module, "if args else", "if not args else")
    assert module.fits(1) is None
    assert change(module, "one + 2", "one - 2")
    assert [one(0) for one in module.listed] == [1, -2]


@in_one_world(
    ("old", "new"),
    [("MOST = 5", "MOST = 6"), ("int = 1", "int = 2"), ("@guarded\n", ""), ("def fits(amount)", "def fits(amount=3)")],
)
def test_what_runs_at_the_import_is_not_put_in(module: Any, old: str, new: str) -> None:
    assert change(module, old, new) is None


def test_without_a_change_there_is_nothing_to_put_in(module: Any) -> None:
    assert changed_functions(module.__file__, MODULE, MODULE + "\n# A comment.\n") == []
