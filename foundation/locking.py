"""How services lock rows. Which locks there are, and in which order services take them: docs/locks.md."""

from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models

M = TypeVar("M", bound=models.Model)


def lock(
    rows: "models.QuerySet[M] | models.Manager[M]", *, skip_locked: bool = False, with_key: bool = False
) -> "models.QuerySet[M]":
    """The same rows, locked by whoever reads them until their transaction ends.

    On PostgreSQL whoever inserts a row that points at one of these does not wait for the lock: a payment, which points
    at its customer with its accounts locked, would otherwise wait for who has locked the customer and wants an account.
    On SQL Server that is so anyway; SQLite locks the database.

    Args:
        skip_locked: leave out what somebody else has locked, and so wait for nobody.
        with_key: for whoever changes a column that is unique, which does make the others wait: locked so from the
            beginning, the row is not waited for a second time.
    """
    features = connections[DEFAULT_DB_ALIAS].features
    return rows.select_for_update(
        skip_locked=skip_locked, no_key=features.has_select_for_no_key_update and not with_key
    )


def sweep(rows: "models.QuerySet[M]") -> int:
    """Delete those of the rows that nobody else has locked at this moment, and return how many: the others are left to
    the next sweep. Whoever sweeps has locks already, and the rows come in no order, so it waits for nobody."""
    free = lock(rows, skip_locked=True, with_key=True).values("pk")
    return rows.model._default_manager.filter(pk__in=free).delete()[0]
