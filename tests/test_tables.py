"""Each row of a table begins in the world that the fixtures made, and is named in its failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import BankAccount, User
from tests.plugin import SubtestsThatFail
from tests.tables import in_one_world

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@in_one_world("row", ["first", "second", "third"])
def test_a_row_finds_nothing_of_what_the_rows_before_it_did(
    alice: User, open_account: Any, client: Client, settings: Any, monkeypatch: Any, clock: Any, row: str
) -> None:
    assert not BankAccount.objects.filter(owner=alice).exists()
    assert (alice.first_name, client.cookies.get("row"), settings.CURRENCY) == ("Alice", None, "EUR")
    assert ("ROW" in os.environ, timezone.now(), len(mail.outbox)) == (False, NOON, 0)
    open_account(alice, "5.00")  # a service that owns its transaction
    alice.first_name = client.cookies["row"] = row
    alice.save()
    settings.CURRENCY = "JPY"
    monkeypatch.setenv("ROW", row)
    clock.shift(60)
    mail.send_mail(row, row, None, ["alice@example.com"])


@in_one_world("name", ["alice", "sam"])
def test_the_people_whom_rows_name_are_there_for_every_row(request: pytest.FixtureRequest, name: str) -> None:
    assert User.objects.get(pk=request.getfixturevalue(name).pk).first_name == name.title()


@in_one_world("name", ["a", "b"])
def test_each_row_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    assert not list(tmp_path.iterdir())
    (tmp_path / name).touch()


def test_tables_above_each_other_are_multiplied_and_every_row_has_a_name() -> None:
    @in_one_world("one", ["é", None])
    @in_one_world(("two", "three"), [(1, int), pytest.param(2, str, id="given")])
    def step(one: Any, two: Any, three: Any) -> None: ...

    named: Any = step
    assert [name for name, _ in named.table] == ["1-int-\\xe9", "1-int-None", "given-\\xe9", "given-None"]
    assert named.table[2] == ("given-\\xe9", {"two": 2, "three": str, "one": "é"})


def test_a_row_that_fails_is_reported_and_the_next_one_runs() -> None:
    reported: list[tuple[str, dict[str, int]]] = []

    class Recorder:
        @contextmanager
        def test(self, name: str, **values: int) -> Iterator[None]:
            try:
                yield
            except AssertionError:
                reported.append((name, values))

    rows = SubtestsThatFail(Recorder())  # type: ignore[arg-type]
    for number in (1, 2, 3):
        with rows.test("row", number=number):
            assert number != 2
    assert reported == [("row", {"number": 2})]
