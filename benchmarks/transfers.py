"""How fast is a transfer, compared with hand-written SQL through the same driver?

    python benchmarks/transfers.py [--rounds 8] [--batch 60]

Measured side by side in one run, in turns, on a SQLite file of its own with synchronous=FULL:

  sql       the same statements as the ledger's, written by hand, through Python's sqlite3
  ledger    `transfers.ledger.posting.post` inside `transaction.atomic()`
  service   `transfers.orders.sending.transfer`: permission, limits, idempotency, ledger, audit, outbox
  textbook  the ORM as a tutorial has it: get both accounts, change them, save, create the rows

Each transfer is a transaction of its own. Only the ratios mean something: the disk decides the rest.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from scratch_bank import set_up

AMOUNT = Decimal("0.01")


def make_customers() -> tuple[Any, Any, Any]:
    """Two customers with an account each; the first is rich."""
    from accounts.models import AccountKind
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening

    alice, bob = (
        create_user(email=f"{name}@example.com", password_hash="!", role=Role.CUSTOMER, first_name=name)  # noqa: S106
        for name in ("alice", "bob")
    )
    accounts = [
        opening.open_account(
            actor=user,
            kind=AccountKind.CHECKING,
            opening_deposit=Decimal(1_000_000),
            idempotency_key="benchmark-opening",
        )
        for user in (alice, bob)
    ]
    return alice, *accounts


# --- The four ways ------------------------------------------------------------------------------------------


def by_hand(path: str, actor: Any, source: Any, target: Any) -> Callable[[], None]:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    run, cents = connection.execute, int(AMOUNT * 100)

    def transfer() -> None:
        run("BEGIN IMMEDIATE")
        rows = run(
            "SELECT id, kind, status, balance, held, last_sequence FROM accounts_bankaccount "
            "WHERE id IN (?, ?) ORDER BY id",
            (source.pk, target.pk),
        ).fetchall()
        key, now = uuid.uuid4().hex, time.strftime("%Y-%m-%d %H:%M:%S")
        entries = []
        for pk, _, status, balance, held, sequence in rows:
            after = balance - cents if pk == source.pk else balance + cents
            if status != "active" or after < held:
                raise SystemExit("The benchmark's accounts ran dry.")
            run(
                "UPDATE accounts_bankaccount SET balance = ?, last_sequence = ? WHERE id = ? AND last_sequence = ?",
                (after, sequence + 1, pk, sequence),
            )
            entries += [key, pk, "debit" if pk == source.pk else "credit", cents, after, sequence + 1, now]
        run(
            "INSERT INTO transfers_transaction "
            "(id, kind, amount, description, reference, initiated_by_id, reverses_id, created_at) "
            "VALUES (?, 'transfer', ?, '', ?, ?, NULL, ?)",
            (key, cents, key[:14], actor.pk, now),
        )
        run(
            "INSERT INTO transfers_entry "
            "(transaction_id, account_id, direction, amount, balance_after, sequence, posted_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?)",
            entries,
        )
        run("COMMIT")

    return transfer


def by_ledger(actor: Any, source: Any, target: Any) -> Callable[[], None]:
    from django.db import transaction
    from django.utils import timezone

    from transfers.ledger import posting as ledger
    from transfers.models import TransactionKind

    def transfer() -> None:
        with transaction.atomic():
            ledger.post(
                kind=TransactionKind.TRANSFER,
                legs=ledger.transfer_legs(debit=source.pk, credit=target.pk, amount=AMOUNT),
                initiated_by=actor,
                at=timezone.now(),
            )

    return transfer


def by_service(actor: Any, source: Any, target: Any) -> Callable[[], None]:
    from django.utils import timezone

    from foundation.models import RateWindow
    from transfers.models import Payee
    from transfers.orders import sending

    # Somebody who was paid before: a first payment would need a code.
    now = timezone.now()
    Payee.objects.get_or_create(customer=actor, account=target, defaults={"first_paid_at": now, "last_paid_at": now})

    def transfer() -> None:
        sending.transfer(actor=actor, source=source, target=target, amount=AMOUNT, idempotency_key=uuid.uuid4().hex)

    def forget_the_minute() -> None:
        """A customer has at most five stamps in the window, not the benchmark's hundreds."""
        RateWindow.objects.update(stamps=[])

    transfer.between = forget_the_minute  # type: ignore[attr-defined]
    return transfer


def by_textbook(actor: Any, source: Any, target: Any) -> Callable[[], None]:
    from django.db import transaction
    from django.utils import timezone

    from accounts.models import BankAccount
    from transfers.ledger.posting import new_reference
    from transfers.models import Entry, Transaction

    def transfer() -> None:
        with transaction.atomic():
            sides = [BankAccount.objects.select_for_update().get(pk=account.pk) for account in (source, target)]
            now = timezone.now()
            row = Transaction.objects.create(
                id=uuid.uuid4(),
                kind="transfer",
                amount=AMOUNT,
                reference=new_reference(),
                initiated_by=actor,
                created_at=now,
            )
            for account, direction, change in zip(sides, ("debit", "credit"), (-AMOUNT, AMOUNT), strict=True):
                account.balance += change
                account.last_sequence += 1
                account.full_clean(exclude=["number", "number_digest", "ledger_code", "closed_at"])
                account.save()
                Entry.objects.create(
                    transaction=row,
                    account=account,
                    direction=direction,
                    amount=AMOUNT,
                    balance_after=account.balance,
                    sequence=account.last_sequence,
                    posted_at=now,
                )

    return transfer


# --- Measuring ----------------------------------------------------------------------------------------------


def measure(ways: dict[str, Callable[[], None]], rounds: int, batch: int) -> dict[str, list[float]]:
    """Transfers a second of each way in each round; the ways take turns, so that a busy machine is busy for all."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            begin = time.perf_counter()
            for done in range(batch):
                ways[name]()
                if done % 4 == 3 and (between := getattr(ways[name], "between", None)):
                    pause = time.perf_counter()
                    between()
                    begin += time.perf_counter() - pause
            if number:  # the first round compiles and warms up
                rates[name].append(batch / (time.perf_counter() - begin))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description="Transfers per second, as ratios of hand-written SQL.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--batch", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print the medians as JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        set_up(folder)
        from transfers.ledger import verification

        sides = make_customers()
        ways = {
            "sql": by_hand(f"{folder}/bank.sqlite3", *sides),
            "ledger": by_ledger(*sides),
            "service": by_service(*sides),
            "textbook": by_textbook(*sides),
        }
        rates = measure(ways, options.rounds, options.batch)
        faults = [fault for fault in verification.faults() if "order" not in fault]
    medians = {name: statistics.median(values) for name, values in rates.items()}
    if options.json:
        print(json.dumps({name: round(rate, 1) for name, rate in medians.items()}))
    else:
        print(f"SQLite {sqlite3.sqlite_version}, synchronous=FULL, {options.rounds} rounds of {options.batch}")
        print(f"{'':10}{'a second':>10}{'of sql':>10}{'from':>10}{'to':>8}")
        for name, values in rates.items():
            ratios = [rate / base for rate, base in zip(values, rates["sql"], strict=True)]
            middle = statistics.median(ratios)
            print(f"{name:10}{medians[name]:10.0f}{middle:10.2f}{min(ratios):10.2f}{max(ratios):8.2f}")
    if faults:
        raise SystemExit("The ledger does not add up after the benchmark: " + faults[0])


if __name__ == "__main__":
    main()
