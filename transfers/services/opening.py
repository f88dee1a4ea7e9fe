"""Opening and closing a customer's own account (R2.1, R2.3)."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts import limiter, outbox
from accounts.concurrency import own_transaction
from accounts.models import CUSTOMER_KINDS, AccountKind, AccountStatus, BankAccount, User
from accounts.roles import require
from accounts.services import bank_accounts
from audit.actions import Action
from audit.services import record
from transfers import limits
from transfers.identifiers import digest_of_key
from transfers.ledger import AccountNotActive
from transfers.models import OrderKind, TransferOrder
from transfers.refusals import Refusal
from transfers.services import cash
from transfers.services.orders import IdempotencyConflict, Instruction, check_key, post_order
from transfers.services.ownership import require_owner

OPENING_DESCRIPTION = "Opening deposit"
# Each opening and closing is a mail and an audit entry.
_TRIES = limiter.Limit(times=20, window_seconds=3600)


class TooManyAccounts(Refusal):
    code = "too_many_accounts"
    text = "You have as many open accounts as one customer can have. Close one first."


class AccountNotEmpty(Refusal):
    code = "account_not_empty"
    text = "An account can be closed once its balance is zero and no transfer from it is waiting."


def open_account(
    *,
    actor: User,
    kind: AccountKind,
    idempotency_key: str,
    nickname: str = "",
    opening_deposit: Decimal = Decimal(0),
    at: datetime | None = None,
) -> BankAccount:
    """Open a checking or savings account; the opening deposit (major units), if any, is posted in the ledger.

    The same key again returns the account that it opened.

    Raises:
        PermissionDenied
        TooManyAccounts, CashOnlyAtTheCounter, IdempotencyConflict: refused, nothing was opened.
        TooOften: too many openings this hour, or deposits this minute: an opening deposit is one of them.
    """
    require(actor, "transfers.open_own_account")
    check_key(idempotency_key)
    if kind not in CUSTOMER_KINDS:
        raise ValueError(f"Customers open no {kind} accounts.")
    now = at or timezone.now()
    done = _find_done(actor, kind, opening_deposit, idempotency_key)
    if done is not None:
        return done
    inputs = f"{idempotency_key}|{kind}|{nickname}|{opening_deposit}"
    with _counted_try(actor, "open", inputs, deposit=bool(opening_deposit), at=now):
        if opening_deposit:
            cash.require_self_service()
        return _open(actor, kind, nickname, opening_deposit, idempotency_key, now)


@contextmanager
def _counted_try(
    actor: User, verb: str, inputs: str, *, at: datetime, deposit: bool = False, account: BankAccount | None = None
) -> Iterator[None]:
    """One try at opening or closing: it takes its places first, refused or not, and a refusal is recorded.

    The same try, repeated while the first still runs, takes no second place; repeated after a refusal, it does.
    """
    key, token = f"{verb}:{actor.pk}", digest_of_key(inputs)[:16]
    try:
        limiter.take(key, _TRIES, token=token, at=at)
        if deposit:
            limits.take_minute_place(actor, OrderKind.DEPOSIT, token=token, at=at)
        yield
    except (Refusal, limiter.TooOften) as refusal:
        limiter.spend(key, token)
        if deposit:
            limits.spend_minute_place(actor, OrderKind.DEPOSIT, token=token)
        details = {"verb": verb, "reason": refusal.code}
        record(Action.ACCOUNT_REFUSED, actor=actor, subject=account, details=details, at=at)
        raise


@own_transaction
def _open(
    actor: User,
    kind: AccountKind,
    nickname: str,
    opening_deposit: Decimal,
    idempotency_key: str,
    at: datetime,
) -> BankAccount:
    limits.locked_limit(actor, at=at)  # this customer's requests queue here: a double click opens one account
    earlier = _find_earlier(actor, kind, opening_deposit, idempotency_key)
    if earlier is not None:
        return earlier
    open_ones = BankAccount.objects.filter(owner=actor).exclude(status=AccountStatus.CLOSED)
    if open_ones.count() >= settings.MAX_OPEN_ACCOUNTS:
        raise TooManyAccounts
    account = bank_accounts.create(
        owner=actor, kind=kind, nickname=nickname, public_id=_public_id(actor, idempotency_key), at=at
    )
    record(
        Action.ACCOUNT_CREATED,
        actor=actor,
        subject=account,
        details={"kind": kind.value, "number": account.masked_number},
        at=at,
    )
    if opening_deposit:
        post_order(
            Instruction(
                kind=OrderKind.DEPOSIT,
                actor=actor,
                source=cash.cash_account_for(account),
                target=account,
                amount=opening_deposit,
                description=OPENING_DESCRIPTION,
                idempotency_key=idempotency_key,
                at=at,
            )
        )
        account.refresh_from_db(fields=["balance", "last_sequence"])
    outbox.tell("account_opened", account_id=account.pk)
    return account


def _public_id(actor: User, idempotency_key: str) -> uuid.UUID:
    """Follows from the key, so that the same request again finds what the first one opened."""
    return uuid.uuid5(actor.public_id, idempotency_key)


def _find_done(actor: User, kind: AccountKind, deposit: Decimal, idempotency_key: str) -> BankAccount | None:
    """What this very request opened before; a conflict is for the counted try to find."""
    try:
        return _find_earlier(actor, kind, deposit, idempotency_key)
    except IdempotencyConflict:
        return None


def _find_earlier(actor: User, kind: AccountKind, deposit: Decimal, idempotency_key: str) -> BankAccount | None:
    """The account this key opened before.

    Raises:
        IdempotencyConflict: the key was for another kind, another deposit, or no opening at all.
    """
    account = BankAccount.objects.filter(public_id=_public_id(actor, idempotency_key), owner=actor).first()
    order = TransferOrder.objects.filter(initiator=actor, key_digest=digest_of_key(idempotency_key)).first()
    if account is None and order is None:
        return None
    deposited = order.amount if order is not None else Decimal(0)
    if account is None or account.kind != kind or deposited != deposit:
        raise IdempotencyConflict
    return account


def close_account(*, actor: User, account: BankAccount, at: datetime | None = None) -> None:
    """Close the actor's own account for good.

    Raises:
        PermissionDenied, NotYourAccount
        AccountNotActive: frozen, or closed already.
        AccountNotEmpty: balance or held money is left.
        TooOften: too many tries this hour.
    """
    require(actor, "transfers.open_own_account")
    require_owner(actor, account)
    now = at or timezone.now()
    with _counted_try(actor, "close", str(account.public_id), account=account, at=now):
        _close(actor, account, now)


@own_transaction
def _close(actor: User, account: BankAccount, at: datetime) -> None:
    locked = BankAccount.objects.select_for_update().get(pk=account.pk)
    if not locked.is_active:
        raise AccountNotActive(locked.pk)
    if locked.balance or locked.held:
        raise AccountNotEmpty
    bank_accounts.close(locked, at=at)
    record(Action.ACCOUNT_CLOSED, actor=actor, subject=locked, details={"number": locked.masked_number})
    outbox.tell("account_closed", account_id=locked.pk)
