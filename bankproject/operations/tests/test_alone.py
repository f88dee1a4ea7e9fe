"""Two migrates at once: the second waits (R9.3)."""

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from bankproject.operations.alone import alone
from bankproject.operations.management.commands import migrate
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def in_a_thread(act: Any) -> threading.Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_the_second_says_that_it_waits_and_begins_when_the_first_has_ended() -> None:
    """S7: it ended with forty lines of traceback, about a table that was there already."""
    said, began = threading.Event(), threading.Event()

    def second() -> None:
        with alone(connection, waits=said.set):
            began.set()

    with alone(connection, waits=pytest.fail):
        thread = in_a_thread(second)
        assert said.wait(60)
        assert not began.is_set()
    thread.join(60)
    assert began.is_set()
    with alone(connection, waits=pytest.fail):
        pass


def test_the_first_gives_way_when_it_fails_too() -> None:
    with pytest.raises(KeyError), alone(connection, waits=pytest.fail):
        raise KeyError
    with alone(connection, waits=pytest.fail):
        pass


def test_migrate_is_such_a_one_and_looking_on_waits_for_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with alone(connection, waits=pytest.fail):
        call_command("migrate", plan=True, verbosity=0)
        call_command("migrate", check_unapplied=True, verbosity=0)
        assert capsys.readouterr().err == ""
        thread = in_a_thread(lambda: call_command(migrate.Command(), verbosity=0))
        wait_until(lambda: "This one waits until it has ended." in capsys.readouterr().err, "the second to say so")
        assert thread.is_alive()
    thread.join(60)
    assert not thread.is_alive()
