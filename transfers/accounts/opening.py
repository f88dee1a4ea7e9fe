"""Opening and closing accounts: by customers their own, by administrators for a customer, by an approved request
(R2.1, R2.3, R4.2)."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts import bank_accounts
from accounts.models import CUSTOMER_KINDS, AccountKind, AccountStatus, BankAccount, User
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.compiled import Select
from foundation.idempotency import IdempotencyConflict, check_key, digest_of_key, id_from_key, token_of
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.money import to_minor
from foundation.refusals import Refusal
from foundation.transactions import own_repeatable_transaction
from transfers.models import CustomerLimit, OrderKind, TransferOrder
from transfers.orders import cash, limits
from transfers.orders.decision_keys import Once
from transfers.orders.instruction import Instruction
from transfers.orders.ownership import require_customer
from transfers.orders.placing import place_within

OPENING_DESCRIPTION = "Opening deposit"
# Each opening and closing sends a mail and writes an audit entry.
_TRIES = limiter.Limit(times=20, window_seconds=3600)

# What an earlier request with the same key opened, read before the lock and under it.
_accounts: Select = Select(
    lambda public_id: BankAccount.objects.filter(public_id=public_id), BankAccount._meta.get_field("public_id")
)
_orders: Select = Select(
    lambda actor, digest: TransferOrder.objects.filter(initiator=actor, key_digest=digest).values_list("pk"),
    TransferOrder._meta.get_field("initiator"),
    TransferOrder._meta.get_field("key_digest"),
)
_locked_owners: Select = Select(lambda pk: lock(User.objects).filter(pk=pk), User._meta.pk)
_open_ones: Select = Select(
    lambda owner: BankAccount.objects.filter(owner=owner).exclude(status=AccountStatus.CLOSED).values_list("pk"),
    BankAccount._meta.get_field("owner"),
)


class TooManyAccounts(Refusal):
    code = "too_many_accounts"
    text = "You have as many open accounts as one customer can have. Close one first."


_TOO_MANY_OF_CUSTOMER = "This customer has as many open accounts as one can have. Close one first."


@dataclass(frozen=True)
class _Opening:
    """The request: `deposit` in major units, `at` in UTC; `reason` is for staff, who act for the owner."""

    actor: User
    owner: User
    kind: AccountKind
    nickname: str
    deposit: Decimal
    idempotency_key: str
    reason: str
    at: datetime

    @property
    def is_served(self) -> bool:
        """Return whether another person opens it for the owner."""
        return self.actor != self.owner

    @property
    def once(self) -> Once:
        """Return the key with everything that is asked for: for anything else it is refused."""
        asked = f"{self.owner.public_id}|{self.kind}|{to_minor(self.deposit)}|{self.nickname}"
        return Once(self.actor, "open", asked, self.reason, self.idempotency_key)

    @property
    def public_id(self) -> uuid.UUID:
        """Return the id that follows from the key, so that a repeated request finds what the first one opened."""
        return id_from_key(self.actor.public_id, self.idempotency_key)


def open_account(
    *,
    actor: User,
    kind: AccountKind,
    idempotency_key: str,
    nickname: str = "",
    opening_deposit: Decimal = Decimal(0),
    owner: User | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> BankAccount:
    """Open a checking or savings account; the opening deposit (major units), if any, is posted in the ledger, or held
    like any deposit: then the account is open and empty until a clerk has decided.

    The same key again returns the account that it opened.

    Args:
        owner: the customer for whom an administrator opens it, with a `reason`; the actor, if not given.

    Raises:
        PermissionDenied
        TooManyAccounts, CashOnlyAtTheCounter, CashInLimitReached, IdempotencyConflict, NotACustomer: refused, nothing
        was opened.
        ReasonMissing, ReasonTooLong, ReasonUnreadable: from an administrator who opens it for a customer.
        TooOften: too many openings this hour, or deposits this minute: an opening deposit counts as one.
    """
    asked = _Opening(
        actor=actor,
        owner=owner or actor,
        kind=kind,
        nickname=nickname,
        deposit=opening_deposit,
        idempotency_key=idempotency_key,
        reason=reason,
        at=at or timezone.now(),
    )
    asked = replace(asked, reason=_right_to_open(asked))
    check_key(idempotency_key)
    if kind not in CUSTOMER_KINDS:
        raise ValueError(f"Customers open no {kind} accounts.")
    done = _find_done(asked)
    if done is not None:
        return done
    inputs = f"{idempotency_key}|{kind}|{nickname}|{opening_deposit}"
    with counted_try(actor, asked.owner, "open", inputs, deposit=bool(opening_deposit), at=asked.at):
        if opening_deposit and not asked.is_served:
            cash.require_self_service()
        return _open(asked)


def _right_to_open(asked: _Opening) -> str:
    """Return the reason to record, if the actor may open this account; "" for an account of their own."""
    if not asked.is_served:
        require(asked.actor, "transfers.open_own_account")
        return ""
    require(asked.actor, "transfers.open_account_for_customer")
    if asked.deposit:
        require(asked.actor, "transfers.deposit_at_counter")
    return checked_reason(asked.reason)


@contextmanager
def counted_try(
    actor: User,
    customer: User,
    verb: str,
    inputs: str,
    *,
    at: datetime,
    deposit: bool = False,
    account: BankAccount | None = None,
) -> Iterator[None]:
    """Count one try at opening or closing: it takes its places first, refused or not, and a refusal is recorded.

    The same try, repeated while the first still runs, takes no second place; repeated after a refusal, it does.
    """
    key, token = f"{verb}:{customer.pk}", token_of(inputs)
    try:
        limiter.take(key, _TRIES, token=token, at=at)
        if deposit:
            limits.take_place_ahead(customer, OrderKind.DEPOSIT, token=token, at=at)
        yield
    except limiter.LimitsUnavailable:  # this is not a refusal: the try could not be counted
        raise
    except Refusal as refusal:
        limiter.spend(key, token)
        if deposit:
            limits.spend_place_ahead(customer, OrderKind.DEPOSIT, token=token, at=at)
        details = {"verb": verb, "reason": refusal.code}
        concerns = customer if customer != actor else None
        record(Action.ACCOUNT_REFUSED, actor=actor, subject=account, concerns=concerns, details=details, at=at)
        raise


@own_repeatable_transaction
def _open(asked: _Opening) -> BankAccount:
    row = limits.locked_limit(asked.owner, at=asked.at)  # a double click waits here, and opens one account
    earlier = _find_earlier(asked)
    if earlier is not None:
        return earlier
    # Locked, so that nobody gives the customer another role meanwhile: staff have no accounts.
    require_customer(_locked_owners.instances(asked.owner.pk)[0])
    if len(_open_ones.rows(asked.owner.pk)) >= settings.MAX_OPEN_ACCOUNTS:
        raise TooManyAccounts(_TOO_MANY_OF_CUSTOMER if asked.is_served else None)
    asked.once.keep(at=asked.at)
    account = bank_accounts.create(
        owner=asked.owner, kind=asked.kind, nickname=asked.nickname, public_id=asked.public_id, at=asked.at
    )
    record(
        Action.ACCOUNT_CREATED,
        actor=asked.actor,
        subject=account,
        concerns=asked.owner if asked.is_served else None,
        details={"kind": asked.kind.value, "number": account.masked_number}
        | ({"reason": asked.reason} if asked.is_served else {}),
        at=asked.at,
    )
    if asked.deposit:
        _place_deposit(asked, account, row)
        account.refresh_from_db(fields=["balance", "last_sequence"])
    outbox.tell("account_opened", account_id=account.pk)
    return account


def _place_deposit(asked: _Opening, account: BankAccount, row: CustomerLimit) -> None:
    place_within(
        Instruction(
            kind=OrderKind.DEPOSIT,
            actor=asked.actor,
            source=cash.cash_account_for(account),
            target=account,
            amount=asked.deposit,
            description=OPENING_DESCRIPTION,
            idempotency_key=asked.idempotency_key,
            at=asked.at,
        ),
        row,
    )


def _find_done(asked: _Opening) -> BankAccount | None:
    """Return what the same request opened before; the counted try finds a conflict."""
    try:
        return _find_earlier(asked)
    except IdempotencyConflict:
        return None


def _find_earlier(asked: _Opening) -> BankAccount | None:
    """Return the account that this key opened before.

    Raises:
        IdempotencyConflict: the key was for another opening, or for another act.
    """
    if asked.once.was_done():
        return _accounts.instances(asked.public_id)[0]
    if _orders.rows(asked.actor.pk, digest_of_key(asked.idempotency_key)):
        raise IdempotencyConflict
    return None
