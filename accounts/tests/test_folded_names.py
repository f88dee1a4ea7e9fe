"""Staff find people however their names are typed: accents, case, apostrophes, order (R5.6)."""

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import User
from accounts.people.common import write_changes
from foundation.text import folded
from tests.tables import in_one_world

PEOPLE = (("Zoë", "O’Brien-Murphy"), ("Jörg", "von Löw"), ("Linh", "Nguyễn"), ("Łukasz", "Löwenstein"), ("Ærøk", ""))


@pytest.fixture
def people(make_user: Callable) -> None:
    for number, (first, last) in enumerate(PEOPLE):
        make_user(first, last_name=last, email=f"person-{number}@example.com")


def found(browser: Any, text: str) -> list[str]:
    rows = browser.get("/admin/accounts/user/", {"q": text}).context["cl"].result_list
    return sorted(user.get_full_name() for user in rows)


@in_one_world(
    ("text", "name"),
    [
        *((text, "Zoë O’Brien-Murphy") for text in ("O'Brien", "o’brien", "zoe", "ZOË O'BRIEN", "O'Brien, Zoë")),
        *((text, "Jörg von Löw") for text in ("von Löw", "VON LOW", "jorg", "Jörg von", "von löw,")),
        *((text, "Linh Nguyễn") for text in ("Nguyen", "nguyễn", "NGUYEN, Linh", "Linh nguy")),
        *((text, "Łukasz Löwenstein") for text in ("Lowenstein", "LÖWEN", "lukasz", "Lowenstein, Łukasz")),
        ("aerok", "Ærøk"),
        *((text, "Alice Archer") for text in ("Archer, Alice", "alice archer", "ARCHER", "Árchér")),
    ],
)
def test_a_person_is_found_however_the_name_is_typed(
    text: str, name: str, ada: Any, alice: Any, people: None, browser_of: Callable
) -> None:
    """R5.6."""
    assert found(browser_of(ada), text) == [name]


@in_one_world("text", ["Lowenstine", "Archer, Bob", "Löw von", "\u0301", ",", "%", "_"])
def test_nobody_else_is_found(text: str, ada: Any, alice: Any, people: None, browser_of: Callable) -> None:
    """R5.6: a text of which nothing is left finds nobody; a text without words is not a search."""
    assert found(browser_of(ada), text) == ([] if text != "," else sorted(map(User.get_full_name, User.objects.all())))


def test_what_is_searched_follows_the_name(alice: Any) -> None:
    """R5.6: writing the name writes what is searched for."""
    write_changes(alice, {"first_name": "Élise", "last_name": "D’Arcy"})
    alice.refresh_from_db()
    assert (alice.folded_first_name, alice.folded_last_name) == ("elise", "d'arcy")
    alice.last_name = "Über"
    alice.save(update_fields=["last_name"])
    alice.refresh_from_db()
    assert (alice.folded_first_name, alice.folded_last_name) == ("elise", "uber")


def test_the_migration_folds_the_names_that_are_there(people: None, monkeypatch: Any) -> None:
    """R5.6."""
    migration: Any = import_module("accounts.migrations.0003_folded_names")
    monkeypatch.setattr(migration, "_ROWS_AT_ONCE", 2)
    User.objects.update(folded_first_name="", folded_last_name="")

    # What the migration needs from a schema editor.
    migration.fold_what_is_there(apps, SimpleNamespace(connection=connection))
    for user in User.objects.all():
        assert (user.folded_first_name, user.folded_last_name) == (folded(user.first_name), folded(user.last_name))
