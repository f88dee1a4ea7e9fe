"""A process of the bank's own code that reads its books, and constantly adds up its balances.

    python -m tests.faults.auditor ACCOUNT…

Told `rows`, `verify`, `waiting` or `snapshots`, each on a line, it answers with a line of JSON. It is started once for
a bank: loading the bank takes seconds.
"""
# ruff: noqa: T201 - a program prints

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Any

from scratch_bank import begin

_PAUSE_SECONDS = 0.05
_TRIES = 5
_NAMED = 3  # of the wrong snapshots: all of them say the same


@dataclass
class Snapshots:
    """A thread that adds up all balances in one statement, again and again: the sum never changes."""

    accounts: list[int]
    read: int = 0
    total: int | None = None
    wrong: list[str] = field(default_factory=list)

    def begin(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        from django.db import Error, connection

        over = threading.Event()
        while not over.wait(_PAUSE_SECONDS):
            try:
                total = self._sum()
            except Error:
                connection.close()
                over.wait(0.5)
                continue
            self.read += 1
            if self.total is None:
                self.total = total
            if total != self.total and len(self.wrong) < _NAMED:
                self.wrong.append(f"In snapshot {self.read} all balances are {total}, and not {self.total}.")

    def told(self) -> dict[str, Any]:
        """Return how many were read, and the faults since the last call."""
        wrong, self.wrong = self.wrong, []
        return {"read": self.read, "wrong": wrong}

    def _sum(self) -> int:
        from django.db import connection

        from accounts.models import BankAccount

        table = connection.ops.quote_name(BankAccount._meta.db_table)
        places = ", ".join(["%s"] * len(self.accounts))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT SUM(balance) FROM {table} WHERE id IN ({places})", self.accounts)
            return int(cursor.fetchone()[0])


def rows(accounts: list[int]) -> dict[str, Any]:
    """Return the orders between these accounts with everything that belongs to them, and the accounts themselves;
    amounts in minor units."""
    from accounts.models import BankAccount
    from foundation.money import to_minor
    from transfers.models import Entry, Transaction, TransferOrder

    orders = TransferOrder.objects.filter(source__in=accounts, target__in=accounts)
    columns = ("public_id", "source", "target", "amount", "description", "state", "transaction")
    found = [dict(zip(columns, row, strict=True)) for row in orders.order_by("pk").values_list(*columns)]
    entries: dict[Any, list[Any]] = defaultdict(list)
    moved = Entry.objects.filter(account__in=accounts).order_by("account", "sequence")
    for transaction, *entry, amount in moved.values_list("transaction", "account", "direction", "amount"):
        entries[transaction].append([*entry, to_minor(amount)])
    reports = _reports()
    for row in found:
        row["amount"] = to_minor(row["amount"])
        row["entries"] = entries.pop(row["transaction"], [])
        row["reports"] = reports.pop(str(row["public_id"]), [])
    balances = BankAccount.objects.filter(pk__in=accounts).values_list("pk", "balance", "held")
    kinds = dict(Transaction.objects.filter(pk__in=entries).values_list("pk", "kind"))
    return {
        "orders": found,
        "balances": {pk: [to_minor(balance), to_minor(held)] for pk, balance, held in balances},
        "other_movements": [[str(pk), kinds.get(pk), of_it] for pk, of_it in entries.items()],
        "other_reports": reports,
    }


def _reports() -> dict[str, list[str]]:
    """Return what the audit log says about each order, by its public id."""
    from audit.models import AuditEntry

    reports: dict[str, list[str]] = defaultdict(list)
    entries = AuditEntry.objects.filter(subject_type="transferorder").order_by("pk")
    for subject, action in entries.values_list("subject_id", "action"):
        reports[subject].append(action)
    return reports


def waiting() -> int:
    """Return how much still waits to be told by mail: events not yet written, and mails not yet delivered."""
    from post_office.models import STATUS, Email

    from foundation.models import OutboxMessage

    mails = Email.objects.filter(status__in=[STATUS.queued, STATUS.requeued])
    return OutboxMessage.objects.filter(expanded_at__isnull=True).count() + mails.count()


def verify() -> dict[str, str]:
    """Seal the audit log and run both verifications; return the faults of each."""
    from django.core.management import CommandError, call_command

    said = {}
    for name, options in {"seal_audit_log": {}, "verify_ledger": {}, "verify_audit_log": {"all": True}}.items():
        told = StringIO()
        try:
            call_command(name, stdout=told, stderr=told, verbosity=0, **options)
        except CommandError as error:
            said[name] = f"{told.getvalue()}{error}"
    return said


def _again(act: Callable[[], Any]) -> Any:
    """Return the result of the act; over a new connection if the database went away since the last one."""
    from django.db import Error, connection

    for _ in range(_TRIES - 1):
        try:
            return act()
        except Error:
            connection.close()
    return act()


def main() -> None:
    begin(migrate=False)
    accounts = [int(account) for account in sys.argv[1:]]
    snapshots = Snapshots(accounts)
    snapshots.begin()
    acts: dict[str, Callable[[], Any]] = {
        "rows": partial(_again, partial(rows, accounts)),
        "verify": partial(_again, verify),
        "waiting": partial(_again, waiting),
        "snapshots": snapshots.told,
    }
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(acts[line.strip()](), default=str), flush=True)


if __name__ == "__main__":
    main()
