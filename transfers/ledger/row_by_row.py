"""Find what is wrong with these rows of the ledger: read them one by one, and name each one that is wrong.

Slow, and exact: `verification` calls it for rows that the database did not find sound (`soundness`), and it relies on
none of those findings.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet, Sum

from accounts import freezes
from accounts.models import DEBIT_NORMAL_KINDS, AccountStatus, BankAccount
from audit.models import AuditEntry
from foundation.keys.encryption import DecryptionFailed, lookup_digests
from foundation.locking import lock
from foundation.money import from_minor, to_minor
from foundation.slices import batches
from transfers.ledger.evidence import ORDERED_KINDS, posting_of
from transfers.ledger.holding import held_for_acts
from transfers.models import Direction, Entry, OrderKind, OrderState, Payee, Transaction, TransferOrder

COMPLETED = (OrderState.POSTED, OrderState.RELEASED)
# Is told how many more rows were read.
Told = Callable[[int], None]


def faults_of_account(pk: int) -> Iterator[str]:
    """Yield what is wrong with an account: with its number, its entries up to its sequence, its hold, its freezes."""
    # Read the newest entry before the account: then the account knows about it, however busy the bank is.
    newest = Entry.objects.filter(account=pk).aggregate(Max("sequence"))["sequence__max"] or 0
    account = BankAccount.objects.get(pk=pk)
    if newest > account.last_sequence:
        yield f"account {pk}: its last sequence is {account.last_sequence}, its last entry's {newest}"
    yield from _faults_of_number(account)
    yield from _faults_of_entries(account)
    yield from _faults_of_holds(account)
    yield from _faults_of_freezes(account)


def _faults_of_entries(account: BankAccount) -> Iterator[str]:
    """Yield faults of the entries: sequences run from 1 without a gap, each balance follows from the one before, the
    last is the account's."""
    balance, sequence = 0, 0
    entries = Entry.objects.filter(account=account, sequence__lte=account.last_sequence)
    for entry in (entry for batch in batches(entries, by="sequence") for entry in batch):
        sequence += 1
        if entry.sequence != sequence:
            yield f"account {account.pk}: entry with sequence {sequence} is missing before entry {entry.pk}"
            sequence = entry.sequence
        grows = (entry.direction == Direction.DEBIT) == (account.kind in DEBIT_NORMAL_KINDS)
        balance += to_minor(entry.amount) if grows else -to_minor(entry.amount)
        if to_minor(entry.balance_after) != balance:
            yield (
                f"entry {entry.pk} (account {account.pk}, sequence {entry.sequence}): balance after is "
                f"{entry.balance_after}, the entries add up to {from_minor(balance)}"
            )
            balance = to_minor(entry.balance_after)  # name the rows that are wrong, not all that follow
    if sequence != account.last_sequence:
        yield f"account {account.pk}: its last sequence is {account.last_sequence}, its last entry's {sequence}"
    if to_minor(account.balance) != balance:
        yield f"account {account.pk}: its balance is {account.balance}, its entries add up to {from_minor(balance)}"


def _faults_of_number(account: BankAccount) -> Iterator[str]:
    """Yield faults of the number: it opens for this row and this owner, and the digest that payments find it by is its
    own."""
    try:
        if not number_is_its_own(account):
            yield f"account {account.pk}: payments to another number would find it"
    except DecryptionFailed:
        yield f"account {account.pk}: its number does not open"


def number_is_its_own(account: BankAccount) -> bool:
    """Return whether payments to the account's number find the account; the bank's own accounts have no number.

    Raises:
        DecryptionFailed
    """
    return account.is_internal or account.number_digest in lookup_digests(account.number or "")


def _faults_of_holds(account: BankAccount) -> Iterator[str]:
    """Yield faults of the hold: it equals the sum of the waiting orders. If it seems not to, both are read again,
    locked."""
    if account.held == _waiting(account):
        return
    with transaction.atomic():
        held = lock(BankAccount.objects).get(pk=account.pk).held
        waiting = _waiting(account)
    if held != waiting:
        yield f"account {account.pk}: {held} is held, its waiting orders add up to {waiting}"


def _waiting(account: BankAccount) -> Decimal:
    # Nothing is set aside for a deposit.
    held = TransferOrder.objects.filter(source=account, state=OrderState.HELD).exclude(kind=OrderKind.DEPOSIT)
    ordered: Decimal = held.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    return ordered + held_for_acts(account.pk, account.pk).get(account.pk, Decimal(0))


def _faults_of_freezes(account: BankAccount) -> Iterator[str]:
    """Yield faults of the freezes: the account is frozen exactly while it has one. Both are read locked: a freeze
    writes both."""
    with transaction.atomic():
        status = lock(BankAccount.objects).get(pk=account.pk).status
        count = freezes.standing().filter(account=account).count()
    if (status == AccountStatus.FROZEN) != (count > 0):
        yield f"account {account.pk}: its status is {status}, and {count} freezes of it stand"


