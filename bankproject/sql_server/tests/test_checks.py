"""What `manage.py check --database default` finds on a SQL Server (R9.3). No server is asked here."""

from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, connection
from sqlglot import parse_one

from bankproject.sql_server import checks as ours
from bankproject.sql_server import facts
from bankproject.sql_server.checks import check_sql_server
from bankproject.sql_server.tests.server import APP, RIGHT, Server
from foundation.append_only import append_only_models
from tests.asvs import proves
from tests.tables import in_one_world

DENIED = DatabaseError("The SELECT permission was denied on the object 'databases'")


@pytest.fixture
def said(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the messages about a server that gives these answers."""

    def of(**answers: Any) -> list[checks.CheckMessage]:
        monkeypatch.setattr(ours, "connections", {"default": Server(**answers)})
        return check_sql_server(["default"])

    return of


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def changed(field: str, value: Any) -> tuple[Any, ...]:
    return tuple(facts.DatabaseFacts(*RIGHT)._replace(**{field: value}))


def test_a_server_that_is_set_up_rightly_has_no_findings(said: Any) -> None:
    assert said() == []


@in_one_world(
    ("field", "value", "expected", "hint"),
    [
        ("has_row_versions", False, "sql_server.E003", "READ_COMMITTED_SNAPSHOT ON"),
        ("delayed_durability", 1, "sql_server.E004", "DELAYED_DURABILITY = DISABLED"),
        ("delayed_durability", 2, "sql_server.E004", "DELAYED_DURABILITY = DISABLED"),
        ("major_version", 14, "sql_server.W004", "2019"),
        ("compatibility_level", 140, "sql_server.W005", "COMPATIBILITY_LEVEL = 150"),
        ("collation", "Latin1_General_CI_AI", "sql_server.W006", "_AS"),
        ("page_verify", 0, "sql_server.W007", "PAGE_VERIFY CHECKSUM"),
        ("recovery_model", 3, "sql_server.W008", "RECOVERY FULL"),
    ],
)
def test_each_fault_of_the_database_is_named_with_what_to_do(
    said: Any, field: str, value: Any, expected: str, hint: str
) -> None:
    (message,) = said(database=[changed(field, value)])
    assert message.id == expected
    assert hint in message.hint


@in_one_world("edition", [5, 8])
def test_microsofts_cloud_says_an_old_version_and_is_not(said: Any, edition: int) -> None:
    row = facts.DatabaseFacts(*RIGHT)._replace(major_version=12, engine_edition=edition)
    assert said(database=[tuple(row)]) == []


@in_one_world("version", [15, 16, 17])
def test_versions_from_2019_on_are_right(said: Any, version: int) -> None:
    assert said(database=[changed("major_version", version)]) == []


# --- The connection -----------------------------------------------------------------------------------------


@in_one_world(
    ("words", "expected"),
    [
        ("", ["sql_server.E001"]),
        ("Encrypt=no", ["sql_server.E001"]),
        ("encrypt=optional", ["sql_server.E001"]),
        ("Encrypt=Mandatory", []),
        ("Encrypt=strict;HostnameInCertificate=db.example", []),
        ("Encrypt=yes;TrustServerCertificate=no", []),
        ("Encrypt=yes;TrustServerCertificate=Yes", ["sql_server.W002"]),
        ("Encrypt=yes;trust_server_certificate=yes", ["sql_server.W002"]),
        ("Encrypt=yes;MARS_Connection=no", []),
        ("Encrypt=yes;MARS_Connection=yes", ["sql_server.E002"]),
    ],
)
def test_how_it_is_spoken_to_is_looked_at(said: Any, settings: Any, words: str, expected: list[str]) -> None:
    # R8.2
    settings.DEBUG = False
    assert ids(said(extra_params=words)) == expected


def test_a_driver_that_knows_no_encrypt_is_named(said: Any, settings: Any) -> None:
    settings.DEBUG = False
    assert ids(said(options={"driver": "FreeTDS"})) == ["sql_server.W003"]


def test_while_developing_a_server_of_ones_own_may_do_without(said: Any, settings: Any) -> None:
    settings.DEBUG = True
    assert said(extra_params="Encrypt=no;TrustServerCertificate=yes", options={"driver": "FreeTDS"}) == []


# --- The login ----------------------------------------------------------------------------------------------


@proves("V13.2.2")
@in_one_world(
    ("login", "word"),
    [
        (("sa", 1, 1, 1), "administrator of the server"),
        (("bank_migrate", 0, 1, 1), "as its owner"),
        (("ddl", 0, 0, 1), "may alter tables:"),
    ],
)
def test_a_login_that_could_drop_the_triggers_is_named(said: Any, login: Any, word: str) -> None:
    # R6.2: triggers guard only against logins that may not drop them.
    (message,) = said(login=[login])
    assert message.id == "sql_server.W009"
    assert login[0] in message.msg
    assert word in message.msg


def test_so_is_one_that_may_alter_but_one_guarded_table(said: Any) -> None:
    assert ids(said(tables=[("audit_auditentry", 1, 0, 0), ("transfers_entry", 0, 0, 0)])) == ["sql_server.W009"]


@in_one_world("rights", [(0, 1, 0), (0, 0, 1), (0, 1, 1)])
def test_one_that_only_triggers_keep_from_changing_rows_is_named(said: Any, rights: tuple[int, ...]) -> None:
    (message,) = said(tables=[("transfers_entry", *rights), ("audit_auditentry", 0, 0, 0), ("accounts_user", 1, 1, 1)])
    assert message.id == "sql_server.W010"
    assert "transfers_entry" in message.msg
    assert "audit_auditentry" not in message.msg
    assert "deny_changes bank_app" in message.hint


def test_a_login_with_rights_over_rows_alone_is_right(said: Any) -> None:
    rows = [(model._meta.db_table, 0, 0, 0) for model in append_only_models()]
    assert len(rows) >= 4
    assert said(login=[APP], tables=[*rows, ("accounts_user", 0, 1, 1)]) == []


# --- The asking ---------------------------------------------------------------------------------------------


@in_one_world("question", ["database", "login", "tables"])
def test_what_cannot_be_asked_is_said_and_the_rest_is_looked_at(said: Any, settings: Any, question: str) -> None:
    settings.DEBUG = False
    messages = said(**{question: DENIED}, extra_params="Encrypt=no")
    assert ids(messages) == ["sql_server.E001", "sql_server.W001"]
    assert "permission was denied" in messages[1].msg
    assert not connection.needs_rollback, "no transaction that somebody began is spoilt"


@in_one_world("question", [facts._DATABASE, facts._LOGIN, facts._TABLES])
def test_the_questions_are_t_sql(question: str) -> None:
    assert parse_one(question, dialect="tsql").sql("tsql")


@pytest.mark.skipif("connection.vendor == 'microsoft'", reason="It is one.")
def test_of_another_engine_nothing_is_said(db: Any) -> None:
    assert check_sql_server(["default"]) == []
    assert check_sql_server(None) == []


def test_check_stops_a_deployment(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`manage.py check --database default`, and `migrate`, which asks the same."""
    assert check_sql_server in list[Any](checks.registry.registry.get_checks())
    server = Server(database=[changed("has_row_versions", False)])
    monkeypatch.setattr(ours, "connections", {"default": server})
    with pytest.raises(Exception, match="READ_COMMITTED_SNAPSHOT is off"):
        call_command("check", databases=["default"])
