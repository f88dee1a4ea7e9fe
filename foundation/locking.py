"""How services lock rows. docs/locks.md lists the locks, and the order in which services take them."""

from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models

M = TypeVar("M", bound=models.Model)


def lock(
    rows: "models.QuerySet[M] | models.Manager[M]", *, skip_locked: bool = False, with_key: bool = False
) -> "models.QuerySet[M]":
    """Return the same rows, locked for the reader until its transaction ends.

    On PostgreSQL, inserting a row that points at one of these does not wait for the lock: otherwise a payment, which
    has locked its accounts and points at its customer, would wait for a transaction that has locked the customer and
    wants an account. SQL Server never waits there; SQLite locks the database.

    Args:
        skip_locked: leave out rows that others have locked, and so wait for nobody.
        with_key: for a change of a unique column, which does make the others wait: locked so from the beginning, the
            row is not waited for twice.
    """
    features = connections[DEFAULT_DB_ALIAS].features
    return rows.select_for_update(
        skip_locked=skip_locked, no_key=features.has_select_for_no_key_update and not with_key
    )


def sweep(rows: "models.QuerySet[M]") -> int:
    """Delete those of the rows that nobody else has locked at this moment, and return how many; the others are left to
    the next sweep. The caller has locks already, and the rows come in no order, so it waits for nobody."""
    free = lock(rows, skip_locked=True, with_key=True).values("pk")
    return rows.model._default_manager.filter(pk__in=free).delete()[0]
