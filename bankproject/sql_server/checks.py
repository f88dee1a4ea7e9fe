"""`manage.py check --database default`: mistakes in the set-up of SQL Server, and what to do (docs/sql-server.md).

`foundation.append_only` checks the append-only triggers, `bankproject.security_audit.whole_database` whether the files
are encrypted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import Error, connections

from bankproject.databases import ENCRYPTED, odbc_words, trusts_blindly
from bankproject.sql_server.facts import database_facts, login_facts, table_rights
from foundation.append_only import append_only_models

_OLDEST_VERSION, _OLDEST_LEVEL = 15, 150  # 2019
_CLOUD_EDITIONS = (5, 8)  # always of the newest kind, whatever version they report
_SET = "ALTER DATABASE CURRENT SET {}"


def check_sql_server(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return every fault of these databases that the login may see; nothing for other engines."""
    return [
        message
        for alias in databases or []
        if connections[alias].vendor == "microsoft"
        for part in (_of_connection, _of_database, _of_login)
        for message in _heard(part, connections[alias])
    ]


def _heard(part: Callable[[Any], Iterator[checks.CheckMessage]], connection: Any) -> list[checks.CheckMessage]:
    try:
        return list(part(connection))
    except Error as error:
        return [
            checks.Warning(
                f"The database '{connection.alias}' could not be asked how it is set up: {error}",
                hint='Let somebody look who may: docs/sql-server.md, "What the checks say".',
                id="sql_server.W001",
            )
        ]


def _of_connection(connection: Any) -> Iterator[checks.CheckMessage]:
    options = connection.settings_dict["OPTIONS"]
    extra = options.get("extra_params", "")
    words = {word: value.lower() for word, value in odbc_words(extra).items()}
    is_public = not settings.DEBUG
    if is_public and words.get("encrypt") not in ENCRYPTED:
        yield checks.Error(
            "The connection to SQL Server is not encrypted.",
            hint="Take Encrypt out of MSSQL_EXTRA_PARAMS, or out of the URL: it is on by default.",
            id="sql_server.E001",
        )
    if is_public and trusts_blindly(extra):
        yield checks.Warning(
            "The certificate of SQL Server is not looked at: somebody between could be the server.",
            hint="Give the server a certificate that this machine trusts, and take TrustServerCertificate out.",
            id="sql_server.W002",
        )
    if words.get("mars_connection") in ("yes", "true"):
        yield checks.Error(
            "MARS is on: SQL Server refuses savepoints while another query of the connection has rows to give.",
            hint="Take MARS_Connection out of MSSQL_EXTRA_PARAMS, or out of the URL: it is off by default.",
            id="sql_server.E002",
        )
    if "FreeTDS" in str(options.get("driver", "")) and is_public:
        yield checks.Warning(
            "FreeTDS does not know the word Encrypt: the connection may be in clear.",
            hint="Use Microsoft's driver (MSSQL_DRIVER=mssql_python).",
            id="sql_server.W003",
        )


def _of_database(connection: Any) -> Iterator[checks.CheckMessage]:
    facts = database_facts(connection)
    if not facts.has_row_versions:
        yield checks.Error(
            "READ_COMMITTED_SNAPSHOT is off: readers wait for writers, and deadlock with them.",
            hint=_SET.format("READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE"),
            id="sql_server.E003",
        )
    if facts.delayed_durability:
        yield checks.Error(
            "DELAYED_DURABILITY is allowed: a payment that was answered could be lost with the power.",
            hint=_SET.format("DELAYED_DURABILITY = DISABLED"),
            id="sql_server.E004",
        )
    if facts.engine_edition not in _CLOUD_EDITIONS:
        yield from _of_version(facts.major_version)
    if facts.compatibility_level < _OLDEST_LEVEL:
        yield checks.Warning(
            f"The database behaves as an older server would (compatibility level {facts.compatibility_level}).",
            hint=_SET.format(f"COMPATIBILITY_LEVEL = {_OLDEST_LEVEL}"),
            id="sql_server.W005",
        )
    if "_AI" in facts.collation:
        yield checks.Warning(
            f"Of the collation {facts.collation}, accents tell nobody apart: jose@… and josé@… are one address.",
            hint="Create the database anew with one of the kind _AS, such as Latin1_General_100_CI_AS_SC.",
            id="sql_server.W006",
        )
    if facts.page_verify != 2:
        yield checks.Warning(
            "Pages are not verified by checksum: what the disk has garbled would be believed.",
            hint=_SET.format("PAGE_VERIFY CHECKSUM"),
            id="sql_server.W007",
        )
    if facts.recovery_model != 1:
        yield checks.Warning(
            "The recovery model is not FULL: the database can be brought back to its last backup only.",
            hint=_SET.format("RECOVERY FULL") + ", and back up the log every few minutes (docs/sql-server.md).",
            id="sql_server.W008",
        )


def _of_version(major: int) -> Iterator[checks.CheckMessage]:
    if major < _OLDEST_VERSION:
        yield checks.Warning(
            f"SQL Server {major}.x is older than what the bank's statements are written for.",
            hint="Use SQL Server 2019 (15.x) or newer.",
            id="sql_server.W004",
        )


def _of_login(connection: Any) -> Iterator[checks.CheckMessage]:
    login = login_facts(connection)
    guarded = {model._meta.db_table for model in append_only_models()}
    rights = [right for right in table_rights(connection) if right.table in guarded]
    if login.is_administrator or login.is_owner or login.may_alter or any(right.may_alter for right in rights):
        kind = "an administrator of the server" if login.is_administrator else "its owner" if login.is_owner else None
        yield checks.Warning(
            f"The login {login.name} may alter tables{f', as {kind}' if kind else ''}: it could drop the append-only"
            " triggers.",
            hint="Right for migrations, and for nothing else: give web and mail workers a login with db_datareader and"
            " db_datawriter (deploy/compose/create_database.sql).",
            id="sql_server.W009",
        )
        return
    changeable = sorted(right.table for right in rights if right.may_update or right.may_delete)
    if changeable:
        yield checks.Warning(
            f"Only triggers keep the login {login.name} from changing {', '.join(changeable)}.",
            hint=f"As the login that migrates: manage.py deny_changes {login.name}",
            id="sql_server.W010",
        )
