"""An append-only trigger that is gone, switched off or replaced under its name is named on SQL Server too (R6.2)."""

from types import SimpleNamespace
from typing import Any

import pytest

from bankproject.sql_server.tests.server import Server
from foundation import append_only
from foundation.append_only import append_only_models, check_triggers_stand, create_sql
from tests.tables import in_one_world

TABLES = sorted(model._meta.db_table for model in append_only_models())
STANDING = [(f"{table}_no_change", create_sql("microsoft", table)[0]) for table in TABLES]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(standing: list[tuple[str, str]]) -> list[str]:
        server = Server(triggers=standing)
        server.introspection = SimpleNamespace(table_names=lambda: TABLES)  # type: ignore[attr-defined]  # a stand-in
        monkeypatch.setattr(append_only, "connections", {"default": server})
        messages = check_triggers_stand(["default"])
        assert "is_disabled = 0" in server.ran[0][0], "what is switched off does not stand"
        assert all(message.id == "audit.E001" for message in messages)
        return [message.msg for message in messages]

    return of


def test_where_all_stand_nothing_is_said(said: Any) -> None:
    assert said(STANDING) == []


def test_each_that_is_gone_or_switched_off_is_named(said: Any) -> None:
    (message,) = said(STANDING[1:])
    assert STANDING[0][0] in message


@in_one_world("text", ["CREATE TRIGGER t ON t INSTEAD OF UPDATE, DELETE AS RETURN", None])
def test_so_is_a_harmless_one_and_one_whose_text_is_hidden(said: Any, text: str | None) -> None:
    (message,) = said([*STANDING[1:], (STANDING[0][0], text)])
    assert STANDING[0][0] in message
