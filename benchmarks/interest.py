"""What does a night of interest cost, in statements and in time, beside one hand-written sum?

    python benchmarks/interest.py [--accounts 10000] [--database-url …]

On a SQLite file of its own, or the database that is named: so many savings accounts with some movements each. Counted
are an ordinary night (a day for each account), and the night after a month (a day and a payment for each). Beside them,
in the same run, the balances are added up by one SQL statement through Python's driver: the least that reading the
accounts can cost.
"""
# ruff: noqa: T201 - a program prints

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from scratch_bank import set_up

BEGIN = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
MOVEMENTS = 5


def fill(accounts: int) -> None:
    """Make savings with a deposit on each of some days, written as the ledger does."""
    from decimal import Decimal

    from django.db import transaction

    from accounts.models import AccountKind, BankAccount
    from tests.many_rows import make_customers
    from transfers.ledger import posting as ledger
    from transfers.ledger.posting import Planned
    from transfers.models import TransactionKind

    customers = make_customers(accounts, at=BEGIN)
    BankAccount.objects.filter(owner__isnull=False).update(kind=AccountKind.SAVINGS)
    cash = BankAccount.objects.get(ledger_code="cash-0")
    ids = list(BankAccount.objects.filter(owner__isnull=False).order_by("pk").values_list("pk", flat=True))
    for number in range(MOVEMENTS):
        at = BEGIN + timedelta(days=5 * number)
        for start in range(0, len(ids), 1000):
            with transaction.atomic():
                ledger.post_many(
                    [
                        Planned(
                            TransactionKind.FEE,
                            ledger.transfer_legs(debit=cash.pk, credit=pk, amount=Decimal("1234.56")),
                            customers[0].owner,  # type: ignore[arg-type]
                            at,
                        )
                        for pk in ids[start : start + 1000]
                    ]
                )


def measured(do: Callable[[], Any]) -> tuple[float, int]:
    """Return seconds, and how many statements."""
    from django.db import connection

    statements = 0

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(sql, params, many, context)

    begun = time.perf_counter()
    with connection.execute_wrapper(count):
        do()
    return time.perf_counter() - begun, statements


def add_up() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), SUM(balance) FROM accounts_bankaccount WHERE kind = 'savings'")
        cursor.fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--database-url", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        set_up(folder, database_url=arguments.database_url)
        from django.conf import settings

        from transfers.interest.posting import accrue_interest

        settings.SAVINGS_RATE = "0.015"
        fill(arguments.accounts)
        begin = datetime(2026, 9, 28, 2, 0, tzinfo=UTC)
        accrue_interest(at=begin)
        nights = {
            "one SQL sum": add_up,
            "a night": lambda: accrue_interest(at=begin + timedelta(days=1)),
            "the night after a month": lambda: accrue_interest(at=begin + timedelta(days=3)),
            "run again": lambda: accrue_interest(at=begin + timedelta(days=3)),
        }
        print(f"{arguments.accounts} savings accounts\n{'':26}{'seconds':>9}{'statements':>12}{'µs each':>9}")
        for name, do in nights.items():
            seconds, statements = measured(do)
            each = 1e6 * seconds / arguments.accounts
            print(f"{name:26}{seconds:9.3f}{statements:12}{each:9.1f}")


if __name__ == "__main__":
    main()
