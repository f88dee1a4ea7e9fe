"""What happened on accounts: rows to show, the latest ones, and an account's pages."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.formats import date_format

from accounts.models import AccountStatus, BankAccount, User
from foundation.compiled import Select
from foundation.keys.encryption import Sealed
from foundation.paging import CompiledPages, Cursor, Page
from transfers.ledger.posting import signed_amount
from transfers.models import Entry, Payee, TransactionKind
from transfers.names import SeenName, payee_read_by_payer
from transfers.periods import day_of

PAGE_ROWS = 25
RECENT_ROWS = 5

_KIND_LABELS = {kind.value: kind.label for kind in TransactionKind}


@dataclass(frozen=True)
class EntryRow:
    """One line of an account's history. `amount` is signed: the change of the balance."""

    posted_at: datetime
    account_id: UUID
    sequence: int
    label: str
    kind: str
    kind_label: str
    description: str
    counterpart: str  # its masked number
    counterpart_name: str  # of the day; if the payee's name was not confirmed, what was typed
    counterpart_confirmed: bool
    counterpart_label: str  # what the customer calls them
    amount: Decimal
    balance_after: Decimal
    reference: str
    order_id: UUID | None
    account_label: str
    account_number: str  # masked
    reversed_at: datetime | None = None
    reversed_by: str = ""  # the reference of its reversal
    reverses: str = ""  # the reference of what it reverses

    @property
    def counterpart_in_words(self) -> str:
        """Return the other side, as a line shows it."""
        return str(SeenName(self.counterpart_name, self.counterpart_confirmed, self.counterpart_label))

    @property
    def direction_word(self) -> str:
        return "in" if self.amount > 0 else "out"

    @property
    def reversal_note(self) -> str:
        """Return the note that it was reversed, or what it reverses; usually "" (R3.15)."""
        if self.reversed_at is not None:
            return reversed_words(self.reversed_at, self.reversed_by)
        return f"Reverses {self.reverses}" if self.reverses else ""


def reversed_words(at: datetime, reference: str) -> str:
    """Return the words about a reversed movement, wherever it is shown."""
    return f"Reversed on {date_format(day_of(at))}, reference {reference}"


# The dashboard reads this for a customer's accounts, however many: no condition for each.
_recent: Select = Select(
    lambda owner, count: (
        entries_with_transactions()
        .filter(account__owner=owner, sequence__gt=F("account__last_sequence") - count)
        .exclude(account__status=AccountStatus.CLOSED)
        .order_by("account", "-sequence")
    ),
    BankAccount._meta.get_field("owner"),
    BigIntegerField(),
)


def recent_entries(user: User, count: int = RECENT_ROWS) -> dict[int, list[EntryRow]]:
    """Return the last entries of each of the user's accounts that has any and is not closed, newest first, by account
    id; two queries for any number of accounts."""
    rows: dict[int, list[EntryRow]] = {}
    entries = _recent.instances(user.pk, count)
    for entry, row in zip(entries, entry_rows(entries, user.pk), strict=True):
        rows.setdefault(entry.account_id, []).append(row)
    return rows


def history_page(account: BankAccount, *, after: Cursor | None = None, before: Cursor | None = None) -> Page[EntryRow]:
    """Return one page of an account's history by its sequence: the deepest page costs what the first does.

    Raises:
        InvalidCursor
    """
    page = _by_sequence.page(account.pk, after=after, before=before)
    return page.showing(entry_rows(page.items, account.owner_id))


def entry_of(user: User, account_id: UUID, sequence: int) -> EntryRow:
    """Return one movement on an account of the user, by the account's public id.

    Raises:
        Entry.DoesNotExist: also when it belongs to another customer.
    """
    entry = entries_with_transactions().get(account__owner=user, account__public_id=account_id, sequence=sequence)
    return entry_rows([entry], user.pk)[0]


def movement_referred_to(user: User, reference: str, *, account: UUID) -> tuple[UUID, int] | None:
    """Return where a movement on one of the user's accounts is shown: the account's public id and its sequence
    there."""
    mine = Entry.objects.filter(account__owner=user, account__public_id=account, transaction__reference=reference)
    return mine.values_list("account__public_id", "sequence").first()


def entries_with_transactions() -> QuerySet[Entry]:
    # Columns that are only searched in are not read.
    return Entry.objects.select_related("transaction").defer("transaction__search_text")


_by_sequence: CompiledPages = CompiledPages(
    Entry,
    lambda account: entries_with_transactions().filter(account=account),
    Entry._meta.get_field("account"),
    by=("sequence",),
    limit=PAGE_ROWS,
)


_NAMES = ("payer_name", "payee_name", "payee_name_typed", "name_check")


class _Side(NamedTuple):
    """An account's part in a transaction, with what is shown of it, and of the order of the transaction or of the one
    that it reverses, all None without one."""

    transaction_id: UUID
    entry_id: int
    order_id: UUID | None
    payer_account_id: int | None
    payer_name: str | None
    payee_name: str | None
    payee_name_typed: str | None
    name_check: str | None
    label: str | None  # what the reader calls the account's owner
    reversed_at: datetime | None
    reversed_by: str | None
    reverses: str | None
    first_name: str | None  # None: the bank's own account
    last_name: str | None
    account_id: int
    public_id: UUID
    owner_id: int | None
    kind: str
    nickname: str
    number: Sealed | None


