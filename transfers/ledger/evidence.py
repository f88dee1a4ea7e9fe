"""Check that the ledger still says what the audit log recorded (R6.3). Used by `verify_audit_log`.

An entry that reports a movement carries the digest of its transaction and their entries. Here the digest is computed
again from the ledger's rows, which reveals a ledger that was rewritten consistently, with its balances. The other way
round, `verify_ledger` checks that each movement is reported (`are_reported`).

An intruder who can write an audit entry chooses its subject: nothing here uses it as an id before it was parsed as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, CharField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Cast

from audit.models import AuditEntry
from foundation.money import to_minor
from foundation.slices import within
from transfers.ledger.digests import entry_text, movement_digest
from transfers.ledger.posting import PostedEntry, Posting
from transfers.models import Entry, Transaction, TransactionKind, TransferOrder

# Without its order, a repeated request would move the money again.
ORDERED_KINDS = (TransactionKind.DEPOSIT, TransactionKind.WITHDRAWAL, TransactionKind.TRANSFER)

# Errors of columns that hold a value which the bank never writes; SQLite takes any text for a number.
UNREADABLE = (TypeError, ValueError)

_MISSING = {
    "transferorder": "order {} or its transaction is missing",
    "transaction": "transaction {} is missing",
}


def faults(entries: Sequence[AuditEntry]) -> dict[int, str]:
    """Return what is wrong, by entry id, with audit entries that report the movement of an order; three statements."""
    ids = _subject_ids(entries)
    orders = dict(TransferOrder.objects.filter(public_id__in=set(ids.values())).values_list("public_id", "transaction"))
    return _compared(entries, ids, {pk: orders.get(order_id) for pk, order_id in ids.items()})


def faults_of_transactions(entries: Sequence[AuditEntry]) -> dict[int, str]:
    """Return what is wrong, by entry id, with audit entries that report a movement without an order, such as a
    reversal; two statements."""
    ids = _subject_ids(entries)
    return _compared(entries, ids, ids)


def _subject_ids(entries: Sequence[AuditEntry]) -> dict[int, UUID]:
    """Return the ids of the subjects, by entry id; only of entries that name one as `record()` writes it."""
    found: dict[int, UUID] = {}
    for entry in entries:
        try:
            subject_id = UUID(entry.subject_id)
        except ValueError:
            continue
        if str(subject_id) == entry.subject_id:
            found[entry.pk] = subject_id
    return found


def _compared(
    entries: Sequence[AuditEntry], ids: Mapping[int, UUID], transaction_ids: Mapping[int, UUID | None]
) -> dict[int, str]:
    try:
        known = _digests_of({pk for pk in transaction_ids.values() if pk is not None})
    except UNREADABLE:
        known = {}
    # A movement that differs from its report is read again by its rows, which say what is wrong with it.
    rest = [entry for entry in entries if known.get(str(transaction_ids.get(entry.pk))) != entry.evidence_digest]
    postings = _postings({pk for entry in rest if (pk := transaction_ids.get(entry.pk)) is not None})
    found: dict[int, str] = {}
    for entry in rest:
        posting = postings.get(transaction_ids.get(entry.pk))
        if entry.pk not in ids:
            found[entry.pk] = "its subject is no id"
        elif posting is None:
            found[entry.pk] = _MISSING[entry.subject_type].format(entry.subject_id)
        elif posting.digest != entry.evidence_digest:
            found[entry.pk] = f"transaction {posting.transaction_id} or its entries were rewritten"
    return found


def _postings(transaction_ids: Iterable[UUID]) -> dict[UUID | None, Posting]:
    """Return the postings as the ledger's rows have them now."""
    ids = list(transaction_ids)
    entries: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(transaction__in=ids):
        entries[entry.transaction_id].append(entry)
    return {row.pk: posting_of(row, entries[row.pk]) for row in Transaction.objects.filter(pk__in=ids)}


def posting_of(row: Transaction, entries: Iterable[Entry]) -> Posting:
    """Return a transaction as it is in its rows now; an unaltered one has the digest that it was posted with."""
    return Posting(
        transaction_id=row.pk,
        kind=row.kind,
        reference=row.reference,
        amount=to_minor(row.amount),
        description=row.description,
        initiated_by_id=row.initiated_by_id,
        reverses_id=row.reverses_id,
        created_at=row.created_at,
        entries=tuple(
            PostedEntry(
                entry.account_id,
                entry.direction,
                to_minor(entry.amount),
                to_minor(entry.balance_after),
                entry.sequence,
            )
            for entry in entries
        ),
    )


