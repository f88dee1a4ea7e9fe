"""The ledger: the one place where money moves (R3.1, R3.4).

Double entry: a transaction has a debit for every credit, so money is neither made nor lost. Accounts of what the bank
owes or earns (customers' accounts, fees) grow by credits; of what it has or spends (cash, interest) by debits. Rows are
locked by id, lowest first, everywhere; amounts are whole minor units inside this module.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django.db import OperationalError, connection
from django.db.models import BigIntegerField

from accounts.models import CUSTOMER_KINDS, DEBIT_NORMAL_KINDS, AccountStatus, BankAccount, User
from foundation import currency_record
from foundation.compiled import Insert, Select, Update
from foundation.idempotency import uuid7
from foundation.locking import lock
from foundation.money import format_money, from_minor, to_minor
from foundation.refusals import Refusal
from foundation.text import folded
from transfers.ledger.digests import entry_text, movement_digest
from transfers.models import MAX_SEARCH_CHARS, Direction, Entry, Transaction, TransactionKind

# Crockford's base 32 without the look-alikes: people read references to each other on the phone.
_REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """Return a reference for customers to quote: `K7QP-9XDM-2FRT`, 60 random bits."""
    number = secrets.randbits(60)
    text = "".join([_REFERENCE_ALPHABET[number >> shift & 31] for shift in range(0, 60, 5)])
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


class InsufficientFunds(Refusal):
    """An account would have less than is held on it, or less than zero."""

    code = "insufficient_funds"
    text = "There is not enough money available in this account."


class AccountNotActive(Refusal):
    """A frozen or closed account: no money moves in or out (R2.3)."""

    code = "account_not_active"
    text = "This account is not active, so no money can move in or out of it."

    def __init__(self, account_id: int, text: str | None = None) -> None:
        super().__init__(text)
        self.account_id = account_id


class BalanceTooLarge(Refusal):
    """A customer's account would hold more than the ledger can add up without overflow."""

    code = "balance_too_large"

    def __init__(self, account_id: int, text: str | None = None) -> None:
        super().__init__(text or f"The balance of this account would be above {largest_balance()}.")
        self.account_id = account_id


class BankAccountFull(Refusal):
    """One of the bank's own accounts would hold more than its column can."""

    code = "bank_account_full"
    text = "One of the bank’s own accounts is full, so nothing was moved. Your account is fine: please tell us."


def largest_balance() -> str:
    """Return the most that a customer's account can hold, as people write it."""
    return f"{format_money(from_minor(MAX_BALANCE_MINOR))}, the most that one account can hold"


class UnbalancedTransaction(ValueError):
    """The legs do not make a transaction. The caller is at fault, never a customer."""


R = TypeVar("R")

_LOCKED_AT_ONCE = 500  # SQL Server takes 2,100 parameters in one statement

_UPDATED_ONE_BY_ONE = 8

# The most on a customer's account: a tenth of what the 64-bit columns hold, so that no sum of a few can overflow.
MAX_BALANCE_MINOR = 9 * 10**17
# The most on the bank's own accounts, which all customers share: the column's width, so that nobody can fill one.
MAX_BANK_BALANCE_MINOR = 2**63 - 1


@dataclass(frozen=True)
class Leg:
    """One side of a movement: a positive amount, in major units, debited or credited to an account."""

    account_id: int
    direction: Direction
    amount: Decimal


@dataclass(frozen=True)
class Planned:
    """A transaction to be posted; the fields are `post`'s arguments."""

    kind: TransactionKind
    legs: Sequence[Leg]
    initiated_by: User
    at: datetime
    description: str = ""
    reverses: Transaction | None = None


@dataclass(frozen=True)
class LockedAccount:
    """The columns of a locked account that the rules need; money in minor units."""

    kind: str
    status: str
    balance: int
    held: int
    last_sequence: int


@dataclass(frozen=True)
class PostedEntry:
    """An entry as written; amounts in minor units."""

    account_id: int
    direction: str
    amount: int
    balance_after: int
    sequence: int


