"""Sending money, to oneself and to others: who may, what is refused, what is recorded (R3.2, R3.3, R3.8)."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount
from audit.models import AuditEntry
from foundation.limiter import limiter
from foundation.models import OutboxMessage
from foundation.refusals import Refusal
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.accounts import closing, opening
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import OrderKind, OrderState, TransferOrder
from transfers.orders import cash, sending
from transfers.orders.ownership import NotYourAccount


@pytest.fixture
def send(new_key: Callable) -> Callable[..., TransferOrder]:
    def transfer(actor: Any, source: BankAccount, target: BankAccount, amount: str, **kwargs: Any) -> TransferOrder:
        kwargs.setdefault("idempotency_key", new_key())
        return acts.transfer(actor=actor, source=source, target=target, amount=Decimal(amount), **kwargs)

    return transfer


def last_audit() -> AuditEntry:
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    return entry


# --- What happens -------------------------------------------------------------------------------------------


def test_a_payment_to_another_customer_moves_the_money_once(
    alice: Any, everyday: BankAccount, bobs: BankAccount, send: Callable, balance_of: Callable
) -> None:
    """R3.2, R3.4."""
    order = send(alice, everyday, bobs, "40.10", description="Lunch")
    assert [balance_of(everyday), balance_of(bobs)] == [Decimal("59.90"), Decimal("40.10")]
    assert (order.kind, order.state, order.amount) == (OrderKind.PAYMENT, OrderState.POSTED, Decimal("40.10"))
    assert (order.source, order.target, order.initiator) == (everyday, bobs, alice)
    assert order.transaction.description == "Lunch"


def test_a_transfer_between_own_accounts_is_known_by_its_owner_not_by_a_parameter(
    alice: Any, everyday: BankAccount, savings: BankAccount, send: Callable, balance_of: Callable
) -> None:
    """R3.2, R3.3."""
    order = send(alice, everyday, savings, "25.00")
    assert order.kind == OrderKind.OWN_TRANSFER
    assert [balance_of(everyday), balance_of(savings)] == [Decimal("75.00"), Decimal("25.00")]


def test_what_is_written_of_a_payment_is_one_outbox_row_and_one_audit_entry(
    alice: Any, bob: Any, everyday: BankAccount, bobs: BankAccount, known: BankAccount, send: Callable
) -> None:
    """R3.8, R6.1."""
    messages, entries = OutboxMessage.objects.count(), AuditEntry.objects.count()
    order = send(alice, everyday, bobs, "5.00")
    assert OutboxMessage.objects.count() == messages + 1
    told = OutboxMessage.objects.order_by("pk").last()
    assert told is not None
    assert (told.event, json.loads(told.payload)) == ("payment_posted", {"order_id": order.pk})
    assert AuditEntry.objects.count() == entries + 1
    entry = last_audit()
    assert (entry.action, entry.actor_id, entry.subject_id) == ("TRANSFER_CREATED", alice.pk, str(order.public_id))
    assert entry.concerns_id == bob.pk
    assert entry.details == {
        "kind": "payment",
        "amount": "5.00",
        "source": everyday.masked_number,
        "target": bobs.masked_number,
        "reference": order.transaction.reference,
    }


def test_nobody_is_mailed_about_a_transfer_between_own_accounts(
    alice: Any, everyday: BankAccount, savings: BankAccount, send: Callable, books: Callable
) -> None:
    """R3.8: it is audited anyway."""
    before = books()
    send(alice, everyday, savings, "5.00")
    assert books().messages == before.messages
    assert last_audit().action == "TRANSFER_CREATED"
    assert last_audit().concerns_id is None


def test_the_audit_log_keeps_no_full_account_number(
    alice: Any, everyday: BankAccount, bobs: BankAccount, send: Callable
) -> None:
    """R6.2."""
    send(alice, everyday, bobs, "5.00")
    with pytest.raises(InsufficientFunds):
        send(alice, everyday, bobs, "500.00")
    text = json.dumps(list(AuditEntry.objects.values_list("details", "actor_label", "subject_id")))
    for account in (everyday, bobs):
        assert str(account.number)[:8] not in text


# --- Who may ------------------------------------------------------------------------------------------------

STAFF = ["sam", "audrey", "ada"]


def own_account_of(user: Any) -> BankAccount:
    """Return a member of staff with an account of their own: the role alone decides."""
    from accounts import bank_accounts

    return bank_accounts.create(
        owner=user, kind=AccountKind.CHECKING, nickname="", public_id=user.public_id, at=timezone.now()
    )


@proves("V8.3.1")
@in_one_world("name", [*STAFF, "superuser"])
def test_staff_and_superusers_move_no_money(
    name: str, ada: Any, everyday: BankAccount, request: pytest.FixtureRequest, books: Callable, new_key: Callable
) -> None:
    """R1.7: decided by permission inside the service; the superuser flag is ignored."""
    user = ada if name == "superuser" else request.getfixturevalue(name)
    user.is_superuser = name == "superuser"
    user.save()
    account = own_account_of(user)
    before, entries = books(), AuditEntry.objects.count()
    key = new_key()
    tries: list[Callable[[BankAccount], Any]] = [
        lambda mine: acts.transfer(actor=user, source=mine, target=everyday, amount=Decimal(1), idempotency_key=key),
        lambda mine: cash.deposit(actor=user, account=mine, amount=Decimal(1), idempotency_key=key),
        lambda mine: cash.withdraw(actor=user, account=mine, amount=Decimal(1), idempotency_key=key),
        lambda mine: closing.close_account(actor=user, account=mine),
        lambda mine: opening.open_account(actor=user, kind=AccountKind.SAVINGS, idempotency_key=key),
    ]
    for attempt in tries:
        for mine in (account, everyday):
            with pytest.raises(PermissionDenied):
                attempt(mine)
    assert books() == before
    assert AuditEntry.objects.count() == entries


@in_one_world("change", [{"is_active": False}, {"locked_at": timezone.now()}], ids=["inactive", "locked"])
def test_an_inactive_or_locked_customer_moves_no_money(
    alice: Any, everyday: BankAccount, bobs: BankAccount, send: Callable, books: Callable, change: dict
) -> None:
    """R1.5."""
    for name, value in change.items():
        setattr(alice, name, value)
    alice.save()
    before = books()
    with pytest.raises(PermissionDenied):
        send(alice, everyday, bobs, "1.00")
    assert books() == before


@proves("V8.2.2")
def test_nobody_debits_deposits_to_or_closes_somebody_elses_account(
    alice: Any, charlie: Any, everyday: BankAccount, open_account: Callable, books: Callable, new_key: Callable
) -> None:
    """R3.3; a peer's fault: another customer debiting your account."""
    his = open_account(charlie)
    before = books()
    key = new_key()
    with pytest.raises(NotYourAccount):
        acts.transfer(actor=charlie, source=everyday, target=his, amount=Decimal(1), idempotency_key=key)
    with pytest.raises(NotYourAccount):
        cash.withdraw(actor=charlie, account=everyday, amount=Decimal(1), idempotency_key=key)
    with pytest.raises(NotYourAccount):
        cash.deposit(actor=charlie, account=everyday, amount=Decimal(1), idempotency_key=key)
    with pytest.raises(NotYourAccount):
        closing.close_account(actor=charlie, account=everyday)
    assert books() == before