def _of_order(column: str) -> Coalesce:
    """Return the column of the transaction's order; for a reversal, of the order that it reverses, whose names it
    keeps."""
    return Coalesce(F(f"transaction__orders__{column}"), F(f"transaction__reverses__orders__{column}"))


def _label_by(viewer: Any) -> Subquery:
    return Subquery(Payee.objects.filter(customer=viewer, account=OuterRef("account")).values("label"))


# A transaction has one order and one reversal at most, so the joins make no row twice.
_sides: Select = Select(
    lambda viewer, transactions: (
        Entry.objects.filter(transaction__in=transactions)
        .annotate(
            _order=F("transaction__orders__public_id"),
            _payer=_of_order("source_id"),
            **{f"_{column}": _of_order(column) for column in _NAMES},
            _label=_label_by(viewer),
            _reversed_at=F("transaction__reversals__created_at"),
            _reversed_by=F("transaction__reversals__reference"),
        )
        .values_list(
            "transaction_id",
            "pk",
            "_order",
            "_payer",
            *(f"_{column}" for column in _NAMES),
            "_label",
            "_reversed_at",
            "_reversed_by",
            "transaction__reverses__reference",
            "account__owner__first_name",
            "account__owner__last_name",
            "account_id",
            *(f"account__{name}" for name in ("public_id", "owner_id", "kind", "nickname", "number")),
        )
    ),
    Payee._meta.get_field("customer"),
    Entry._meta.get_field("transaction"),
    may_be_behind=True,
)
# For this many transactions sides are read at once: few statements, each compiled once.
_LENGTHS = (1, 5, 15, PAGE_ROWS, 100, 500)


def entry_rows(entries: Sequence[Entry], viewer_id: int | None) -> list[EntryRow]:
    """Return the rows as their owner reads them, with one query for all accounts, counterparts, names and orders."""
    sides: dict[UUID, list[_Side]] = defaultdict(list)
    accounts: dict[int, BankAccount] = {}
    for side in _sides_of([entry.transaction_id for entry in entries], viewer_id):
        sides[side.transaction_id].append(side)
        # One for all its rows: a sealed value is opened once.
        if side.account_id not in accounts:
            accounts[side.account_id] = _account_of(side)
    return [_entry_row(entry, sides[entry.transaction_id], accounts) for entry in entries]


def _sides_of(transaction_ids: list[UUID], viewer_id: int | None) -> Iterator[_Side]:
    most = _LENGTHS[-1]
    for start in range(0, len(transaction_ids), most):
        asked = transaction_ids[start : start + most]
        length = next(length for length in _LENGTHS if length >= len(asked))
        # Repeating the last one fills up: it says nothing new.
        yield from map(_Side._make, _sides.tuples(viewer_id, asked + asked[-1:] * (length - len(asked))))


def _account_of(side: _Side) -> BankAccount:
    return BankAccount(
        pk=side.account_id,
        public_id=side.public_id,
        owner_id=side.owner_id,
        kind=side.kind,
        nickname=side.nickname,
        number=side.number,  # type: ignore[misc]
    )


def _entry_row(entry: Entry, sides: Sequence[_Side], accounts: Mapping[int, BankAccount]) -> EntryRow:
    mine = entry.account = accounts[entry.account_id]
    amount = signed_amount(entry)
    other = next((side for side in sides if side.entry_id != entry.pk and side.owner_id is not None), None)
    seen = _seen(other, accounts, mine) if other else SeenName("")
    kind_label = _KIND_LABELS[entry.transaction.kind]
    return EntryRow(
        posted_at=entry.posted_at,
        account_id=mine.public_id,
        sequence=entry.sequence,
        label=f"{kind_label} {'from' if amount > 0 else 'to'} {seen}" if other else kind_label,
        kind=entry.transaction.kind,
        kind_label=kind_label,
        description=entry.transaction.description,
        counterpart=accounts[other.account_id].masked_number if other else "",
        counterpart_name=seen.name,
        counterpart_confirmed=seen.is_confirmed,
        counterpart_label=seen.label,
        amount=amount,
        balance_after=entry.balance_after,
        reference=entry.transaction.reference,
        order_id=sides[0].order_id,
        account_label=mine.display_name,
        account_number=mine.masked_number,
        reversed_at=sides[0].reversed_at,
        reversed_by=sides[0].reversed_by or "",
        reverses=sides[0].reverses or "",
    )


def _seen(side: _Side, accounts: Mapping[int, BankAccount], mine: BankAccount) -> SeenName:
    """Return the name that a customer reads for an account: its own name if it is theirs; otherwise the owner's name on
    the day, as `transfers.names` says. A movement without an order has only the present name."""
    if side.owner_id == mine.owner_id:
        return SeenName(accounts[side.account_id].display_name)
    label = side.label or ""
    if side.name_check is None:
        return SeenName(f"{side.first_name} {side.last_name}".strip(), label=label)
    if side.account_id == side.payer_account_id:
        return SeenName(side.payer_name or "", label=label)
    return payee_read_by_payer(side.payee_name or "", side.payee_name_typed or "", side.name_check, label)
