"""An account with as many entries as one likes, written by hand into a SQLite file: a million in half a minute.

Each transaction has both its sides, and everything adds up. The indexes are made after the rows: row by row into an
index costs ten times as much.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from hand_sql import time_ordered

BATCH = 50_000
MANY = 200_000
_TABLES = ("transfers_transaction", "transfers_entry")
_TRANSACTION = (
    "INSERT INTO transfers_transaction (id, kind, amount, description, reference, initiated_by_id, created_at) "
    "VALUES (%s, %s, %s, '', %s, %s, %s)"
)
_ENTRY = (
    "INSERT INTO transfers_entry (transaction_id, account_id, direction, amount, balance_after, sequence, posted_at) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


def make_account(name: str, entries: int, now: datetime) -> Any:
    """Return a customer's account with that many entries, two in and one out, over half a year until now."""
    from accounts.models import AccountKind, BankAccount, TotpDevice
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening

    user = create_user(email=f"{name}@example.com", password_hash="!", role=Role.CUSTOMER, first_name=name)  # noqa: S106 - of nobody
    TotpDevice(user=user, name="phone", confirmed=True, key="00" * 20).save()
    account = opening.open_account(actor=user, kind=AccountKind.CHECKING, idempotency_key="benchmark-opening")
    desk = BankAccount.objects.filter(kind=AccountKind.CASH).order_by("pk")[0]
    with _without_indexes(entries):
        _write(account, desk, entries, now)
    # Pictures begin when an account does: this one is as old as its entries.
    BankAccount.objects.filter(pk=account.pk).update(opened_at=now - timedelta(days=200))
    account.refresh_from_db()
    return account


@contextmanager
def _without_indexes(entries: int) -> Iterator[None]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (%s, %s)",
            _TABLES,
        )
        indexes = cursor.fetchall() if entries > MANY else []
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _, text in indexes:
            cursor.execute(text)


def _write(account: Any, desk: Any, entries: int, now: datetime) -> None:
    from django.db import connection, transaction

    step = timedelta(days=180) / entries
    balances, sequences = {account.pk: 0, desk.pk: _minor(desk)}, {account.pk: 0, desk.pk: desk.last_sequence}
    for start in range(0, entries, BATCH):
        transactions, sides = [], []
        for number in range(start, min(start + BATCH, entries)):
            moment = now - step * (entries - number)
            key, at, amount = time_ordered(moment), f"{moment:%Y-%m-%d %H:%M:%S.%f}", 100 * (number % 97 + 100)
            is_out = number % 3 == 2
            kind = "withdrawal" if is_out else "deposit"
            transactions.append((key, kind, amount, f"{number:014x}"[-10:] + f"{account.pk:04x}", account.owner_id, at))
            # The desk has the cash that it was given: debits let it grow, and credits the customer's account.
            for pk, direction in (
                (account.pk, "debit" if is_out else "credit"),
                (desk.pk, "credit" if is_out else "debit"),
            ):
                balances[pk] += -amount if is_out else amount
                sequences[pk] += 1
                sides.append((key, pk, direction, amount, balances[pk], sequences[pk], at))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_TRANSACTION, transactions)
            cursor.executemany(_ENTRY, sides)
            cursor.executemany(
                "UPDATE accounts_bankaccount SET balance = %s, last_sequence = %s WHERE id = %s",
                [(balances[pk], sequences[pk], pk) for pk in balances],
            )


def _minor(account: Any) -> int:
    return int(account.balance * 100)
