"""What happened on accounts: rows to show, the last few, and an account's pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q, QuerySet

from accounts.models import BankAccount, User
from foundation.paging import Cursor, Page, page_of
from transfers.ledger.posting import signed_amount
from transfers.models import Entry
from transfers.payees.selectors import short_name

PAGE_ROWS = 25
RECENT_ROWS = 5


@dataclass(frozen=True)
class EntryRow:
    """One line of an account's history. `amount` is signed: what it did to the balance."""

    posted_at: datetime
    account_id: UUID
    sequence: int
    label: str
    kind: str
    kind_label: str
    description: str
    counterpart: str  # its masked number
    counterpart_name: str
    amount: Decimal
    balance_after: Decimal
    reference: str
    order_id: UUID | None
    account_label: str
    account_number: str  # masked

    @property
    def direction_word(self) -> str:
        return "in" if self.amount > 0 else "out"


def recent_entries(accounts: Sequence[BankAccount], count: int = RECENT_ROWS) -> dict[int, list[EntryRow]]:
    """The last entries of each account, newest first, by account id; two queries for any number of accounts."""
    wanted = Q(pk__in=[])
    for account in accounts:
        wanted |= Q(account=account, sequence__gt=account.last_sequence - count)
    rows: dict[int, list[EntryRow]] = {account.pk: [] for account in accounts}
    entries = list(entries_with_transactions().filter(wanted).order_by("account", "-sequence"))
    for entry, row in zip(entries, entry_rows(entries), strict=True):
        rows[entry.account_id].append(row)
    return rows


def history_page(account: BankAccount, *, after: Cursor | None = None, before: Cursor | None = None) -> Page[EntryRow]:
    """One page of an account's history by its sequence: the deepest page costs what the first does.

    Raises:
        InvalidCursor
    """
    entries = entries_with_transactions().filter(account=account)
    page = page_of(entries, by=("sequence",), after=after, before=before, limit=PAGE_ROWS)
    return page.showing(entry_rows(page.items))


def entry_of(user: User, account_id: UUID, sequence: int) -> EntryRow:
    """One movement on an account of the user, by the account's public id.

    Raises:
        Entry.DoesNotExist: also when it is somebody else's.
    """
    entry = entries_with_transactions().get(account__owner=user, account__public_id=account_id, sequence=sequence)
    return entry_rows([entry])[0]


def entries_with_transactions() -> QuerySet[Entry]:
    return Entry.objects.select_related("transaction", "account")


def entry_rows(entries: Sequence[Entry]) -> list[EntryRow]:
    """The rows, with one query for all counterparts and orders."""
    transaction_ids = [entry.transaction_id for entry in entries]
    others: dict[UUID, list[Entry]] = {}
    orders: dict[UUID, UUID | None] = {}
    # A transaction has one order at most, so the join makes no row twice.
    sides = Entry.objects.filter(transaction__in=transaction_ids).annotate(order=F("transaction__orders__public_id"))
    for side in sides.select_related("account__owner"):
        others.setdefault(side.transaction_id, []).append(side)
        orders[side.transaction_id] = side.order
    return [
        _entry_row(
            entry,
            [other.account for other in others[entry.transaction_id] if other.pk != entry.pk],
            orders.get(entry.transaction_id),
        )
        for entry in entries
    ]


def _entry_row(entry: Entry, counterparts: Iterable[BankAccount], order_id: UUID | None) -> EntryRow:
    amount = signed_amount(entry)
    customers = [account for account in counterparts if account.owner_id is not None]
    names = [_counterpart_label(account, entry.account) for account in customers]
    word = "from" if amount > 0 else "to"
    kind_label = entry.transaction.get_kind_display()
    return EntryRow(
        posted_at=entry.posted_at,
        account_id=entry.account.public_id,
        sequence=entry.sequence,
        label=f"{kind_label} {word} {names[0]}" if names else kind_label,
        kind=entry.transaction.kind,
        kind_label=kind_label,
        description=entry.transaction.description,
        counterpart=customers[0].masked_number if customers else "",
        counterpart_name=names[0] if names else "",
        amount=amount,
        balance_after=entry.balance_after,
        reference=entry.transaction.reference,
        order_id=order_id,
        account_label=entry.account.display_name,
        account_number=entry.account.masked_number,
    )


def _counterpart_label(account: BankAccount, mine: BankAccount) -> str:
    if account.owner is None:
        return account.kind_label
    return account.display_name if account.owner_id == mine.owner_id else short_name(account.owner)
