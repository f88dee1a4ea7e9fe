"""DATABASE_REPLICA_URL as an operator sets it, and the bank is no slower without one (issue 7, R9.7)."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from accounts.sign_in.sessions.middleware import ReplicaMiddleware
from bankproject.databases import Told, odbc_words, replica
from bankproject.environment import BankEnv

SQLITE = {"ENGINE": "django.db.backends.sqlite3"}
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql"}
MSSQL = {"ENGINE": "mssql"}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    def read(url: str, primary: dict[str, Any]) -> dict[str, Any]:
        monkeypatch.setenv("DATABASE_REPLICA_URL", url)
        told = Told(kept_seconds=60, driver="mssql_python", extra_params="", is_debug=False)
        return replica(*BankEnv().database("DATABASE_REPLICA_URL", default=""), told, primary)

    return read


def test_without_an_address_there_is_none(configured: Any) -> None:
    assert configured("", SQLITE) == {}


def test_on_sql_server_it_says_that_it_intends_to_read_and_is_encrypted(configured: Any) -> None:
    found = configured("mssql://reader:secret@listener:1433/bank", MSSQL)["replica"]
    words = odbc_words(found["OPTIONS"]["extra_params"])
    assert (words["applicationintent"], words["encrypt"]) == ("ReadOnly", "yes")
    # Gives up soon, since the primary answers instead.
    assert found["OPTIONS"]["connection_retries"] == 0
    assert found["OPTIONS"]["connection_timeout"] == 3
    assert found["HOST"] == "listener"


def test_on_postgresql_nothing_can_be_written_and_nothing_waits_long(configured: Any) -> None:
    found = configured("postgres://reader:secret@standby/bank?connect_timeout=1", POSTGRESQL)["replica"]
    assert "default_transaction_read_only=on" in found["OPTIONS"]["options"]
    assert found["OPTIONS"]["connect_timeout"] == 1  # options in the address win


def test_on_sqlite_nothing_can_be_written(configured: Any) -> None:
    found = configured("sqlite:////srv/copy.sqlite3", SQLITE)["replica"]
    assert "query_only=ON" in found["OPTIONS"]["init_command"]
    assert "journal_mode" not in found["OPTIONS"]["init_command"]


def test_tests_of_a_bank_with_a_replica_make_one_database(configured: Any) -> None:
    assert configured("sqlite:////srv/copy.sqlite3", SQLITE)["replica"]["TEST"] == {"MIRROR": "default"}


def test_a_copy_of_another_kind_is_refused_without_naming_its_password(configured: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_REPLICA_URL must be of the same kind") as refusal:
        configured("postgres://reader:hunter2secret@standby/bank", MSSQL)
    assert "hunter2secret" not in str(refusal.value)


def test_without_a_replica_no_router_is_asked_and_no_middleware_runs(settings: Any) -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert settings.DATABASE_ROUTERS == []
    with pytest.raises(MiddlewareNotUsed):
        ReplicaMiddleware(answer)
