"""The login of the workers may not change append-only rows, even if a trigger were gone (R6.2)."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bankproject.sql_server.management.commands import deny_changes
from bankproject.sql_server.tests.server import Server
from foundation.append_only import append_only_models
from tests.asvs import proves
from tests.tables import in_one_world

EXISTS = [(7, "dbo")]


@pytest.fixture
def run(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def deny(user: str, answer: Any) -> list[str]:
        server = Server(user=answer)
        monkeypatch.setattr(deny_changes, "connection", server)
        call_command("deny_changes", user, stdout=StringIO())
        assert server.ran[0][1] == [user], "the name is bound, not written into the question"
        return [sql for sql, _ in server.ran[1:]]

    return deny


@proves("V13.2.2")
def test_every_table_that_is_written_once_is_guarded(run: Any) -> None:
    ran = run("bank_app", EXISTS)
    assert ran[:-1] == [
        f"DENY UPDATE, DELETE ON [{table}] TO [bank_app]"
        for table in sorted(model._meta.db_table for model in append_only_models())
    ]
    assert "DENY UPDATE, DELETE ON [audit_auditentry] TO [bank_app]" in ran
    assert "DENY UPDATE, DELETE ON [transfers_entry] TO [bank_app]" in ran
    assert ran[-1] == "DENY INSERT, UPDATE, DELETE ON [django_migrations] TO [bank_app]"


def test_a_strange_name_stays_a_name(run: Any) -> None:
    assert run("o]; DROP TABLE x --", EXISTS)[0].endswith("TO [o]]; DROP TABLE x --]")


def test_an_unknown_user_is_refused(run: Any) -> None:
    with pytest.raises(CommandError, match="no user nobody"):
        run("nobody", [(None, "dbo")])


@in_one_world(("user", "we"), [("dbo", "dbo"), ("DBO", "bank_migrate"), ("Bank_Migrate", "bank_migrate")])
def test_the_login_that_migrates_goes_on_writing(run: Any, user: str, we: str) -> None:
    with pytest.raises(CommandError, match="must go on writing"):
        run(user, [(1, we)])


@pytest.mark.skipif("connection.vendor == 'microsoft'", reason="It is one.")
def test_on_another_engine_there_is_nothing_to_deny(db: Any) -> None:
    with pytest.raises(CommandError, match="triggers alone"):
        call_command("deny_changes", "bank_app")
    assert connection.vendor in ("sqlite", "postgresql")