def test_the_banks_own_accounts_belong_to_nobody(charlie: Any, open_account: Callable, books: Callable) -> None:
    """R3.3: an owner of None is not "anybody"."""
    his = open_account(charlie)
    before = books()
    for internal in BankAccount.objects.filter(owner=None):
        with pytest.raises(NotYourAccount):
            acts.transfer(actor=charlie, source=internal, target=his, amount=Decimal(1), idempotency_key="x" * 8)
    assert books() == before


# --- What is refused ----------------------------------------------------------------------------------------


def test_more_than_is_available_is_refused_to_the_cent(
    alice: Any, everyday: BankAccount, bobs: BankAccount, send: Callable, books: Callable, hold: Callable
) -> None:
    """R3.3, R3.10."""
    hold(everyday, "30.00")
    before = books()
    with pytest.raises(InsufficientFunds):
        send(alice, everyday, bobs, "70.01")
    assert books() == before
    send(alice, everyday, bobs, "70.00")


def test_a_transfer_to_the_account_it_comes_from_is_refused(
    alice: Any, everyday: BankAccount, send: Callable, books: Callable
) -> None:
    """R3.3: also when the same account comes as another object."""
    before = books()
    with pytest.raises(sending.SameAccount):
        send(alice, everyday, BankAccount.objects.get(pk=everyday.pk), "1.00")
    assert books() == before


def test_the_bank_itself_cannot_be_paid(alice: Any, everyday: BankAccount, send: Callable, books: Callable) -> None:
    """R3.3: money would leave the customers' books as cash that nobody took."""
    before = books()
    with pytest.raises(sending.PayeeCannotReceive):
        send(alice, everyday, BankAccount.objects.get(ledger_code="fees"), "1.00")
    assert books() == before


@in_one_world("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_a_sender_is_not_told_why_a_payee_cannot_receive(
    alice: Any,
    everyday: BankAccount,
    bobs: BankAccount,
    send: Callable,
    books: Callable,
    freeze: Callable,
    status: AccountStatus,
) -> None:
    """R2.3, R3.3: frozen, closed and unknown read the same."""
    freeze(bobs, status)
    before = books()
    with pytest.raises(sending.PayeeCannotReceive) as refusal:
        send(alice, everyday, bobs, "1.00")
    assert str(refusal.value) == sending.PayeeCannotReceive.text
    assert not {"frozen", "closed", "active"} & set(str(refusal.value).lower().split())
    assert books() == before


