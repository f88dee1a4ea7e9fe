"""Does the ledger still say what the audit log says that it said (R6.3)? Asked by `verify_audit_log`.

An entry that reports a movement carries the digest of its transaction and their entries. Here the digest is
computed again from the ledger's rows, so that a ledger which was rewritten in step, balances and all, shows. The
other way round, whether each movement is reported, `verify_ledger` asks (`transfers.ledger.verification`).

Whoever can write an audit entry chooses its subject: nothing here takes it for an id before it was read as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from audit.models import AuditEntry
from foundation.money import to_minor
from transfers.ledger.posting import PostedEntry, Posting
from transfers.models import Entry, Transaction, TransferOrder

_MISSING = {
    "transferorder": "order {} or its transaction is missing",
    "transaction": "transaction {} is missing",
}


def faults(entries: Sequence[AuditEntry]) -> dict[int, str]:
    """What is wrong, by entry id, with audit entries that report the movement of an order; three statements."""
    ids = _subject_ids(entries)
    orders = dict(TransferOrder.objects.filter(public_id__in=set(ids.values())).values_list("public_id", "transaction"))
    return _compared(entries, ids, {pk: orders.get(order_id) for pk, order_id in ids.items()})


def faults_of_transactions(entries: Sequence[AuditEntry]) -> dict[int, str]:
    """What is wrong, by entry id, with audit entries that report a movement without an order, such as a reversal; two
    statements."""
    ids = _subject_ids(entries)
    return _compared(entries, ids, ids)


def _subject_ids(entries: Sequence[AuditEntry]) -> dict[int, UUID]:
    """The ids of what the entries report, by entry id; of those alone that name one as `record()` writes it."""
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
    postings = _postings({pk for pk in transaction_ids.values() if pk is not None})
    found: dict[int, str] = {}
    for entry in entries:
        posting = postings.get(transaction_ids.get(entry.pk))
        if entry.pk not in ids:
            found[entry.pk] = "its subject is no id"
        elif posting is None:
            found[entry.pk] = _MISSING[entry.subject_type].format(entry.subject_id)
        elif posting.digest != entry.evidence_digest:
            found[entry.pk] = f"transaction {posting.transaction_id} or its entries were rewritten"
    return found


def _postings(transaction_ids: Iterable[UUID]) -> dict[UUID | None, Posting]:
    """The postings as the ledger's rows have them now."""
    ids = list(transaction_ids)
    entries: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(transaction__in=ids):
        entries[entry.transaction_id].append(entry)
    return {row.pk: posting_of(row, entries[row.pk]) for row in Transaction.objects.filter(pk__in=ids)}


def posting_of(row: Transaction, entries: Iterable[Entry]) -> Posting:
    """A transaction as its rows have it now; what was not altered has the digest that it was posted with."""
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
