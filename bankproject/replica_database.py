"""A readable copy of the database, for what may be a moment old (docs/scaling.md)."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from bankproject.databases import database

CONNECT_SECONDS = 3
READ_SECONDS = 15
# It gives up soon, since the primary answers where the replica does not. The router writes nothing there; an engine
# that can be told so refuses it too.
_OPTIONS: dict[str, dict[str, Any]] = {
    "django.db.backends.sqlite3": {"transaction_mode": "DEFERRED", "init_command": "PRAGMA query_only=ON;"},
    "mssql": {
        "connection_timeout": CONNECT_SECONDS,
        "connection_retries": 0,
        "query_timeout": READ_SECONDS,
    },
}
_POSTGRESQL = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": READ_SECONDS * 1000,
    "options": f"-c default_transaction_read_only=on -c statement_timeout={READ_SECONDS}s",
}


def replica(env: environ.Env, primary: dict[str, Any]) -> dict[str, Any]:
    """The entry of `DATABASES` for DATABASE_REPLICA_URL; none if that is empty.

    Raises:
        ImproperlyConfigured: it is another kind of database than the primary.
    """
    if not env.str("DATABASE_REPLICA_URL", default=""):
        return {}
    found = database(env, "DATABASE_REPLICA_URL", read_only=True)
    if found["ENGINE"] != primary["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_REPLICA_URL must be of the same kind as DATABASE_URL: it is its copy.")
    return {"replica": read_only(found)}


def read_only(configured: dict[str, Any]) -> dict[str, Any]:
    """A database as a replica is used."""
    engine, options = configured["ENGINE"], configured.get("OPTIONS", {})
    if engine == "django.db.backends.postgresql":
        options = _POSTGRESQL | options  # what stands in the address itself wins: a pooler may refuse `options`
    return configured | {"OPTIONS": options | _OPTIONS.get(engine, {}), "TEST": {"MIRROR": "default"}}