@in_one_world("which", ["everyday", "savings"])
def test_an_owner_is_told_that_their_account_is_not_active(
    alice: Any,
    everyday: BankAccount,
    savings: BankAccount,
    send: Callable,
    books: Callable,
    freeze: Callable,
    which: str,
) -> None:
    """R2.3: on either side of a transfer between own accounts."""
    freeze(everyday if which == "everyday" else savings)
    before = books()
    with pytest.raises(AccountNotActive):
        send(alice, everyday, savings, "1.00")
    assert books() == before


def test_a_frozen_source_is_told_to_its_owner(
    alice: Any, everyday: BankAccount, bobs: BankAccount, send: Callable, freeze: Callable
) -> None:
    freeze(everyday)
    with pytest.raises(AccountNotActive):
        send(alice, everyday, bobs, "1.00")


def refused_transfers() -> dict[str, tuple[str, str, str, str]]:
    """Name: source, target, amount, code."""
    return {
        "funds": ("everyday", "bobs", "100.01", "insufficient_funds"),
        "same account": ("everyday", "everyday", "1.00", "same_account"),
        "the bank": ("everyday", "fees", "1.00", "payee_cannot_receive"),
        "frozen source": ("savings", "bobs", "1.00", "account_not_active"),
        "daily limit": ("everyday", "bobs", "30000.00", "daily_limit_reached"),
    }


@proves("V2.3.3", "V16.3.3")
@in_one_world("case", refused_transfers().values(), ids=refused_transfers())
def test_a_refusal_is_recorded_and_nothing_else_is_left(
    alice: Any,
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    known: BankAccount,
    send: Callable,
    books: Callable,
    freeze: Callable,
    case: tuple[str, str, str, str],
) -> None:
    """R6.1: outside the transaction that the refusal rolls back."""
    source, target, amount, code = case
    freeze(savings)
    accounts = {
        "everyday": everyday,
        "savings": savings,
        "bobs": bobs,
        "fees": BankAccount.objects.get(ledger_code="fees"),
    }
    before, entries = books(), AuditEntry.objects.count()
    with pytest.raises(Refusal) as refusal:
        send(alice, accounts[source], accounts[target], amount)
    assert refusal.value.code == code
    assert books() == before
    assert AuditEntry.objects.count() == entries + 1
    entry = last_audit()
    assert (entry.action, entry.actor_id, entry.details["reason"]) == ("TRANSFER_REFUSED", alice.pk, code)
    assert entry.subject_id == str(accounts[source].public_id)
    assert entry.evidence_digest == ""


def test_while_nobody_counts_codes_and_closing_wait_and_payments_without_a_code_go_on(
    alice: Any,
    everyday: BankAccount,
    savings: BankAccount,
    bobs: BankAccount,
    send: Callable,
    books: Callable,
    settings: Any,
) -> None:
    """R3.9: the limits of money are in the customer's row, all others in the shared cache that is away."""
    acts.know(alice, bobs)
    settings.CACHE_URL = "unix:///nowhere/cache.sock"
    assert send(alice, everyday, bobs, "1.00").state == OrderState.POSTED
    assert send(alice, everyday, savings, "1.00").state == OrderState.POSTED
    before, entries = books(), AuditEntry.objects.count()
    with pytest.raises(limiter.LimitsUnavailable):
        closing.close_account(actor=alice, account=savings)
    assert (books(), AuditEntry.objects.count()) == (before, entries), "no refusal to record: nobody said no"


@in_one_world(
    "change",
    [
        {"amount": Decimal(0)},
        {"amount": Decimal("-1.00")},
        {"amount": Decimal("0.001")},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
        {"description": "x" * 141},
        {"idempotency_key": "short"},
        {"idempotency_key": "x" * 201},
    ],
    ids=str,
)
def test_what_no_form_lets_through_is_a_fault_of_the_program(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable, change: dict
) -> None:
    """R3.2: the service relies on no form; customers never see this error."""
    before = books()
    arguments: dict[str, Any] = {"amount": Decimal(1), "idempotency_key": "a-good-key"} | change
    with pytest.raises(ValueError) as error:  # noqa: PT011 - which of them is not what matters here
        acts.transfer(actor=alice, source=everyday, target=bobs, **arguments)
    assert not isinstance(error.value, Refusal)
    assert books() == before


def test_a_float_is_not_money(alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable) -> None:
    """R3.2."""
    before = books()
    amount: Any = 1.0
    with pytest.raises(TypeError):
        acts.transfer(actor=alice, source=everyday, target=bobs, amount=amount, idempotency_key="a-good-key")
    assert books() == before
