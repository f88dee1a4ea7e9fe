"""What does a payment cost, compared with hand-written SQL that writes the same rows?

    python benchmarks/payment.py [--database-url postgres://…] [--base FOLDER] [--rounds 11] [--quick]

Measured side by side in one process, in turns, on a SQLite file of its own with synchronous=FULL, or on a PostgreSQL
server; each payment is a transaction of its own, spread over a thousand customers:

  hand        the rows of a payment by hand-written SQL (`hand_sql.py`), through Python's sqlite3 or psycopg 3
  cursor      the same statements through Django's cursor in `atomic()`: what Django's connection costs by itself
  service     `transfers.orders.sending.transfer` to a known payee, with permission, limits and idempotency
  ledger      `transfers.ledger.posting.post`, and the ledger's own rows by hand
  post_many   a thousand transactions of `transfers.ledger.posting.post_many` in one

`--base` names a checkout of commit 11100bd with its `.venv`: the hand-written SQL is then measured on a database that
this commit has made too. Ratios are of payments a second: 1 is as fast as hand-written SQL. Counted are the statements
besides BEGIN and COMMIT, and the commits.
"""
# ruff: noqa: T201 - a program prints

import itertools
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from counted import counts
from figures import Figure, Taken, Way, figure, program, ratios, take_turns, tell, timed
from hand_sql import STATEMENTS_AT_11100BD, HandSql, Payment, over, over_django, printed
from scratch_bank import Bank, begin, copied, prepare, require_exact, scratch_folder

AMOUNT = Decimal("0.01")
HAND, CURSOR, SERVICE = "hand-written SQL", "the same through Django's cursor", "the service"
LEDGER_HAND, LEDGER, BATCH = "the ledger's rows by hand", "ledger.post", "ledger.post_many of 1,000"
# On the databases of two commits.
HERE, BASE = f"{HAND}, this commit", f"{HAND}, 11100bd"
LEDGER_HERE, LEDGER_BASE = f"{LEDGER_HAND}, this commit", f"{LEDGER_HAND}, 11100bd"


@dataclass(frozen=True)
class Sides:
    """The rows that a caller of the service has in its hands."""

    actor: Any
    source: Any
    target: Any


def sides_of(bank: Bank) -> list[Sides]:
    """Return the rows as pages and the API have them: read a moment ago."""
    from accounts.models import BankAccount

    accounts = {one.pk: one for one in BankAccount.objects.select_related("owner")}
    pairs = [(accounts[one.account_id], accounts[bank.people[one.knows].account_id]) for one in bank.people]
    return [Sides(source.owner, source, target) for source, target in pairs]


def by_hand(way: HandSql, payments: list[Payment]) -> Callable[[], object]:
    turn = itertools.cycle(payments)
    return lambda: way.pay(next(turn))


def ledger_by_hand(way: HandSql, payments: list[Payment]) -> Callable[[], object]:
    turn = itertools.cycle(payments)
    return lambda: way.post(next(turn))


def by_service(sides: list[Sides]) -> Callable[[], object]:
    from transfers.orders import sending

    turn = itertools.cycle(sides)

    def pay() -> None:
        who = next(turn)
        key = uuid.uuid4().hex
        sending.transfer(actor=who.actor, source=who.source, target=who.target, amount=AMOUNT, idempotency_key=key)

    return pay


def by_ledger(sides: list[Sides], many: int = 1) -> Callable[[], object]:
    from django.db import transaction
    from django.utils import timezone

    from transfers.ledger import posting
    from transfers.models import TransactionKind

    turn = itertools.cycle(sides)

    def planned() -> posting.Planned:
        who = next(turn)
        legs = posting.transfer_legs(debit=who.source.pk, credit=who.target.pk, amount=AMOUNT)
        return posting.Planned(TransactionKind.TRANSFER, legs, who.actor, timezone.now())

    def post() -> None:
        with transaction.atomic():
            posting.post_many([planned() for _ in range(many)])

    def post_one() -> None:
        one = planned()
        with transaction.atomic():
            posting.post(kind=one.kind, legs=one.legs, initiated_by=one.initiated_by, at=one.at)

    return post if many > 1 else post_one


