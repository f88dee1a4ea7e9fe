"""What a SQL Server reports about itself, about the bank's database, and about our login's rights there."""

from typing import Any, NamedTuple

from django.db import transaction


class DatabaseFacts(NamedTuple):
    """One row of `sys.databases`, in the server's own numbers, and the server's version."""

    has_row_versions: bool
    delayed_durability: int  # 0 is off
    page_verify: int  # 2 is by checksum
    recovery_model: int  # 1 is full
    compatibility_level: int  # 150 is that of 2019
    collation: str
    major_version: int  # 15 is 2019, 16 is 2022
    engine_edition: int  # 5 and 8 are Microsoft's cloud


class LoginFacts(NamedTuple):
    name: str
    is_administrator: bool
    is_owner: bool
    may_alter: bool


class TableRights(NamedTuple):
    table: str
    may_alter: bool
    may_update: bool
    may_delete: bool


_DATABASE = """
SELECT d.is_read_committed_snapshot_on, d.delayed_durability, d.page_verify_option, d.recovery_model,
    d.compatibility_level, d.collation_name,
    CAST(SERVERPROPERTY('ProductMajorVersion') AS int), CAST(SERVERPROPERTY('EngineEdition') AS int)
FROM sys.databases AS d WHERE d.database_id = DB_ID()
"""
_LOGIN = """
SELECT SUSER_SNAME(), COALESCE(IS_SRVROLEMEMBER('sysadmin'), 0), COALESCE(IS_ROLEMEMBER('db_owner'), 0),
    COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'ALTER'), 0)
"""
_TABLES = """
SELECT q.name, COALESCE(HAS_PERMS_BY_NAME(q.path, 'OBJECT', 'ALTER'), 0),
    COALESCE(HAS_PERMS_BY_NAME(q.path, 'OBJECT', 'UPDATE'), 0),
    COALESCE(HAS_PERMS_BY_NAME(q.path, 'OBJECT', 'DELETE'), 0)
FROM (
    SELECT t.name, QUOTENAME(SCHEMA_NAME(t.schema_id)) + '.' + QUOTENAME(t.name) AS path
    FROM sys.tables AS t WHERE t.schema_id = SCHEMA_ID()
) AS q
"""


def database_facts(connection: Any) -> DatabaseFacts:
    """Return how the bank's database is set up.

    Raises:
        DatabaseError: the server, or this login there, cannot say.
    """
    (row,) = _asked(connection, _DATABASE)
    return DatabaseFacts(*row)


def login_facts(connection: Any) -> LoginFacts:
    """Return who we are there, and our rights over the whole database.

    Raises:
        DatabaseError
    """
    (row,) = _asked(connection, _LOGIN)
    return LoginFacts(row[0], *map(bool, row[1:]))


def table_rights(connection: Any) -> list[TableRights]:
    """Return what our login may do with each table of its schema.

    Raises:
        DatabaseError
    """
    return [TableRights(name, *map(bool, rights)) for name, *rights in _asked(connection, _TABLES)]


def _asked(connection: Any, question: str) -> list[tuple[Any, ...]]:
    # In a savepoint: a refusal must not spoil the caller's transaction.
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()
