"""Find out whether a slice of the ledger is sound: the database checks thousands of rows at a time, in constant memory.

Only a plain yes counts: rows that the database cannot add up, or Python cannot read, are not sound. `row_by_row` says
what is wrong, and with which row.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, Lag

from accounts import freezes
from accounts.models import DEBIT_NORMAL_KINDS, AccountStatus, BankAccount
from foundation.keys.encryption import DecryptionFailed
from foundation.slices import within
from transfers.ledger.holding import held_for_acts
from transfers.ledger.row_by_row import COMPLETED, number_is_its_own
from transfers.models import Direction, Entry, OrderKind, OrderState, Transaction, TransferOrder

# Entries of one account, or of several, that one statement compares with the ones before them.
_COMPARED = 100_000
# --- Accounts -----------------------------------------------------------------------------------------------


def with_ends(rows: "QuerySet[BankAccount]") -> list[Any]:
    """Return some hundreds of accounts, all of a range, in order: each with the sequence of its `newest` entry, and
    with the balance after the one that is its `last`."""
    entries = Entry.objects.filter(account=OuterRef("pk"))
    return list(
        rows.order_by("pk").annotate(
            newest=Coalesce(Subquery(entries.order_by("-sequence").values("sequence")[:1]), 0),
            last=Subquery(entries.filter(sequence=OuterRef("last_sequence")).values("balance_after")[:1]),
        )
    )


def not_adding_up(accounts: list[Any]) -> set[int]:
    """Return the accounts that differ from the end of their entries, or in which one entry does not follow from
    another."""
    found = {
        account.pk
        for account in accounts
        if account.newest != account.last_sequence or account.balance != (account.last if account.newest else 0)
    }
    for first, last, count in _runs(accounts):
        if count <= _COMPARED:
            entries = Entry.objects.filter(account__gte=first, account__lte=last)
            found.update(_not_following(entries).values_list("account", flat=True))
        elif not all(_pieces_follow(first)):
            found.add(first)
    return found


def not_found_or_held_otherwise(accounts: list[Any]) -> set[int]:
    """Return the accounts that payments to their number do not find, or that hold another amount than waits."""
    waiting = _waiting(accounts)
    return {account.pk for account in accounts if not _is_found(account) or account.held != waiting.get(account.pk, 0)}


def frozen_otherwise(accounts: list[Any]) -> set[int]:
    """Return the accounts whose status differs from their freezes."""
    rows = freezes.standing().filter(account__gte=accounts[0].pk, account__lte=accounts[-1].pk).order_by()
    frozen = set(rows.values_list("account", flat=True))
    return {account.pk for account in accounts if (account.status == AccountStatus.FROZEN) != (account.pk in frozen)}


def _waiting(accounts: list[Any]) -> dict[int, Decimal]:
    """Return the sum of the waiting orders of the accounts, and of everything else set aside on them, by account."""
    orders = TransferOrder.objects.filter(
        state=OrderState.HELD, source__gte=accounts[0].pk, source__lte=accounts[-1].pk
    ).exclude(kind=OrderKind.DEPOSIT)  # nothing is set aside for one
    waiting = dict(orders.values("source").annotate(total=Sum("amount")).values_list("source", "total"))
    for pk, amount in held_for_acts(accounts[0].pk, accounts[-1].pk).items():
        waiting[pk] = waiting.get(pk, Decimal(0)) + amount
    return waiting


def _is_found(account: BankAccount) -> bool:
    try:
        return number_is_its_own(account)
    except DecryptionFailed:
        return False


def _runs(accounts: list[Any]) -> Iterator[tuple[int, int, int]]:
    """Yield first and last account of what one statement compares, and how many entries it has. An account with too
    many entries is alone."""
    first, last, count = accounts[0].pk, accounts[0].pk, accounts[0].newest
    for account in accounts[1:]:
        if count + account.newest > _COMPARED:
            yield first, last, count
            first, count = account.pk, 0
        last, count = account.pk, count + account.newest
    yield first, last, count


def _pieces_follow(account: int) -> Iterator[bool]:
    """Yield, for an account with many entries, whether each piece of them follows, in itself and from the piece
    before."""
    entries = Entry.objects.filter(account=account)
    low, is_last = None, False
    while not is_last:
        rest = within(entries, low, None, by="sequence").order_by("sequence").values_list("sequence", flat=True)
        high = rest[_COMPARED - 1 : _COMPARED].first()
        piece = within(entries, None, high, by="sequence")
        if low is not None:
            # The last entry of the piece before is read again: the first one here follows from it.
            piece = piece.filter(sequence__gte=low)
        yield not _not_following(piece, after=low).exists()
        low, is_last = high, high is None


def _not_following(entries: "QuerySet[Entry]", *, after: int | None = None) -> "QuerySet[Entry, Any]":
    """Return entries whose sequence is not one more than the previous one, or whose balance does not follow from it;
    one for each account at most, and unnamed. The entries before them end with the sequence `after`, if there are any,
    which is read with them."""
    before: dict[str, Any] = {"partition_by": "account", "order_by": "sequence"}
    balance = _minor("balance_after")
    is_debit, by_debits = Q(direction=Direction.DEBIT), Q(account__kind__in=DEBIT_NORMAL_KINDS)
    grows = (is_debit & by_debits) | (~is_debit & ~by_debits)
    change = Case(When(grows, then=_minor("amount")), default=-_minor("amount"))
    follows = Q(
        sequence=Coalesce(Window(Lag("sequence"), **before), 0) + 1,
        minor_after=Coalesce(Window(Lag(balance), **before), 0) + change,
    )
    begins = [] if after is None else [When(Q(sequence=after), then=1)]
    return (
        entries.annotate(minor_after=balance)
        .annotate(follows=Case(When(follows, then=1), *begins, default=0))
        .filter(follows=0)
        .values("account")
        .distinct()
    )


def _minor(column: str) -> Any:
    """Return a column of money as it is in the database: whole minor units, if nobody tampered with it."""
    return ExpressionWrapper(F(column), output_field=BigIntegerField())


# --- Transactions -------------------------------------------------------------------------------------------


def sums_are_sound(transactions: "QuerySet[Transaction]") -> bool:
    """Return whether the debits and the credits of each are its amount, and it has no entry that is neither."""

    def total(direction: Direction) -> Any:
        return Coalesce(Sum(_minor("entries__amount"), filter=Q(entries__direction=direction)), 0)

    sums = transactions.values("pk", minor=_minor("amount")).annotate(
        debits=total(Direction.DEBIT),
        credits=total(Direction.CREDIT),
        astray=Count("entries", filter=~Q(entries__direction__in=Direction.values)),
    )
    return not sums.exclude(debits=F("minor"), credits=F("minor"), astray=0).exists()


def have_their_rows(entries: "QuerySet[Entry]") -> bool:
    """Return whether each entry has its transaction and its account."""
    transactions = Transaction.objects.filter(pk=OuterRef("transaction_id"))
    accounts = BankAccount.objects.filter(pk=OuterRef("account_id"))
    return not entries.filter(~Exists(transactions) | ~Exists(accounts)).exists()


# --- Orders -------------------------------------------------------------------------------------------------


def orders_are_sound(orders: "QuerySet[TransferOrder]") -> bool:
    """Return whether each completed order has its transaction, with one entry of its amount on either side, and all
    others have none."""
    amount = Q(transaction__entries__amount=F("amount"))
    completed = (
        orders.filter(state__in=COMPLETED)
        .values("pk")
        .annotate(
            entries=Count("transaction__entries"),
            debits=Count("transaction__entries", filter=amount & _side(Direction.DEBIT, "source")),
            credits=Count("transaction__entries", filter=amount & _side(Direction.CREDIT, "target")),
        )
    )
    # A completed order's amount is that of its entries. For others nothing else checks that it is a whole number.
    others = orders.exclude(state__in=COMPLETED).annotate(minor=_minor("amount"))
    whole = Q(minor=Cast(_minor("amount"), BigIntegerField()))
    return not (
        completed.exclude(entries=2, debits=1, credits=1).exists()
        or others.filter(Q(transaction__isnull=False) | ~whole).exists()
    )


def _side(direction: Direction, account: str) -> Q:
    return Q(transaction__entries__direction=direction, transaction__entries__account=F(account))
