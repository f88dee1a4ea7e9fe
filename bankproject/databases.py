"""The whole configuration of a database and of its replica: the address from the environment, and the options that the
engine needs."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper

CONNECT_SECONDS = 3
READ_SECONDS = 15
# How long a statement waits for what another transaction holds. A request may wait twice, the second time to note that
# the first was in vain, before the web server gives up its worker (`timeout` in deploy/gunicorn.conf.py).
LOCK_SECONDS = 10
_MOST_LOCK_SECONDS = 14  # twice is still less
# For web workers only: a job may wait for as long as it likes. What the operator has set for PostgreSQL wins.
_WAIT_AT_MOST = {
    "postgresql": f"SELECT set_config('lock_timeout', '{LOCK_SECONDS}s', false)"
    " WHERE current_setting('lock_timeout') = '0'",
    "microsoft": f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}",
}
# Writers queue instead of failing; a commit that was answered is on the disk; REPLACE cannot bypass the append-only
# triggers (R3.4).
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": LOCK_SECONDS,
    # How many prepared statements a connection keeps; with 128, pages would push out those of a payment.
    "cached_statements": 512,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;",
}
# Statements that are compiled once are prepared at their first use (foundation/drivers.py). A pooler that hands
# connections on between transactions and cannot keep prepared statements needs `?prepare_threshold=None` in the
# address, and hands locks and settings of a session on, too: `migrate` goes past it, or through one in session mode, as
# does whatever needs LOCK_SECONDS. If a server does not answer because its machine is gone, the connection gives up
# before the web server gives up its worker.
_POSTGRESQL = {
    "prepare_threshold": 5,
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": READ_SECONDS * 1000,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# One of several servers, by its name or its address, with its port.
_PLACE = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(?::([0-9]{1,5}))?")
_PORT = "5432"
# Values of `target_session_attrs`, and the ones that suit the bank: it writes.
_TAKEN = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
_WRITABLE = ("read-write", "primary")
# Seconds to wait for a server that does not answer; without it, as long as the network likes.
_MSSQL = {"connection_timeout": 10}
# Microsoft's driver as its own Python package, with the ODBC driver in it; or pyodbc with an installed one.
MSSQL_DRIVERS = ("mssql_python", "pyodbc")
ENCRYPTED = ("yes", "true", "mandatory", "strict")
_TRUST = ("trustservercertificate", "trust_server_certificate")
# A value in braces may hold semicolons; a brace in it is doubled.
_ODBC_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*?)\s*(?:;|$)")
# A replica gives up soon, since the primary answers instead. The router writes nothing there; an engine that can be set
# read-only refuses too.
_OF_A_REPLICA: dict[str, dict[str, Any]] = {
    "django.db.backends.sqlite3": {"transaction_mode": "DEFERRED", "init_command": "PRAGMA query_only=ON;"},
    "mssql": {
        "connection_timeout": CONNECT_SECONDS,
        "connection_retries": 0,
        "query_timeout": READ_SECONDS,
    },
}
_POSTGRESQL_REPLICA = {
    "options": f"-c default_transaction_read_only=on -c statement_timeout={READ_SECONDS}s",
}


@dataclass(frozen=True)
class Told:
    """What settings say of every database."""

    kept_seconds: int  # CONN_MAX_AGE
    driver: str  # MSSQL_DRIVER
    extra_params: str  # MSSQL_EXTRA_PARAMS
    is_debug: bool


def database(variable: str, url: str, parsed: dict[str, Any], told: Told, *, read_only: bool = False) -> dict[str, Any]:
    """Return the entry of `DATABASES` for the address in this variable, with the engine's options.

    `read_only` is for a readable secondary: on SQL Server the connection says that it intends to read.

    Raises:
        ImproperlyConfigured: an unknown driver, SQL Server without encryption outside DEBUG (R8.2), several hosts with
            a mistake, or a SQLite file that a request would wait for too long.
    """
    found = dict(parsed)
    options = found.setdefault("OPTIONS", {})
    if found["ENGINE"] == "django.db.backends.sqlite3":
        found["OPTIONS"] = _SQLITE | options
        if found["OPTIONS"]["timeout"] not in range(1, _MOST_LOCK_SECONDS + 1):
            raise ImproperlyConfigured(f"{variable}: timeout must be 1 to {_MOST_LOCK_SECONDS} seconds.")
    elif found["ENGINE"] == "django.db.backends.postgresql":
        if options.get("prepare_threshold") == "None":
            options["prepare_threshold"] = None
        found["OPTIONS"] = _POSTGRESQL | options
        if "," in found["HOST"]:
            _take_one_of_several(found, variable, url, read_only=read_only)
    elif found["ENGINE"] == "mssql":
        found["OPTIONS"] = _mssql_options(told, options, read_only=read_only)
    found["CONN_MAX_AGE"] = told.kept_seconds
    found["CONN_HEALTH_CHECKS"] = True
    return found


def wait_at_most(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Bound how long each statement of a new connection waits for locks (Django's `connection_created`); SQLite's has
    an option for it."""
    if statement := _WAIT_AT_MOST.get(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _take_one_of_several(found: dict[str, Any], variable: str, url: str, *, read_only: bool) -> None:
    """Give each host its port, as libpq counts them, and choose the host that writes; for a replica, a standby first.

    Raises:
        ImproperlyConfigured: a host without a name, a port that is not a number, or a choice of host that the bank
            could not write to.
    """
    places = url.partition("://")[2].partition("/")[0].rpartition("@")[2].split(",")
    hosts, ports = [], []
    for number, place in enumerate(places, 1):
        named = _PLACE.fullmatch(place)
        port = int(named[2] or _PORT) if named else 0
        if named is None or not 0 < port < 2**16:
            # Without its text: it may quote a part of a password that is not escaped.
            raise ImproperlyConfigured(
                f"{variable}: host {number} of {len(places)} is not a name, with a port or without: db.example:5432."
            )
        hosts.append(unquote(named[1].strip("[]")))
        ports.append(str(port))
    found["HOST"], found["PORT"] = ",".join(hosts), ",".join(ports)
    taken = found["OPTIONS"].setdefault("target_session_attrs", "prefer-standby" if read_only else "read-write")
    allowed = _TAKEN if read_only else _WRITABLE
    if taken not in allowed:
        raise ImproperlyConfigured(
            f"{variable}: of several hosts, target_session_attrs must be {' or '.join(allowed)}."
        )


def _mssql_options(told: Told, options: dict[str, Any], *, read_only: bool) -> dict[str, Any]:
    # An option in the URL itself wins over the option for all databases.
    driver = options.pop("python_driver", "") or told.driver
    if driver not in MSSQL_DRIVERS:
        raise ImproperlyConfigured(f"MSSQL_DRIVER must be one of {', '.join(MSSQL_DRIVERS)}.")
    extra = options.pop("extra_params", "") or told.extra_params
    words = odbc_words(extra)
    ours = {"Encrypt": "yes"}
    if read_only:
        ours["ApplicationIntent"] = "ReadOnly"
    if driver == "pyodbc":
        # Otherwise Django would believe that one connection can run a query in the middle of another's rows.
        ours["MARS_Connection"] = "no"
    missing = [f"{word}={value}" for word, value in ours.items() if word.lower() not in words]
    extra = ";".join([*missing, *filter(None, [extra.strip("; ")])])
    if odbc_words(extra)["encrypt"].lower() not in ENCRYPTED and not told.is_debug:
        raise ImproperlyConfigured("MSSQL_EXTRA_PARAMS turns Encrypt off: outside DEBUG nothing is sent in clear.")
    return _MSSQL | options | {"python_driver": driver, "extra_params": extra}


def odbc_words(extra_params: str) -> dict[str, str]:
    """Return the words of a connection string, in lower case, each with its value; of two, the first one, as in
    ODBC."""
    return {word.lower(): value for word, value in reversed(_ODBC_PAIR.findall(extra_params))}


def trusts_blindly(extra_params: str) -> bool:
    """Return whether any server's certificate is accepted."""
    words = odbc_words(extra_params)
    return {"yes", "true"} & {words.get(name, "").lower() for name in _TRUST} != set()


def replica(url: str, parsed: dict[str, Any], told: Told, primary: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of `DATABASES` for DATABASE_REPLICA_URL; nothing if that is empty.

    Raises:
        ImproperlyConfigured: it is another kind of database than the primary.
    """
    if not parsed:
        return {}
    found = database("DATABASE_REPLICA_URL", url, parsed, told, read_only=True)
    if found["ENGINE"] != primary["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_REPLICA_URL must be of the same kind as DATABASE_URL: it is its copy.")
    return {"replica": read_only(found)}


def read_only(configured: dict[str, Any]) -> dict[str, Any]:
    """Return a database with the options of a replica."""
    engine, options = configured["ENGINE"], configured.get("OPTIONS", {})
    if engine == "django.db.backends.postgresql":
        options = _POSTGRESQL_REPLICA | options  # an option in the address itself wins: a pooler may refuse `options`
    return configured | {"OPTIONS": options | _OF_A_REPLICA.get(engine, {}), "TEST": {"MIRROR": "default"}}
