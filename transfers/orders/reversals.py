"""Reversing a mistaken movement, by a second one in the other direction (R3.1, R3.15).

The locks are the usual ones: the limit row of the customer who paid, then accounts by id.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.reasons import checked_reason
from accounts.permission.second_person import NeedsSecondAdministrator
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import NotYourself, Refusal, WrongStatus
from foundation.transactions import own_transaction
from transfers.ledger import posting as ledger
from transfers.ledger.posting import AccountNotActive, Leg
from transfers.models import CustomerLimit, Direction, Entry, Transaction, TransactionKind, TransferOrder
from transfers.orders import limits
from transfers.orders.decision_keys import Once
from transfers.orders.ownership import require_untouched

_OTHER_WAY = {Direction.DEBIT: Direction.CREDIT, Direction.CREDIT: Direction.DEBIT}


class ReversedAlready(WrongStatus):
    code = "reversed_already"
    text = "This movement was reversed already."


class IsReversal(Refusal):
    code = "is_reversal"
    text = "This movement is itself a reversal. Move the money by a new transfer instead."


def reverse_transaction(
    *,
    actor: User,
    transaction: Transaction,
    reason: str,
    idempotency_key: str | None = None,
    at: datetime | None = None,
) -> Transaction:
    """Post the same amounts in the other direction, once for each transaction; return the new one. All sides are told.

    On the day of the original, the reversed amount no longer counts towards the customer's daily limit, nor towards the
    limit of cash that they pay in by themselves; on a later day it does not count anyway. Their count of payments in
    the hour, their sum since the last code and the payee stay: a rule that looks too closely is the safe mistake. For
    interest the reversal counts from the day of the original (`transfers.interest`). A repeated call under the same key
    returns the reversal that it made.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor's own movement, or one that they made for a customer.
        NeedsSecondAdministrator: more than SUSPICIOUS_AMOUNT; `large_reversals.reverse_or_ask()` asks for it.
        IsReversal, ReversedAlready, IdempotencyConflict, InsufficientFunds, AccountNotActive: refused, recorded,
        nothing moved.
        AccountUnreadable: an account was given to another owner in the database; refused and recorded, too.
    """
    require(actor, "transfers.reverse_transaction")
    once = Once(actor, "reverse", str(transaction.pk), checked_reason(reason), idempotency_key)
    try:
        try:
            if is_large(transaction):
                raise NeedsSecondAdministrator
            return post_reversal(once, transaction, at or timezone.now())
        except IntegrityError as error:  # by another person since it was read, or by the same request
            if once.was_done():
                return reversal_of(transaction).get()
            if not reversal_of(transaction).exists():
                raise
            raise ReversedAlready from error
    except Refusal as refusal:
        details = {"reason": refusal.code, "reference": transaction.reference}
        record(Action.REVERSAL_REFUSED, actor=actor, subject=transaction, details=details)
        raise


def is_large(original: Transaction) -> bool:
    """Return whether reversing it takes two administrators (R5.8)."""
    return original.amount > settings.SUSPICIOUS_AMOUNT


@own_transaction
def post_reversal(
    once: Once,
    original: Transaction,
    at: datetime,
    second: Mapping[str, str] | None = None,
    let_go: Callable[[], None] = lambda: None,
) -> Transaction:
    """Post the reversal, with its audit entry, which names the `second` administrator, and its mails. `let_go` frees
    what was set aside for it, once the accounts are locked.

    Raises:
        As `reverse_transaction()`, which records it.
    """
    actor, entries = once.actor, entries_of(original)
    refuse_unfit(actor, original, entries)
    order = _counted(original)
    owner = order.customer_account.owner if order else None
    row = limits.locked_limit(owner, at=at) if owner else None
    # Locked as the ledger locks them, and only then read: the same request at this moment may have taken the money.
    ids = [entry.account_id for entry in entries]
    accounts = list(lock(BankAccount.objects).filter(pk__in=ids).order_by("pk"))
    if once.was_done():
        return reversal_of(original).get()
    if reversal_of(original).exists():
        raise ReversedAlready
    require_untouched(*accounts)
    let_go()
    with says_which_is_not_active():
        posting = ledger.post(
            kind=TransactionKind.REVERSAL,
            legs=[Leg(entry.account_id, _OTHER_WAY[Direction(entry.direction)], entry.amount) for entry in entries],
            initiated_by=actor,
            at=at,
            description=f"Reversal of {original.reference}",
            reverses=original,
        )
    _free_limit(order, row)
    reversal = Transaction.objects.get(pk=posting.transaction_id)
    about = {"reason": once.reason, "reverses": original.reference, "reference": posting.reference}
    about |= {"amount": str(original.amount), **(second or {})}
    record(
        Action.TRANSFER_REVERSED,
        actor=actor,
        subject=reversal,
        concerns=who_pays(entries),
        details={**about, "accounts": [str(entry.account) for entry in entries]},
        evidence_digest=posting.digest,
        at=at,
    )
    outbox.tell("transaction_reversed", transaction_id=str(reversal.pk))
    once.keep(at=at)
    return reversal


@contextmanager
def says_which_is_not_active() -> Iterator[None]:
    """Make the refusal tell staff which of the accounts it is, and what to do: nothing moves on a frozen account, and a
    reversal does not either (R2.3, R2.5)."""
    try:
        yield
    except AccountNotActive as refusal:
        account = BankAccount.objects.get(pk=refusal.account_id)
        text = f"The account {account} is closed, so no money can move in or out of it."
        if account.status == AccountStatus.FROZEN:
            text = (
                f"The account {account} is frozen, so no money moves in or out of it. What is on it stays there until "
                "each of its freezes is lifted: have them lifted, then reverse this at once."
            )
        raise AccountNotActive(account.pk, text) from refusal


def _counted(original: Transaction) -> TransferOrder | None:
    """Return the order, if the movement counts towards a limit of the day."""
    orders = TransferOrder.objects.filter(transaction=original).select_related("source__owner", "target__owner")
    order = orders.first()
    return order if order is not None and limits.counts_in(order) else None


def _free_limit(order: TransferOrder | None, row: CustomerLimit | None) -> None:
    if order is not None and row is not None:
        limits.give_back(row, order)
        limits.keep(row)


def entries_of(original: Transaction) -> list[Entry]:
    return list(Entry.objects.filter(transaction=original).select_related("account__owner"))


def refuse_unfit(actor: User, original: Transaction, entries: list[Entry]) -> None:
    """Refuse movements that this actor cannot reverse.

    Raises:
        NotYourself, IsReversal
    """
    if original.initiated_by_id == actor.pk or any(entry.account.owner_id == actor.pk for entry in entries):
        raise NotYourself
    if original.kind == TransactionKind.REVERSAL or original.reverses_id is not None:
        raise IsReversal


def reversal_of(original: Transaction) -> QuerySet[Transaction]:
    return Transaction.objects.filter(reverses=original)


def who_pays(entries: list[Entry]) -> User | None:
    """Return the customer whom the reversal costs money; for a withdrawal, the one who gets it back."""
    owners = {entry.direction: entry.account.owner for entry in entries if entry.account.owner is not None}
    return owners.get(Direction.CREDIT.value) or owners.get(Direction.DEBIT.value)
