"""An empty database for a test's own bank, whose processes commit: on the server that the tests run on."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.db import connection


@contextmanager
def own_database() -> Iterator[str]:
    """Yield the address of a new database, which is dropped at the end; "" on SQLite, where any test can make a file.

    For blocks in which the database may be used (`django_db_blocker.unblock`).
    """
    if connection.vendor == "sqlite":
        yield ""
        return
    name = f"bank_own_{secrets.token_hex(4)}"
    quoted = connection.ops.quote_name(name)
    for_all = connection._nodb_cursor  # as Django makes its own test databases
    with for_all() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
        if connection.vendor == "microsoft":  # or `migrate` would refuse it
            cursor.execute(f"ALTER DATABASE {quoted} SET READ_COMMITTED_SNAPSHOT ON")
    try:
        # With the part after the question mark: the options of the connection.
        yield urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}").geturl()
    finally:
        with for_all() as cursor:
            cursor.execute(f"DROP DATABASE {quoted}")
