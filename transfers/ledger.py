"""The ledger: the one place where money moves (R3.1, R3.4).

Double entry: a transaction has a debit for every credit, so money is neither made nor lost. Accounts that the
bank owes to (customers' accounts, fees) grow by credits; what it has or spends (cash, interest) by debits.
Rows are locked by id, lowest first, everywhere; amounts are whole minor units inside this module.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db import OperationalError, connection

from accounts.models import CUSTOMER_KINDS, DEBIT_NORMAL_KINDS, AccountStatus, BankAccount, User
from accounts.money import from_minor, to_minor
from transfers.identifiers import new_reference, uuid7
from transfers.models import Direction, Entry, Transaction, TransactionKind
from transfers.prepared import PreparedInsert, PreparedSelect, PreparedUpdate
from transfers.refusals import Refusal


class InsufficientFunds(Refusal):
    """An account would have less than is held on it, or less than nothing."""

    code = "insufficient_funds"
    text = "There is not enough money available in this account."


class AccountNotActive(Refusal):
    """A frozen or closed account: no money moves in or out (R2.3)."""

    code = "account_not_active"
    text = "This account is not active, so no money can move in or out of it."

    def __init__(self, account_id: int) -> None:
        super().__init__()
        self.account_id = account_id


class BalanceTooLarge(Refusal):
    """An account would hold more than the ledger can add up without overflow."""

    code = "balance_too_large"
    text = "This account cannot take an amount this large."


class UnbalancedTransaction(ValueError):
    """The legs do not make a transaction. A fault of the caller, never of a customer."""


# A tenth of what the 64-bit columns hold, so that no sum of a few can overflow.
MAX_BALANCE_MINOR = 9 * 10**17


@dataclass(frozen=True)
class Leg:
    """One side of a movement: a positive amount, in major units, debited or credited to an account."""

    account_id: int
    direction: Direction
    amount: Decimal


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

    @property
    def digest(self) -> str:
        """SHA-256 over the transaction and its entries: the audit log keeps it, so a rewritten ledger shows (R6.3)."""
        head = [
            str(self.transaction_id),
            self.kind,
            self.reference,
            self.amount,
            self.description,
            self.initiated_by_id,
            str(self.reverses_id or ""),
            self.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        ]
        entries = [
            [entry.account_id, entry.direction, entry.amount, entry.balance_after, entry.sequence]
            for entry in sorted(self.entries, key=lambda entry: (entry.account_id, entry.sequence))
        ]
        # JSON: no description can be written so that two different transactions have one text.
        return hashlib.sha256(json.dumps([head, entries]).encode()).hexdigest()


_lock_accounts = PreparedSelect(
    lambda ids: (
        BankAccount.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update()
        .values_list("pk", "kind", "status", "balance", "held", "last_sequence")
    )
)
# The old sequence stands in the WHERE: were a lock ever not held, the second writer would change no row.
_set_balance = PreparedUpdate(
    BankAccount, set_fields=["balance", "last_sequence"], where_fields=["pk", "last_sequence"]
)
_insert_transaction = PreparedInsert(
    Transaction,
    ["id", "kind", "amount", "description", "reference", "initiated_by", "reverses", "created_at"],
)
_insert_entries = PreparedInsert(
    Entry, ["transaction", "account", "direction", "amount", "balance_after", "sequence", "posted_at"]
)


def transfer_legs(*, debit: int, credit: int, amount: Decimal) -> list[Leg]:
    """The two legs of moving `amount`: debited to one account, credited to the other."""
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

    Runs inside the caller's transaction, which holds the locks until it commits.

    Raises:
        InsufficientFunds, AccountNotActive: nothing was written.
        UnbalancedTransaction: debits and credits differ, an amount is not positive, an account comes twice.
        OperationalError: another transaction got between; the caller's retry repeats the whole.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("The ledger is posted to inside a transaction only.")
    amount = _balanced_amount(legs)
    rows = _lock_accounts.rows(sorted(leg.account_id for leg in legs))
    if len(rows) != len(legs):
        raise UnbalancedTransaction("A leg names an account that does not exist.")
    by_account = {leg.account_id: leg for leg in legs}
    entries = tuple(_entry(by_account[row[0]], *row) for row in rows)

    for entry in entries:
        changed = _set_balance.execute([entry.balance_after, entry.sequence, entry.account_id, entry.sequence - 1])
        if changed != 1:
            raise OperationalError("could not serialize: the account was posted to without its lock")
    posting = Posting(
        transaction_id=uuid7(at),
        kind=kind.value,
        reference=new_reference(),
        amount=amount,
        description=description,
        initiated_by_id=initiated_by.pk,
        reverses_id=reverses.pk if reverses else None,
        created_at=at,
        entries=entries,
    )
    _write(posting)
    return posting


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


def _entry(leg: Leg, pk: int, kind: str, status: str, balance: int, held: int, last_sequence: int) -> PostedEntry:
    """The entry that `leg` becomes on the locked row; the refusals that depend on the row."""
    if status != AccountStatus.ACTIVE:
        raise AccountNotActive(pk)
    grows = (leg.direction == Direction.DEBIT) == (kind in DEBIT_NORMAL_KINDS)
    amount = to_minor(leg.amount)
    balance_after = balance + (amount if grows else -amount)
    if kind in CUSTOMER_KINDS and not grows and balance_after < held:
        raise InsufficientFunds
    if abs(balance_after) > MAX_BALANCE_MINOR:
        raise BalanceTooLarge
    return PostedEntry(pk, leg.direction.value, amount, balance_after, last_sequence + 1)


def _write(posting: Posting) -> None:
    _insert_transaction.execute(
        [
            (
                posting.transaction_id,
                posting.kind,
                from_minor(posting.amount),
                posting.description,
                posting.reference,
                posting.initiated_by_id,
                posting.reverses_id,
                posting.created_at,
            )
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
            for entry in posting.entries
        ]
    )


def signed_amount(entry: Entry) -> Decimal:
    """What the entry did to its account's balance: positive in, negative out (major units)."""
    grows = (entry.direction == Direction.DEBIT) == (entry.account.kind in DEBIT_NORMAL_KINDS)
    return entry.amount if grows else -entry.amount
