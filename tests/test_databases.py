"""The options of each engine's connection: DATABASE_URL with MSSQL_DRIVER, MSSQL_EXTRA_PARAMS and CONN_MAX_AGE (R8.2,
R9.3).

The connection strings are built by the backend and read by the driver's own parser; no server is asked.
"""

import os
import runpy
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg._conninfo_utils import split_attempts

from bankproject.databases import LOCK_SECONDS, MSSQL_DRIVERS, Told, database, odbc_words, wait_at_most
from bankproject.environment import BankEnv
from tests.asvs import proves
from tests.tables import in_one_world

GUNICORN = runpy.run_path(str(Path(__file__).parent.parent / "deploy" / "gunicorn.conf.py"))
URL = "mssql://bank:secret@db:1433/bank"  # pragma: allowlist secret


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the entry of DATABASES for an environment of these variables and no others."""

    def of(url: str = URL, *, read_only: bool = False, **changes: str) -> dict[str, Any]:
        monkeypatch.setattr(os, "environ", changes | {"SOME_URL": url})
        env = BankEnv()
        told = Told(
            kept_seconds=env.within("CONN_MAX_AGE", 60, least=0, most=86_400),
            driver=env.one_of("MSSQL_DRIVER", MSSQL_DRIVERS[0], *MSSQL_DRIVERS),
            extra_params=env.odbc_words("MSSQL_EXTRA_PARAMS", default=""),
            is_debug=env.on_off("DEBUG", default=False),
        )
        return database("SOME_URL", *env.database("SOME_URL", default="sqlite:///:memory:"), told, read_only=read_only)

    return of


def words_of(entry: dict[str, Any]) -> dict[str, str]:
    return odbc_words(entry["OPTIONS"]["extra_params"])


def test_sql_server_is_spoken_to_by_its_own_driver_and_encrypted(made: Any) -> None:
    entry = made()
    assert (entry["ENGINE"], entry["HOST"], entry["PORT"], entry["NAME"]) == ("mssql", "db", 1433, "bank")
    assert entry["OPTIONS"] == {
        "python_driver": "mssql_python",
        "extra_params": "Encrypt=yes",
        "connection_timeout": 10,
    }


def test_postgresql_prepares_what_is_compiled_once_unless_a_pooler_cannot(made: Any) -> None:
    address = "postgres://bank@db/bank"
    assert made(address)["OPTIONS"]["prepare_threshold"] == 5
    told = made(f"{address}?prepare_threshold=None&sslmode=verify-full")["OPTIONS"]
    assert (told["prepare_threshold"], told["sslmode"]) == (None, "verify-full")


def test_a_postgresql_that_says_nothing_is_given_up_before_a_worker_is(made: Any) -> None:
    """A machine that is gone resets no connection: without these options a mail worker would wait for two hours."""
    options = made("postgres://bank@db/bank")["OPTIONS"]
    silent = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert max(options["connect_timeout"], options["tcp_user_timeout"] / 1000, silent) <= GUNICORN["timeout"] / 2
    assert made("postgres://bank@db/bank?connect_timeout=9")["OPTIONS"]["connect_timeout"] == 9


@in_one_world(
    ("places", "hosts", "ports"),
    [
        ("db1:5433,db2:5434", "db1,db2", "5433,5434"),
        ("db1,db2:5434,db3", "db1,db2,db3", "5432,5434,5432"),
        ("[fd00::1]:5433,192.0.2.7", "fd00::1,192.0.2.7", "5433,5432"),
        ("db1,[fd00::1]:5433", "db1,fd00::1", "5432,5433"),
        ("%2Frun%2Fpostgresql,db2", "/run/postgresql,db2", "5432,5432"),
    ],
)
def test_each_of_several_hosts_has_its_port_and_the_one_that_writes_is_taken(
    made: Any, places: str, hosts: str, ports: str
) -> None:
    entry = made(f"postgres://bank:se,cr%40et@{places}/bank?sslmode=require")  # pragma: allowlist secret
    assert (entry["HOST"], entry["PORT"]) == (hosts, ports)
    assert (entry["NAME"], entry["USER"], entry["PASSWORD"]) == ("bank", "bank", "se,cr@et")
    assert entry["OPTIONS"]["target_session_attrs"] == "read-write"
    assert entry["OPTIONS"]["sslmode"] == "require"
    read = split_attempts({"host": entry["HOST"], "port": entry["PORT"]})
    assert [(one["host"], one["port"]) for one in read] == list(zip(hosts.split(","), ports.split(","), strict=True))


def test_a_replica_of_several_hosts_is_a_standby_if_there_is_one(made: Any) -> None:
    entry = made("postgres://bank@db1,db2/bank", read_only=True)
    assert entry["OPTIONS"]["target_session_attrs"] == "prefer-standby"
    told = made("postgres://bank@db1,db2/bank?target_session_attrs=standby", read_only=True)
    assert told["OPTIONS"]["target_session_attrs"] == "standby"


@in_one_world("places", ["db1,", ",db2", "db1:port,db2", "db1:0,db2", "db1:65536,db2", "fd00::1,db2", "db1,,db2"])
def test_a_wrong_host_is_named_in_one_line_without_the_password(made: Any, places: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SOME_URL: host \d of \d is not a name") as told:
        made(f"postgres://bank:hunter2@{places}/bank")  # pragma: allowlist secret
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)
    with pytest.raises(ImproperlyConfigured, match=r"^SOME_URL must be an address: "):
        made("postgres://bank:hunter2@db1,db 2/bank")  # pragma: allowlist secret


@in_one_world("taken", ["any", "standby", "read_write"])
def test_no_host_is_taken_that_the_bank_could_not_write_to(made: Any, taken: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="target_session_attrs must be read-write or primary"):
        made(f"postgres://bank@db1,db2/bank?target_session_attrs={taken}")


def test_pyodbc_does_not_take_one_connection_for_many(made: Any) -> None:
    """MARS: otherwise Django would run a query in the middle of another's rows, and the driver refuse it."""
    entry = made(MSSQL_DRIVER="pyodbc")
    assert entry["OPTIONS"]["python_driver"] == "pyodbc"
    assert words_of(entry) == {"encrypt": "yes", "mars_connection": "no"}
    assert "mars_connection" not in words_of(made()), "the other driver does not know the word"