def batch_of(post: Callable[[], object], many: int) -> Way:
    """Return the time of one of a batch."""
    whole = timed(post, 1)

    def run() -> Taken:
        taken = whole()
        return Taken(taken.clock / many, taken.cpu / many)

    return run


# --- What is told --------------------------------------------------------------------------------------------


def figures_of(engine: str, taken: dict[str, list[Taken]], *, here: bool) -> Iterator[Figure]:
    """Return the figures; `here`: the engine works in this process, so that its processor time is the whole cost."""
    table = f"A payment on {engine}"
    for name in (HAND, CURSOR, SERVICE, LEDGER_HAND, LEDGER, BATCH):
        yield figure(table, f"{name}, by the clock", "ms", [1000 * one.clock for one in taken[name]])
        if here:
            yield figure(table, f"{name}, processor", "ms", [1000 * one.cpu for one in taken[name]])
    pairs = [(SERVICE, HAND), (CURSOR, HAND), (LEDGER, LEDGER_HAND), (BATCH, HAND), (BATCH, LEDGER_HAND)]
    for name, measure in pairs + [(HERE, BASE), (LEDGER_HERE, LEDGER_BASE)] * (BASE in taken):
        clocks = ratios([one.clock for one in taken[measure]], [one.clock for one in taken[name]])
        yield figure(table, f"{name} ÷ {measure}, by the clock", "×", clocks)
        if here:
            cpus = ratios([one.cpu for one in taken[measure]], [one.cpu for one in taken[name]])
            yield figure(table, f"{name} ÷ {measure}, processor", "×", cpus)


def measure(folder: Path, options: Any) -> list[Figure]:
    customers, each, many = (20, 3, 100) if options.quick else (1000, options.batch, 1000)
    server = options.database_url
    bank = prepare(folder, customers=customers, server=server)
    unused = copied(bank)
    os.environ.update(bank.environment)
    begin()
    from django.db import connection

    sides, payments, hand = sides_of(bank), bank.payments(), over(bank.database_url)
    ways = {
        HAND: timed(by_hand(hand, payments), each),
        CURSOR: timed(by_hand(over_django(), payments), each),
        SERVICE: timed(by_service(sides), each),
        LEDGER_HAND: timed(ledger_by_hand(hand, payments), each),
        LEDGER: timed(by_ledger(sides), each),
        BATCH: batch_of(by_ledger(sides, many), many),
    }
    if options.base:
        base = prepare(folder, customers=customers, tree=options.base, server=server)
        here, there = over(unused.database_url), over(base.database_url, STATEMENTS_AT_11100BD)
        ways |= {
            HERE: timed(by_hand(here, payments), each),
            BASE: timed(by_hand(there, base.payments()), each),
            LEDGER_HERE: timed(ledger_by_hand(here, payments), each),
            LEDGER_BASE: timed(ledger_by_hand(there, base.payments()), each),
        }
    taken = take_turns(ways, 1 if options.quick else options.rounds)
    engine = connection.vendor
    found = list(counts(bank)) if engine == "sqlite" else []  # they are the same everywhere
    connection.close()
    require_exact(bank)
    name = f"SQLite {sqlite3.sqlite_version}, synchronous=FULL" if engine == "sqlite" else "PostgreSQL"
    return [*figures_of(name, taken, here=engine == "sqlite"), *found]


def main() -> None:
    parser = program(__doc__ or "", rounds=11)
    parser.add_argument("--batch", type=int, default=60)
    parser.add_argument("--base", type=Path, help="a checkout of commit 11100bd, to compare the baseline with")
    options = parser.parse_args()
    with scratch_folder() as folder:
        found = measure(folder, options)
    tell(found, options.json)
    if not options.database_url:
        print(f"The hand-written SQL, between BEGIN and COMMIT:\n\n{printed()}")


if __name__ == "__main__":
    main()
