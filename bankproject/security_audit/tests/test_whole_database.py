"""Whether SQL Server encrypts the whole database, as `check` and the audit say (R8.1). No server is asked here."""

from contextlib import contextmanager
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, connection

from bankproject.security_audit import whole_database
from bankproject.security_audit.results import State
from bankproject.security_audit.whole_database import check_whole_database
from tests.asvs import proves
from tests.tables import in_one_world


class Server:
    """The parts of a connection to SQL Server that the question needs."""

    vendor, display_name, alias = "microsoft", "SQL Server", "default"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.answer: Any = None
        self.asked = ""

    @contextmanager
    def cursor(self) -> Any:
        yield self

    def execute(self, sql: str) -> None:
        self.asked += sql
        # The last one is the answer to every further question.
        self.answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(self.answer, Exception):
            raise self.answer

    def fetchone(self) -> Any:
        return self.answer


REFUSED = DatabaseError("VIEW SERVER STATE permission was denied")


@proves("V14.2.4")
@in_one_world(
    ("answer", "state", "warning"),
    [
        ((3,), State.PASS, None),
        ((2,), State.FAIL, "security_audit.W001"),  # being encrypted: not yet
        ((1,), State.FAIL, "security_audit.W001"),
        (None, State.FAIL, "security_audit.W001"),
        (REFUSED, State.NOT_REACHABLE, "security_audit.W002"),
    ],
)
def test_what_the_server_says_is_said(
    db: Any, monkeypatch: pytest.MonkeyPatch, answer: Any, state: State, warning: str | None
) -> None:
    server = Server(answer)
    assert whole_database.whole_database(server).state == state
    assert "sys.dm_database_encryption_keys" in server.asked
    assert "DB_ID()" in server.asked, "of this database, not of any"
    monkeypatch.setattr(whole_database, "connections", {"default": server})
    assert [message.id for message in check_whole_database(["default"])] == ([warning] if warning else [])


@in_one_world(("switch", "state"), [((3,), State.PASS), ((1,), State.FAIL)])
def test_to_a_login_that_may_not_know_how_far_it_is_the_switch_counts(db: Any, switch: Any, state: State) -> None:
    """Like the bank's own login, which has no right over the server."""
    server = Server(REFUSED, switch)
    assert whole_database.whole_database(server).state == state
    assert "is_encrypted" in server.asked
    assert not connection.needs_rollback


def test_a_refusal_spoils_no_transaction_that_somebody_began(db: Any) -> None:
    whole_database.whole_database(Server(REFUSED))
    assert not connection.needs_rollback


@pytest.mark.skipif("connection.vendor == 'microsoft'", reason="It has encryption of its own.")
def test_of_another_engine_it_is_said_that_the_disk_must_do_it(db: Any) -> None:
    result = whole_database.whole_database()
    assert result.state == State.INFORMATION
    assert "unless the disk is encrypted" in result.sentence
    assert check_whole_database(["default"]) == []


def test_without_a_database_to_look_at_the_check_says_nothing() -> None:
    assert check_whole_database(None) == []


def test_check_asks_when_it_is_to_look_at_the_database(db: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """`manage.py check --database default`, which `make run` and a deployment call."""
    assert check_whole_database in list[Any](checks.registry.registry.get_checks())
    monkeypatch.setattr(whole_database, "connections", {"default": Server((1,))})
    call_command("check", databases=["default"])
    assert "security_audit.W001" in capsys.readouterr().err