def faults_of_transactions(rows: "QuerySet[Transaction]", told: Told) -> Iterator[str]:
    """Yield faults of transactions: debits equal credits, and both the transaction's amount; kinds that only orders
    make have an order; and the audit log reports each, once."""
    for batch in batches(rows):
        ids = [row.pk for row in batch]
        entries = _entries_of(ids)
        orders = dict(TransferOrder.objects.filter(transaction__in=ids).values_list("transaction_id", "public_id"))
        for row in batch:
            if row.kind in ORDERED_KINDS and row.pk not in orders:
                yield f"transaction {row.pk}: its order is missing"
            yield from _faults_of_sums(row, entries[row.pk])
        yield from _faults_of_reports(batch, entries, orders)
        told(len(batch))


def _faults_of_sums(row: Transaction, entries: Iterable[Entry]) -> Iterator[str]:
    sides = {Direction.DEBIT.value: 0, Direction.CREDIT.value: 0}
    for entry in entries:
        if entry.direction in sides:
            sides[entry.direction] += to_minor(entry.amount)
        else:
            yield f"entry {entry.pk}: its direction is {entry.direction!r}"
    debits, credits = sides.values()
    if debits != credits:
        yield f"transaction {row.pk}: debits are {from_minor(debits)}, credits {from_minor(credits)}"
    elif debits != to_minor(row.amount):
        yield f"transaction {row.pk}: its amount is {row.amount}, its entries say otherwise"


def _faults_of_reports(
    batch: Iterable[Transaction], entries: Mapping[UUID | None, list[Entry]], orders: Mapping[UUID, UUID]
) -> Iterator[str]:
    """Yield faults of the reports: one audit entry with its digest reports each movement, about its order, or about
    itself where it has none. Looked up by subject, which has an index. A lost order was named already."""
    subjects = {
        row.pk: ("transferorder", str(orders[row.pk])) if row.pk in orders else ("transaction", str(row.pk))
        for row in batch
        if row.pk in orders or row.kind not in ORDERED_KINDS
    }
    reports = _reports(subjects.values())
    for row in batch:
        if row.pk not in subjects:
            continue
        count = reports[(*subjects[row.pk], posting_of(row, entries[row.pk]).digest)]
        if count == 0:
            yield f"transaction {row.pk}: no audit entry reports it as it is"
        elif count > 1:
            yield f"transaction {row.pk}: {count} audit entries report it"


def _reports(subjects: Iterable[tuple[str, str]]) -> Counter[tuple[str, str, str]]:
    """Return how many audit entries with evidence say the same about these subjects, by subject and digest; a statement
    for each type of subject."""
    ids: dict[str, list[str]] = defaultdict(list)
    for subject_type, subject_id in subjects:
        ids[subject_type].append(subject_id)
    return Counter(
        report
        for subject_type, subject_ids in ids.items()
        for report in AuditEntry.objects.filter(subject_type=subject_type, subject_id__in=subject_ids)
        .exclude(evidence_digest="")
        .values_list("subject_type", "subject_id", "evidence_digest")
    )


def orphans(entries: "QuerySet[Entry]") -> Iterator[str]:
    """Yield entries without their transaction or account: neither of the walks above meets them."""
    for model, name in ((Transaction, "transaction"), (BankAccount, "account")):
        known = model._default_manager.filter(pk=OuterRef(f"{name}_id"))
        for batch in batches(entries.filter(~Exists(known))):
            for entry in batch:
                yield f"entry {entry.pk}: its {name} is missing"


def faults_of_orders(rows: "QuerySet[TransferOrder]", told: Told) -> Iterator[str]:
    """Yield faults of orders: a completed order has its transaction, with its amount, from its source to its target;
    others have none."""
    for batch in batches(rows):
        ids = [order.transaction_id for order in batch if order.transaction_id]
        entries = _entries_of(ids)
        present = set(Transaction.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for order in batch:
            completed = order.state in COMPLETED
            if completed and order.transaction_id not in present:
                yield f"order {order.pk}: its transaction is missing"
            elif completed and _movements(entries[order.transaction_id]) != {
                (order.source_id, Direction.DEBIT.value, order.amount),
                (order.target_id, Direction.CREDIT.value, order.amount),
            }:
                yield f"order {order.pk}: its transaction moved something else"
            elif not completed and order.transaction_id is not None:
                yield f"order {order.pk}: it is {order.state} and has a transaction"
        told(len(batch))


def _movements(entries: list[Entry]) -> set[tuple[Any, ...]]:
    return {(entry.account_id, entry.direction, entry.amount) for entry in entries}


def _entries_of(transaction_ids: Iterable[UUID]) -> dict[UUID | None, list[Entry]]:
    entries: dict[UUID | None, list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(transaction__in=list(transaction_ids)):
        entries[entry.transaction_id].append(entry)
    return entries


def payees_never_paid() -> Iterator[str]:
    """Yield payees that no payment made: added, or changed to another account, so that they pass for known ones
    (R3.6)."""
    paid = TransferOrder.objects.filter(
        initiator=OuterRef("customer"), target=OuterRef("account"), kind=OrderKind.PAYMENT, transaction__isnull=False
    )
    for batch in batches(Payee.objects.filter(~Exists(paid))):
        for payee in batch:
            yield f"payee {payee.pk}: customer {payee.customer_id} has never paid account {payee.account_id}"
