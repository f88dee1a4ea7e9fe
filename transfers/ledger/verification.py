"""Check that the ledger adds up: look at every row, in constant memory, and name each one that is wrong.

The database compares thousands of rows in one statement, and Python makes the digests that the audit log should have
(`soundness`, `evidence`). Rows that are not proven sound that way are read one by one, to name what is wrong
(`row_by_row`).

It trusts nothing that is stored twice: balances are added up again from the entries. Movements that are not in the
audit log are named too (R6.3), however well their rows fit together. It may run while the bank is open: written rows
never change. It keeps nothing, so it can be stopped and started again at any time.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import Error
from django.db.models import QuerySet

from accounts.models import BankAccount
from foundation import currency_record
from foundation.processes import spread
from foundation.slices import ranges, within
from transfers.ledger import evidence, row_by_row, soundness
from transfers.models import Entry, Transaction, TransferOrder

# Rows that one statement adds up, and that one process checks before it takes others. Accounts are read into memory.
_SLICE = 20_000
_ACCOUNTS = 500
# Errors that only mean that rows are to be read one by one: sums that overflow, a text where a number belongs. If the
# database does not answer, reading the rows says so.
_UNPROVEN = (Error, *evidence.UNREADABLE)

logger = logging.getLogger(__name__)

Progress = Callable[[str, int], None]
Told = Callable[[int], None]


@dataclass
class Spent:
    """The time that something took, in seconds: by the clock, and of the processor in the process itself."""

    clock: float = 0.0
    processor: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.clock += time.perf_counter() - clock
            self.processor += time.process_time() - processor

    def add(self, other: "Spent") -> None:
        self.clock += other.clock
        self.processor += other.processor


@dataclass
class Work:
    """How much was checked, and the time it took, in all processes together: entries added up, digests of transactions
    made."""

    entries: int = 0
    transactions: int = 0
    sums: Spent = field(default_factory=Spent)
    digests: Spent = field(default_factory=Spent)

    def add(self, other: "Work") -> None:
        self.entries += other.entries
        self.transactions += other.transactions
        self.sums.add(other.sums)
        self.digests.add(other.digests)


@dataclass(frozen=True)
class _Part:
    """Rows of one kind, after one primary key up to another."""

    what: str
    low: Any = None
    high: Any = None


@dataclass
class _Outcome:
    """The findings of a process in its part."""

    what: str
    count: int = 0
    faults: list[str] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    error: Exception | None = None


def faults(
    progress: Progress = lambda what, count: None, *, processes: int = 1, work: Work | None = None
) -> Iterator[str]:
    """Yield every fault, as a sentence that names the row.

    Args:
        progress: is told what is checked, and how much so far.
        processes: how many share the work; 1 is this one.
        work: is filled in.

    Raises:
        ValueError, TypeError: a row cannot be read at all; earlier findings were named.
        Error: the database did not answer.
        BrokenExecutor: a process that shares the work was killed.
    """
    counts: Counter[str] = Counter()

    def told(what: str, count: int) -> None:
        counts[what] += count
        progress(what, counts[what])

    work = work if work is not None else Work()
    if wrong := currency_record.fault():
        yield wrong
    if processes == 1:
        for part in _parts():
            yield from _faults_of(part, partial(told, part.what), work)
        return
    for outcome in spread(_looked_at, _parts(), processes=processes):
        work.add(outcome.work)
        if outcome.count:
            told(outcome.what, outcome.count)
        yield from outcome.faults
        if outcome.error:
            raise outcome.error


def _parts() -> Iterator[_Part]:
    """Yield all parts to check, cut on the way; rows written meanwhile are left for the next run."""
    yield from _cut("accounts", BankAccount.objects.all(), _ACCOUNTS)
    yield from _cut("transactions", Transaction.objects.all(), _SLICE)
    yield from _cut("entries", Entry.objects.all(), _SLICE)
    yield from _cut("orders", TransferOrder.objects.all(), _SLICE)
    yield _Part("payees")


def _cut(what: str, rows: "QuerySet[Any]", size: int) -> Iterator[_Part]:
    part = _Part(what)
    try:
        for low, high in ranges(rows, size=size):
            part = _Part(what, low, high)
            yield part
    except evidence.UNREADABLE:
        # A key that is not one: reading the rest row by row names what is before it.
        yield _Part(what, part.high, None)


def _looked_at(part: _Part) -> _Outcome:
    """Return the same in a process that shares the work: all findings until it ended or failed."""
    outcome = _Outcome(part.what)

    def told(count: int) -> None:
        outcome.count += count

    try:
        outcome.faults.extend(_faults_of(part, told, outcome.work))
    except (Error, TypeError, ValueError) as error:
        # A new one: the content of a driver's error does not always get through to another process.
        outcome.error = type(error)(str(error))
    return outcome


def _faults_of(part: _Part, told: Told, work: Work) -> Iterator[str]:
    return _LOOKS[part.what](part, told, work)


def _faults_of_accounts(part: _Part, told: Told, work: Work) -> Iterator[str]:
    rows = within(BankAccount.objects.all(), part.low, part.high)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    try:
        with work.sums.measured():
            accounts = soundness.with_ends(rows)
            unsound = soundness.not_adding_up(accounts)
        unsound |= soundness.not_found_or_held_otherwise(accounts)
        unsound |= soundness.frozen_otherwise(accounts)
        work.entries += sum(account.newest for account in accounts)
    except _UNPROVEN as error:
        _log(part, error)
        unsound = set(ids)
    for pk in ids:
        if pk in unsound:
            yield from row_by_row.faults_of_account(pk)
        told(1)


def _faults_of_transactions(part: _Part, told: Told, work: Work) -> Iterator[str]:
    rows = within(Transaction.objects.all(), part.low, part.high)
    slices = [evidence.Slice(part.low, part.high, 0, is_sound=False)]
    try:
        with work.sums.measured():
            are_sound = soundness.sums_are_sound(rows)
        if are_sound:
            with work.digests.measured():
                slices = list(evidence.slices(part.low, part.high))
    except _UNPROVEN as error:
        _log(part, error)
    for one in slices:
        if not one.is_sound:
            yield from row_by_row.faults_of_transactions(within(rows, one.low, one.high), told)
        else:
            told(one.count)
        work.transactions += one.count


def _faults_of_orders(part: _Part, told: Told, work: Work) -> Iterator[str]:
    rows = within(TransferOrder.objects.all(), part.low, part.high)
    try:
        are_sound = soundness.orders_are_sound(rows)
    except _UNPROVEN as error:
        _log(part, error)
        are_sound = False
    if are_sound:
        told(rows.count())
    else:
        yield from row_by_row.faults_of_orders(rows, told)


def _orphans(part: _Part, told: Told, work: Work) -> Iterator[str]:
    entries = within(Entry.objects.all(), part.low, part.high)
    if not soundness.have_their_rows(entries):
        yield from row_by_row.orphans(entries)


def _payees(part: _Part, told: Told, work: Work) -> Iterator[str]:
    return row_by_row.payees_never_paid()


_LOOKS: dict[str, Callable[[_Part, Told, Work], Iterator[str]]] = {
    "accounts": _faults_of_accounts,
    "transactions": _faults_of_transactions,
    "entries": _orphans,
    "orders": _faults_of_orders,
    "payees": _payees,
}


def _log(part: _Part, error: Exception) -> None:
    logger.warning("The %s from %s to %s are read row by row: %s", part.what, part.low, part.high, error)