@dataclass(frozen=True)
class Posting:
    """A transaction as written, with what its audit entry needs."""

    transaction_id: UUID
    kind: str
    reference: str
    amount: int
    description: str
    initiated_by_id: int
    reverses_id: UUID | None
    created_at: datetime
    entries: tuple[PostedEntry, ...]

    def as_row(self) -> Transaction:
        """Return the transaction as a reader of the row finds it."""
        return Transaction(
            id=self.transaction_id,
            kind=self.kind,
            amount=from_minor(self.amount),
            description=self.description,
            reference=self.reference,
            search_text=self.search_text,
            initiated_by_id=self.initiated_by_id,
            reverses_id=self.reverses_id,
            created_at=self.created_at,
        )

    @property
    def search_text(self) -> str:
        """Return the text that a search looks at. It follows from the row, so no digest covers it."""
        return folded(f"{self.reference}\n{self.description}", MAX_SEARCH_CHARS)

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the transaction and its entries: the audit log keeps it, so a rewritten ledger shows
        (R6.3)."""
        entries = sorted(self.entries, key=lambda entry: (entry.account_id, entry.sequence))
        return movement_digest(
            str(self.transaction_id),
            self.kind,
            self.reference,
            self.amount,
            self.description,
            self.initiated_by_id,
            str(self.reverses_id or ""),
            self.created_at,
            [
                entry_text(entry.account_id, entry.direction, entry.amount, entry.balance_after, entry.sequence)
                for entry in entries
            ],
        )


_lock_accounts = Select(
    lambda ids: (
        lock(BankAccount.objects)
        .filter(pk__in=ids)
        .order_by("pk")
        .values_list("pk", "kind", "status", "balance", "held", "last_sequence")
    ),
    BankAccount._meta.pk,
)
# The old sequence is in the WHERE: if a lock were ever not held, the second writer would change no row.
_set_balance = Update(
    lambda pk, sequence, balance, new_sequence: (
        BankAccount.objects.filter(pk=pk, last_sequence=sequence),
        {"balance": balance, "last_sequence": new_sequence},
    ),
    *(BankAccount._meta.pk, BigIntegerField(), BigIntegerField(), BigIntegerField()),
)
_insert_transaction = Insert(
    Transaction,
    ["id", "kind", "amount", "description", "reference", "search_text", "initiated_by", "reverses", "created_at"],
)
_insert_entries = Insert(
    Entry, ["transaction", "account", "direction", "amount", "balance_after", "sequence", "posted_at"]
)


def transfer_legs(*, debit: int, credit: int, amount: Decimal) -> list[Leg]:
    """Return the two legs of moving `amount`: debited to one account, credited to the other."""
    return [Leg(debit, Direction.DEBIT, amount), Leg(credit, Direction.CREDIT, amount)]


def post(
    *,
    kind: TransactionKind,
    legs: Sequence[Leg],
    initiated_by: User,
    at: datetime,
    description: str = "",
    reverses: Transaction | None = None,
) -> Posting:
    """Write one transaction and its entries, and set the balances; five statements for two accounts.

    It runs inside the caller's transaction, which holds the locks until it commits.

    Raises:
        InsufficientFunds, AccountNotActive, BalanceTooLarge, BankAccountFull: nothing was written.
        UnbalancedTransaction: debits and credits differ, an amount is not positive, an account is named twice.
        OperationalError: another transaction came in between; the caller's retry repeats everything.
    """
    planned = Planned(kind, legs, initiated_by, at, description, reverses)
    return post_many([planned])[0]


def post_many(planned: Sequence[Planned]) -> list[Posting]:
    """Write many transactions at once, in the order given: the same rules as `post`, all or nothing.

    Every account is locked, once, in order of id; each is updated once, to its last balance; rows are inserted in
    batches. So a thousand transactions cost tens of statements, not thousands. It runs inside the caller's transaction,
    which holds the locks until it commits: keep batches to some thousands.

    Raises:
        as `post` raises it, with a note that says which transaction it was; nothing was written.
    """
    return judge(planned).write()


def judge(planned: Sequence[Planned]) -> "Judged":
    """Lock the accounts and check every rule: `write()` then writes the result without refusing it.

    So a caller that records a refusal in the same transaction knows that nothing was written before it.

    Raises:
        as `post_many` raises it.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("The ledger is posted to inside a transaction only.")
    amounts = [_noted(number, _balanced_amount, one.legs) for number, one in enumerate(planned)]
    before = locked({leg.account_id for one in planned for leg in one.legs})
    now = dict(before)
    postings = [
        _noted(number, _plan, one, amount, now)
        for number, (one, amount) in enumerate(zip(planned, amounts, strict=True))
    ]
    return Judged(before, now, postings)


@dataclass(frozen=True)
class Judged:
    """Transactions that keep the rules, and the locked accounts before and after them."""

    before: dict[int, "LockedAccount"]
    now: dict[int, "LockedAccount"]
    postings: list[Posting]

    def write(self) -> list[Posting]:
        """Set the balances and insert the rows.

        Raises:
            OperationalError: another transaction came in between; the caller's retry repeats everything.
        """
        _set_balances(self.before, self.now)
        _write(self.postings)
        return self.postings


def _noted(number: int, step: Callable[..., R], *args: Any) -> R:
    """Run a step of one planned transaction; a refusal in it says which transaction it was."""
    try:
        return step(*args)
    except (Refusal, UnbalancedTransaction) as error:
        error.add_note(f"transaction {number} of the batch, counted from 0")
        raise


