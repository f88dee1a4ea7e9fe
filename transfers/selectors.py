"""What a user may see of accounts and money, with the joins made (nouns; they write nothing)."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.urls import reverse
from django.utils import timezone

from accounts import limiter
from accounts.encryption import DecryptionFailed
from accounts.models import AccountKind, AccountStatus, BankAccount, User
from accounts.services import bank_accounts
from transfers import limits
from transfers.ledger import signed_amount
from transfers.models import CustomerLimit, Entry, OrderKind, OrderState, TransferOrder
from transfers.names import short_name
from transfers.services.sending import PayeeCannotReceive

logger = logging.getLogger(__name__)

PAGE_ROWS = 25
RECENT_ROWS = 5


@dataclass(frozen=True)
class EntryRow:
    """One line of an account's history. `amount` is signed: what it did to the balance."""

    posted_at: datetime
    sequence: int
    label: str
    kind_label: str
    description: str
    counterpart: str
    amount: Decimal
    balance_after: Decimal
    reference: str
    receipt_url: str | None

    @property
    def direction_word(self) -> str:
        return "in" if self.amount > 0 else "out"


@dataclass(frozen=True)
class HistoryPage:
    """Rows, newest first, and the sequences to go on from in either direction (None: nothing there)."""

    rows: list[EntryRow]
    older_than: int | None
    newer_than: int | None


@dataclass(frozen=True)
class DailyUse:
    """Today's payments out, in major units."""

    limit: Decimal
    used: Decimal

    @property
    def remaining(self) -> Decimal:
        return max(self.limit - self.used, Decimal(0))


@dataclass(frozen=True)
class Receipt:
    """What is shown and printed of an order, to the one who gave it or the one who was paid."""

    reference: str
    kind_label: str
    amount: Decimal
    at: datetime
    source_label: str
    source_number: str
    target_label: str
    target_number: str
    description: str
    status: str
    status_label: str
    initiated_by: str


def accounts_of(user: User, *, active_only: bool = False) -> list[BankAccount]:
    """The user's accounts: open ones first, in the order they were opened."""
    rows = BankAccount.objects.filter(owner=user)
    if active_only:
        rows = rows.filter(status=AccountStatus.ACTIVE)
    closed_last = Case(When(status=AccountStatus.CLOSED, then=Value(1)), default=Value(0), output_field=IntegerField())
    return list(rows.order_by(closed_last, "opened_at", "id"))


def account_of(user: User, public_id: UUID) -> BankAccount:
    """One account of the user.

    Raises:
        BankAccount.DoesNotExist: also when it is somebody else's.
    """
    return BankAccount.objects.get(owner=user, public_id=public_id)


def payee_account(user: User, number: str) -> BankAccount:
    """The account with this number, to send money to. Look-ups are limited, or numbers could be tried out.

    Raises:
        InvalidAccountNumber: mistyped.
        PayeeCannotReceive: there is none, or it is not active.
        TooOften
    """
    limiter.take(f"payee:{user.pk}", limiter.Limit(settings.PAYEE_LOOKUPS_PER_HOUR, 3600))
    try:
        account = bank_accounts.find_by_number(number)
    except DecryptionFailed as error:
        logger.critical("A payment was stopped: %s", error)
        raise PayeeCannotReceive from error
    if account is None or (not account.is_active and account.owner_id != user.pk):
        raise PayeeCannotReceive
    return account


def daily_use(user: User) -> DailyUse:
    row = CustomerLimit.objects.filter(user=user).first()
    used = row.used if row is not None and row.day == timezone.localdate() else Decimal(0)
    return DailyUse(limits.daily_limit(row), used)