@in_one_world("driver", ["", "pymssql", "FreeTDS"])
def test_a_driver_that_there_is_not_is_refused(made: Any, driver: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="MSSQL_DRIVER must be one of mssql_python, pyodbc"):
        made(MSSQL_DRIVER=driver)


@proves("V12.3.2")
def test_a_certificate_is_trusted_blindly_only_when_told(made: Any) -> None:
    assert "trustservercertificate" not in words_of(made())
    told = made(MSSQL_EXTRA_PARAMS="TrustServerCertificate=yes")
    assert told["OPTIONS"]["extra_params"] == "Encrypt=yes;TrustServerCertificate=yes"


@proves("V12.3.1")
@in_one_world(
    "words", ["Encrypt=no", "encrypt = Optional", "ENCRYPT=false;", "Encrypt=;HostnameInCertificate=db", "Encrypt={no}"]
)
def test_encryption_is_not_turned_off(made: Any, words: str) -> None:
    # R8.2
    with pytest.raises(ImproperlyConfigured, match="Encrypt off"):
        made(MSSQL_EXTRA_PARAMS=words)
    with pytest.raises(ImproperlyConfigured, match="Encrypt off"):
        made(f"{URL}?extra_params={words.replace(';', '%3B').replace('=', '%3D').replace(' ', '%20')}")
    assert made(MSSQL_EXTRA_PARAMS=words, DEBUG="1"), "but on a server of one's own"


@in_one_world("words", ["Encrypt=strict", "encrypt=Mandatory", "Encrypt=yes;", " ;Encrypt=yes"])
def test_a_stricter_word_is_kept_and_none_stands_twice(made: Any, words: str) -> None:
    extra = made(MSSQL_EXTRA_PARAMS=words)["OPTIONS"]["extra_params"]
    assert extra.lower().count("encrypt") == 1
    assert extra == words.strip("; ")


def test_what_stands_in_the_address_wins(made: Any) -> None:
    entry = made(
        f"{URL}?python_driver=pyodbc&extra_params=TrustServerCertificate%3Dyes&query_timeout=30&connection_timeout=3",
        MSSQL_DRIVER="mssql_python",
        MSSQL_EXTRA_PARAMS="HostnameInCertificate=elsewhere",
    )
    assert entry["OPTIONS"] == {
        "python_driver": "pyodbc",
        "extra_params": "Encrypt=yes;MARS_Connection=no;TrustServerCertificate=yes",
        "query_timeout": 30,
        "connection_timeout": 3,
    }