def locked(account_ids: set[int]) -> dict[int, LockedAccount]:
    """Return the accounts by id, locked lowest id first.

    Raises:
        UnbalancedTransaction: one does not exist.
        AnotherCurrency: the first lock in this process found that the money is at another scale (R2.7).
    """
    currency_record.verify_once()
    ids = sorted(account_ids)
    rows: list[tuple] = []
    for start in range(0, len(ids), _LOCKED_AT_ONCE):
        chunk = ids[start : start + _LOCKED_AT_ONCE]
        # Few different lengths, so few statements to compile: repeating the last id fills up.
        length = next(size for size in (1, 2, 8, 64, _LOCKED_AT_ONCE) if size >= len(chunk))
        rows += _lock_accounts.rows(chunk + chunk[-1:] * (length - len(chunk)))
    if len(rows) != len(ids):
        raise UnbalancedTransaction("A leg names an account that does not exist.")
    return {row[0]: LockedAccount(*row[1:]) for row in rows}


def _plan(planned: Planned, amount: int, accounts: dict[int, LockedAccount]) -> Posting:
    """Return the posting that `planned` becomes; `accounts` move on to the state after it."""
    entries = []
    for leg in sorted(planned.legs, key=lambda leg: leg.account_id):
        entry = _entry(leg, accounts[leg.account_id])
        accounts[leg.account_id] = replace(
            accounts[leg.account_id], balance=entry.balance_after, last_sequence=entry.sequence
        )
        entries.append(entry)
    return Posting(
        transaction_id=uuid7(planned.at),
        kind=planned.kind.value,
        reference=new_reference(),
        amount=amount,
        description=planned.description,
        initiated_by_id=planned.initiated_by.pk,
        reverses_id=planned.reverses.pk if planned.reverses else None,
        created_at=planned.at,
        entries=tuple(entries),
    )


def _set_balances(before: dict[int, LockedAccount], now: dict[int, LockedAccount]) -> None:
    changes = [
        (pk, before[pk].last_sequence, now[pk].balance, now[pk].last_sequence)
        for pk in before
        if now[pk].last_sequence != before[pk].last_sequence
    ]
    if len(changes) <= _UPDATED_ONE_BY_ONE:
        complete = all(_set_balance.execute(*change) == 1 for change in changes)
    else:
        _set_balance.execute_many(changes)
        complete = locked(set(before)) == now
    if not complete:
        raise OperationalError("could not serialize: an account was posted to without its lock")


def _balanced_amount(legs: Sequence[Leg]) -> int:
    totals = {Direction.DEBIT: 0, Direction.CREDIT: 0}
    for leg in legs:
        minor = to_minor(leg.amount)
        if minor <= 0:
            raise UnbalancedTransaction("A leg's amount is positive; its direction says which way.")
        totals[leg.direction] += minor
    if totals[Direction.DEBIT] != totals[Direction.CREDIT] or not legs:
        raise UnbalancedTransaction("Debits and credits differ.")
    if len({leg.account_id for leg in legs}) != len(legs):
        raise UnbalancedTransaction("An account comes twice.")
    return totals[Direction.DEBIT]


def _entry(leg: Leg, account: LockedAccount) -> PostedEntry:
    """Return the entry that `leg` becomes on the locked row; raise the refusals that depend on the row."""
    if account.status != AccountStatus.ACTIVE:
        raise AccountNotActive(leg.account_id)
    grows = (leg.direction == Direction.DEBIT) == (account.kind in DEBIT_NORMAL_KINDS)
    amount = to_minor(leg.amount)
    balance_after = account.balance + (amount if grows else -amount)
    if account.kind not in CUSTOMER_KINDS:
        if abs(balance_after) > MAX_BANK_BALANCE_MINOR:
            raise BankAccountFull
    elif not grows and balance_after < account.held:
        raise InsufficientFunds
    elif balance_after > MAX_BALANCE_MINOR:
        raise BalanceTooLarge(leg.account_id)
    return PostedEntry(leg.account_id, leg.direction.value, amount, balance_after, account.last_sequence + 1)


def _write(postings: Sequence[Posting]) -> None:
    _insert_transaction.execute(
        [
            (
                posting.transaction_id,
                posting.kind,
                from_minor(posting.amount),
                posting.description,
                posting.reference,
                posting.search_text,
                posting.initiated_by_id,
                posting.reverses_id,
                posting.created_at,
            )
            for posting in postings
        ]
    )
    _insert_entries.execute(
        [
            (
                posting.transaction_id,
                entry.account_id,
                entry.direction,
                from_minor(entry.amount),
                from_minor(entry.balance_after),
                entry.sequence,
                posting.created_at,
            )
            for posting in postings
            for entry in posting.entries
        ]
    )


def signed_amount(entry: Entry) -> Decimal:
    """Return the entry's change of its account's balance: positive in, negative out (major units)."""
    grows = (entry.direction == Direction.DEBIT) == (entry.account.kind in DEBIT_NORMAL_KINDS)
    return entry.amount if grows else -entry.amount