def recent_entries(accounts: Sequence[BankAccount], count: int = RECENT_ROWS) -> dict[int, list[EntryRow]]:
    """The last entries of each account, newest first, by account id; two queries for any number of accounts."""
    wanted = Q(pk__in=[])
    for account in accounts:
        wanted |= Q(account=account, sequence__gt=account.last_sequence - count)
    rows: dict[int, list[EntryRow]] = {account.pk: [] for account in accounts}
    entries = list(_entries_with_transactions().filter(wanted).order_by("account", "-sequence"))
    for entry, row in zip(entries, _entry_rows(entries), strict=True):
        rows[entry.account_id].append(row)
    return rows


def history_page(account: BankAccount, *, older_than: int | None = None, newer_than: int | None = None) -> HistoryPage:
    """One page of an account's history by its sequence: the deepest page costs what the first does."""
    entries = _entries_with_transactions().filter(account=account)
    if newer_than is not None:
        page = list(entries.filter(sequence__gt=newer_than).order_by("sequence")[:PAGE_ROWS])[::-1]
    else:
        if older_than is not None:
            entries = entries.filter(sequence__lt=older_than)
        page = list(entries.order_by("-sequence")[:PAGE_ROWS])
    return HistoryPage(
        rows=_entry_rows(page),
        # Sequences have no gaps, so the ends are known without asking: 1 and the account's last.
        older_than=page[-1].sequence if page and page[-1].sequence > 1 else None,
        newer_than=page[0].sequence if page and page[0].sequence < account.last_sequence else None,
    )


def receipt_for(user: User, public_id: UUID) -> Receipt:
    """The receipt of an order, for either side of it.

    Raises:
        TransferOrder.DoesNotExist: also when the order is between others.
    """
    order = TransferOrder.objects.select_related("source__owner", "target__owner", "transaction", "initiator").get(
        Q(source__owner=user) | Q(target__owner=user), public_id=public_id
    )
    if order.transaction is None and order.source.owner_id != user.pk:
        raise TransferOrder.DoesNotExist  # nothing has reached the other side
    return Receipt(
        reference=order.transaction.reference if order.transaction else "",
        kind_label=OrderKind(order.kind).label,
        amount=order.amount,
        at=order.created_at,
        source_label=_side_label(order.source, user),
        source_number=order.source.masked_number,
        target_label=_side_label(order.target, user),
        target_number=order.target.masked_number,
        description=order.description,
        status=order.state,
        status_label=OrderState(order.state).label,
        initiated_by=_person_label(order.initiator, user),
    )


def _entries_with_transactions() -> QuerySet[Entry]:
    return Entry.objects.select_related("transaction", "account")


def _entry_rows(entries: Sequence[Entry]) -> list[EntryRow]:
    """The rows, with one query for all counterparts and one for all orders."""
    transaction_ids = [entry.transaction_id for entry in entries]
    others: dict[UUID, list[Entry]] = {}
    for other in Entry.objects.filter(transaction__in=transaction_ids).select_related("account__owner"):
        others.setdefault(other.transaction_id, []).append(other)
    orders = dict(
        TransferOrder.objects.filter(transaction__in=transaction_ids).values_list("transaction_id", "public_id")
    )
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
        sequence=entry.sequence,
        label=f"{kind_label} {word} {names[0]}" if names else kind_label,
        kind_label=kind_label,
        description=entry.transaction.description,
        counterpart=customers[0].masked_number if customers else "",
        amount=amount,
        balance_after=entry.balance_after,
        reference=entry.transaction.reference,
        receipt_url=reverse("receipt", args=[order_id]) if order_id else None,
    )


def _counterpart_label(account: BankAccount, mine: BankAccount) -> str:
    if account.owner is None:
        return account.kind_label
    return account.display_name if account.owner_id == mine.owner_id else short_name(account.owner)


def _side_label(account: BankAccount, viewer: User) -> str:
    if account.owner is None:
        return AccountKind(account.kind).label
    return account.display_name if account.owner_id == viewer.pk else short_name(account.owner)


def _person_label(person: User, viewer: User) -> str:
    return person.get_full_name() if person.pk == viewer.pk else short_name(person)
