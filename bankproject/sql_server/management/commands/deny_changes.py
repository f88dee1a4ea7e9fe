from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from foundation.append_only import append_only_models

# The login that migrates says what was migrated.
_MIGRATIONS = "django_migrations"


class Command(BaseCommand):
    help = (
        "On SQL Server: forbid a database user to change or delete rows that are written once and the record of "
        "migrations. Run it after every migrate, as the login that migrates; it may be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the database user of the web and mail workers, such as bank_app")

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        if connection.vendor != "microsoft":
            raise CommandError(f"{connection.display_name} is guarded by its triggers alone: nothing to deny.")
        with connection.cursor() as cursor:
            cursor.execute("SELECT DATABASE_PRINCIPAL_ID(%s), CURRENT_USER", [user])
            principal, we = cursor.fetchone()
        if principal is None:
            raise CommandError(f"The database has no user {user}.")
        if user.lower() in ("dbo", str(we).lower()):
            raise CommandError(f"{user} is the user that migrates: it must go on writing.")
        tables = sorted(model._meta.db_table for model in append_only_models())
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in deny_sql(user, tables):
                cursor.execute(statement)
        self.stdout.write(f"{user} may not change or delete rows of {len(tables)} tables.")


def deny_sql(user: str, tables: list[str]) -> list[str]:
    """Return the statements that forbid it; a DENY wins over every role that would allow it."""
    name = user.replace("]", "]]")
    denied = [(table, "UPDATE, DELETE") for table in tables] + [(_MIGRATIONS, "INSERT, UPDATE, DELETE")]
    return [f"DENY {rights} ON [{table}] TO [{name}]" for table, rights in denied]