# --- Many at once -------------------------------------------------------------------------------------------

# SQL Server takes 2,100 parameters in one statement.
_DIGESTED = 1_000

_Row = tuple[Any, ...]


@dataclass(frozen=True)
class Slice:
    """Transactions after one key, or from the first, up to another, or to the last."""

    low: UUID | None
    high: UUID | None
    count: int
    is_sound: bool


def slices(low: UUID | None, high: UUID | None) -> Iterator[Slice]:
    """Yield the transactions of a range, some at a time, and whether the audit log reports each once, unaltered, and by
    its order if it must have one.

    Raises:
        one of UNREADABLE
    """
    while heads := list(_heads(within(Transaction.objects.all(), low, high))[:_DIGESTED]):
        last = UUID(heads[-1][0])
        yield Slice(low, last, len(heads), _are_reported(heads, low, last))
        low = last


def _are_reported(heads: list[_Row], low: UUID | None, high: UUID) -> bool:
    digests = _digests(heads, within(Entry.objects.all(), low, high, by="transaction"))
    pairs = within(TransferOrder.objects.all(), low, high, by="transaction")
    orders: dict[str, str] = {}
    for transaction_id, public_id in pairs.values_list(_text("transaction"), _text("public_id")):
        if transaction_id in orders:
            return False
        orders[transaction_id] = _with_dashes(public_id)
    expected: dict[str, dict[str, str]] = {"transferorder": {}, "transaction": {}}
    for key, kind, *_ in heads:
        if key in orders:
            expected["transferorder"][orders[key]] = digests[key]
        elif kind in ORDERED_KINDS:
            return False
        else:
            expected["transaction"][_with_dashes(key)] = digests[key]
    # Fewer if two belong to one order.
    complete = sum(map(len, expected.values())) == len(heads)
    return complete and all(_once(of_type, wanted) for of_type, wanted in expected.items() if wanted)


def _once(subject_type: str, expected: Mapping[str, str]) -> bool:
    """Return whether exactly one audit entry about each subject has the expected digest."""
    entries = AuditEntry.objects.filter(subject_type=subject_type, subject_id__in=list(expected))
    found = [
        subject_id
        for subject_id, digest in entries.exclude(evidence_digest="").values_list("subject_id", "evidence_digest")
        if expected.get(subject_id) == digest
    ]
    return len(found) == len(set(found)) == len(expected)


def _digests_of(transaction_ids: Iterable[UUID]) -> dict[str, str]:
    """Return the digests of these transactions as the ledger's rows have them now, by their ids."""
    ids = list(transaction_ids)
    heads = list(_heads(Transaction.objects.filter(pk__in=ids)))
    digests = _digests(heads, Entry.objects.filter(transaction__in=ids))
    return {_with_dashes(key): digest for key, digest in digests.items()}


def _heads(transactions: "QuerySet[Transaction]") -> "QuerySet[Transaction, _Row]":
    """Return what the digests cover of the transactions themselves, in order. Keys are texts and amounts are raw:
    Django's conversion costs more than the digest."""
    return transactions.order_by("pk").values_list(
        *(_text("pk"), "kind", "reference", _minor("amount"), "description", "initiated_by"),
        *(_text("reverses"), "created_at"),
    )


def _digests(heads: Iterable[_Row], entries: "QuerySet[Entry]") -> dict[str, str]:
    """Return the digests of transactions, by their keys as the engine writes them; `entries` are all of theirs."""
    texts: dict[str, list[str]] = defaultdict(list)
    rows = entries.order_by("transaction_id", "account_id", "sequence")
    columns = ("account", "direction", _minor("amount"), _minor("balance_after"), "sequence")
    for key, *entry in rows.values_list(_text("transaction"), *columns):
        texts[key].append(entry_text(*entry))
    return {
        key: movement_digest(
            *(_with_dashes(key), kind, reference, amount, description, initiated_by, _with_dashes(reverses or "")),
            *(created_at, texts[key]),
        )
        for key, kind, reference, amount, description, initiated_by, reverses, created_at in heads
    }


def _text(column: str) -> Any:
    """Return a key as the engine writes it: with dashes on PostgreSQL, without them on the others."""
    return Cast(column, CharField(max_length=36))


def _with_dashes(key: str) -> str:
    """Return the key as Python writes it."""
    if len(key) != 32:
        return key
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"


def _minor(column: str) -> Any:
    """Return money in minor units, as in the column."""
    return ExpressionWrapper(F(column), output_field=BigIntegerField())