def test_a_readable_secondary_is_told_that_we_only_read(made: Any) -> None:
    assert words_of(made(read_only=True)) == {"encrypt": "yes", "applicationintent": "ReadOnly"}
    assert "applicationintent" not in words_of(made())


NASTY = r"p;w}d=1 {x}&Encrypt=no"


@in_one_world("read_only", [False, True])
@in_one_world("driver", ["mssql_python", "pyodbc"])
def test_the_backend_makes_a_string_of_it_that_the_driver_reads(made: Any, driver: str, read_only: bool) -> None:
    from urllib.parse import quote

    from mssql.base import DatabaseWrapper
    from mssql_python.connection_string_parser import _ConnectionStringParser

    entry = made(f"mssql://bank:{quote(NASTY, safe='')}@db:1433/bank", read_only=read_only, MSSQL_DRIVER=driver)
    wrapper = DatabaseWrapper(entry, "some")
    text = wrapper._build_connection_string(entry, "ODBC Driver 18 for SQL Server")
    if driver == "mssql_python":
        parsed = _ConnectionStringParser(validate_keywords=True)._parse(text)
        read = {word.lower(): value for word, value in parsed.items()}
        assert read["pwd"] == NASTY
    else:
        read = {word: value.strip("{}") for word, value in odbc_words(text).items()}
        assert read["driver"] == "ODBC Driver 18 for SQL Server"
        assert read["mars_connection"] == "no"
    assert (read["server"], read["uid"], read["encrypt"]) == ("db,1433", "bank", "yes")
    assert read.get("applicationintent") == ("ReadOnly" if read_only else None)


def test_words_are_read_as_odbc_reads_them() -> None:
    assert odbc_words("") == {}
    assert odbc_words("A=1;a=2;B = {x;y}}z} ;C=") == {"a": "1", "b": "{x;y}}z}", "c": ""}


@in_one_world("url", [URL, URL.replace("mssql:", "postgres:"), "sqlite:////tmp/bank.sqlite3"])
def test_connections_are_kept_and_looked_at_before_use(made: Any, url: str) -> None:
    assert (made(url)["CONN_MAX_AGE"], made(url)["CONN_HEALTH_CHECKS"]) == (60, True)
    assert made(url, CONN_MAX_AGE="0")["CONN_MAX_AGE"] == 0


def test_below_django_nobody_keeps_them_a_second_time(settings: Any) -> None:
    """A pool of the driver's own would hand out connections that the server has ended."""
    assert settings.DATABASE_CONNECTION_POOLING is False


# --- Waits for locks ----------------------------------------------------------------------------------------------


def test_a_request_that_waits_for_a_lock_is_answered_before_its_worker_is_given_up(made: Any) -> None:
    """R9.3, F5: it may wait twice, the second time to note that the first was in vain."""
    wait = made("sqlite:///bank.sqlite3")["OPTIONS"]["timeout"]
    assert 2 * wait < GUNICORN["timeout"]
    assert wait == LOCK_SECONDS
    assert made("sqlite:///bank.sqlite3?timeout=3")["OPTIONS"]["timeout"] == 3
    for seconds in (0, 15, 60):
        with pytest.raises(ImproperlyConfigured, match=r"^SOME_URL: timeout must be 1 to 14 seconds\.$"):
            made(f"sqlite:///bank.sqlite3?timeout={seconds}")
    assert GUNICORN["timeout"] > 2 * 14


@in_one_world(
    ("vendor", "statement"),
    [
        ("sqlite", None),
        (
            "postgresql",
            "SELECT set_config('lock_timeout', '10s', false) WHERE current_setting('lock_timeout') = '0'",
        ),
        ("microsoft", "SET LOCK_TIMEOUT 10000"),
    ],
)
def test_each_connection_of_a_web_server_waits_no_longer(vendor: str, statement: str | None) -> None:
    """R9.3, F5: SQLite has an option for it."""
    opened = MagicMock(vendor=vendor)
    wait_at_most(None, opened)
    execute = opened.cursor.return_value.__enter__.return_value.execute
    assert [call.args for call in execute.call_args_list] == ([] if statement is None else [(statement,)])
