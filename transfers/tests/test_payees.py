"""Whom a customer has paid: written with the payment, named and removed only by the customer (R3.6, R8.1)."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.account_numbers import InvalidAccountNumber, new_number
from accounts.models import AccountStatus, BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.tables import in_one_world
from transfers.ledger.posting import InsufficientFunds
from transfers.models import MAX_LABEL_CHARS, Entry, Payee, TransferOrder
from transfers.orders.ownership import NotYourAccount
from transfers.payees import selectors as payee_selectors
from transfers.payees import services as payees
from transfers.payees.selectors import FilledIn

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def pay(alice: Any, everyday: BankAccount, new_key: Callable[[], str]) -> Callable[..., TransferOrder]:
    """Alice pays one to an account."""

    def one(target: BankAccount, **kwargs: Any) -> TransferOrder:
        given: dict[str, Any] = {"amount": Decimal(1), "idempotency_key": new_key()} | kwargs
        return acts.transfer(actor=alice, source=everyday, target=target, **given)

    return one


@pytest.fixture
def payee(pay: Callable, bobs: BankAccount) -> Payee:
    """Bob's account, which Alice has paid."""
    pay(bobs)
    return Payee.objects.get()


# --- Who becomes one ----------------------------------------------------------------------------------------


def test_the_first_payment_makes_a_payee_and_the_next_only_moves_its_time(
    alice: Any, pay: Callable, bobs: BankAccount
) -> None:
    pay(bobs, at=NOON)
    pay(bobs, at=NOON + timedelta(days=2))
    row = Payee.objects.get()
    assert (row.customer, row.account, row.label) == (alice, bobs, "")
    assert [row.first_paid_at, row.last_paid_at] == [NOON, NOON + timedelta(days=2)]
    assert str(row) == f"{alice.pk} {bobs.masked_number}"


def test_neither_a_refused_payment_nor_an_own_transfer_nor_cash_makes_one(
    pay: Callable, bobs: BankAccount, savings: BankAccount
) -> None:
    with pytest.raises(InsufficientFunds):
        pay(bobs, amount=Decimal(101))
    pay(savings)
    assert not Payee.objects.exists()


def test_a_payment_that_is_rolled_back_leaves_no_payee(
    pay: Callable, bobs: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfers.orders.placing.outbox.tell", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pay(bobs)
    assert not Payee.objects.exists()


def test_a_repeated_request_touches_nothing(pay: Callable, bobs: BankAccount) -> None:
    """R3.5."""
    pay(bobs, at=NOON, idempotency_key="the same one")
    pay(bobs, at=NOON + timedelta(days=1), idempotency_key="the same one")
    assert Payee.objects.get().last_paid_at == NOON


def test_being_paid_makes_nobody_a_payee_of_the_receiver(bob: Any, payee: Payee) -> None:
    assert payee_selectors.payees_of(bob) == []


def test_the_database_holds_one_row_for_a_customer_and_an_account(payee: Payee) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payee.objects.create(customer=payee.customer, account=payee.account, first_paid_at=NOON, last_paid_at=NOON)


# --- Whom customers had paid before there was a list --------------------------------------------------------


# --- What their customer sees -------------------------------------------------------------------------------


def test_they_are_listed_whom_one_paid_last_first(
    alice: Any, bob: Any, charlie: Any, pay: Callable, bobs: BankAccount, open_account: Callable
) -> None:
    theirs = open_account(charlie)
    pay(bobs, at=NOON)
    pay(theirs, at=NOON + timedelta(hours=1))
    assert [row.name for row in payee_selectors.payees_of(alice)] == ["Charlie Example", "Bob Brandt"]
    pay(bobs, at=NOON + timedelta(hours=2))
    first, second = payee_selectors.payees_of(alice)
    assert (first.name, first.masked_number, first.last_paid_at) == (
        "Bob Brandt",
        bobs.masked_number,
        NOON + timedelta(hours=2),
    )
    assert second.can_receive
    assert payee_selectors.payees_of(alice, most=1) == [first]


@in_one_world("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_a_payee_who_cannot_receive_is_shown_and_not_filled_in(
    alice: Any, payee: Payee, bobs: BankAccount, freeze: Callable, status: AccountStatus
) -> None:
    assert payee_selectors.payable(alice, payee.public_id) == FilledIn(bobs.number_grouped, "Bob Brandt")
    freeze(bobs, status)
    assert [row.can_receive for row in payee_selectors.payees_of(alice)] == [False]
    assert payee_selectors.payable(alice, payee.public_id) is None


def test_the_list_costs_one_statement_however_long_it_is(
    alice: Any, bob: Any, payee: Payee, open_account: Callable
) -> None:
    for _ in range(5):
        Payee.objects.create(customer=alice, account=open_account(bob), first_paid_at=NOON, last_paid_at=NOON)
    with CaptureQueriesContext(connection) as captured:
        assert len(payee_selectors.payees_of(alice)) == 6
    assert len(captured) == 1


def test_a_number_that_somebody_tampered_with_is_left_out(
    alice: Any, charlie: Any, payee: Payee, bobs: BankAccount
) -> None:
    """R8.1: fails closed, and breaks no page."""
    BankAccount.objects.filter(pk=bobs.pk).update(owner=charlie)  # the number is sealed to Bob
    assert payee_selectors.payable(alice, payee.public_id) is None
    assert [row.masked_number for row in payee_selectors.payees_of(alice)] == ["unreadable"]


def test_one_of_the_banks_own_accounts_is_never_a_payee(alice: Any) -> None:
    desk = BankAccount.objects.get(ledger_code="cash-0")
    payee = Payee.objects.create(customer=alice, account=desk, first_paid_at=NOON, last_paid_at=NOON)
    with pytest.raises(ValueError, match="A payee is a customer"):
        payee_selectors.payee_row(alice, payee.public_id)


# --- Calling them something -----------------------------------------------------------------------------------


def test_a_payee_is_called_what_the_customer_likes_until_that_is_taken_back(alice: Any, payee: Payee) -> None:
    payees.rename_payee(actor=alice, public_id=payee.public_id, label="Landlord 🏠")
    row = payee_selectors.payee_row(alice, payee.public_id)
    assert (row.name, row.account_name) == ("Landlord 🏠", "Bob Brandt")
    payees.rename_payee(actor=alice, public_id=payee.public_id, label="")
    assert payee_selectors.payee_row(alice, payee.public_id).name == "Bob Brandt"


def test_the_audit_log_says_that_and_not_what(alice: Any, payee: Payee, bobs: BankAccount) -> None:
    """R6.2: no names, only masked numbers; and nothing if nothing changed."""
    for _ in range(2):
        payees.rename_payee(actor=alice, public_id=payee.public_id, label="Landlord")
    payees.remove_payee(actor=alice, public_id=payee.public_id)
    renamed, removed = AuditEntry.objects.filter(action__startswith="PAYEE_").order_by("id")
    assert [renamed.action, removed.action] == ["PAYEE_RENAMED", "PAYEE_REMOVED"]
    for entry in (renamed, removed):
        assert (entry.actor_id, entry.subject_type, entry.subject_id) == (alice.pk, "payee", str(payee.public_id))
        assert entry.details == {"account": bobs.masked_number}


def test_a_label_that_is_too_long_is_a_fault_of_the_caller(alice: Any, payee: Payee) -> None:
    payees.rename_payee(actor=alice, public_id=payee.public_id, label="W" * MAX_LABEL_CHARS)
    with pytest.raises(ValueError, match="too long"):
        payees.rename_payee(actor=alice, public_id=payee.public_id, label="W" * (MAX_LABEL_CHARS + 1))


# --- Taking them off ------------------------------------------------------------------------------------------


def test_removing_forgets_the_payee_and_nothing_of_what_was_paid(
    alice: Any, payee: Payee, pay: Callable, bobs: BankAccount, books: Callable
) -> None:
    before = books()
    payees.remove_payee(actor=alice, public_id=payee.public_id)
    assert not Payee.objects.exists()
    assert books() == before
    assert Entry.objects.filter(account=bobs).exists()
    pay(bobs)
    assert Payee.objects.get().public_id != payee.public_id


# --- Ownership ------------------------------------------------------------------------------------------------

ACTS: list[Callable[..., Any]] = [
    lambda **kwargs: payees.rename_payee(label="Mine", **kwargs),
    payees.remove_payee,
]


@in_one_world("act", ACTS)
def test_somebody_elses_payee_is_as_unknown_as_none(charlie: Any, bob: Any, payee: Payee, act: Callable) -> None:
    """R1.7; not even for the payee."""
    for actor, public_id in ((charlie, payee.public_id), (bob, payee.public_id), (bob, uuid.uuid4())):
        with pytest.raises(payees.PayeeNotFound):
            act(actor=actor, public_id=public_id)
    assert Payee.objects.get().label == ""
    assert not AuditEntry.objects.filter(action__startswith="PAYEE_").exists()
    assert payee_selectors.payable(charlie, payee.public_id) is None
    assert not payee_selectors.named_payee(charlie, payee.account).is_known
    with pytest.raises(Payee.DoesNotExist):
        payee_selectors.payee_row(charlie, payee.public_id)


@in_one_world("act", ACTS)
@in_one_world("role", ["sam", "audrey", "ada"])
def test_staff_have_no_payees(request: pytest.FixtureRequest, payee: Payee, role: str, act: Callable) -> None:
    """R1.7."""
    with pytest.raises(PermissionDenied):
        act(actor=request.getfixturevalue(role), public_id=payee.public_id)
    assert Payee.objects.get().label == ""


def test_a_payee_can_still_be_found_by_number_and_a_mistyped_one_not(
    alice: Any, payee: Payee, bobs: BankAccount
) -> None:
    assert payees.find_payee(actor=alice, number=bobs.number_grouped).account == bobs
    with pytest.raises(InvalidAccountNumber):
        payees.find_payee(actor=alice, number="1234")


@in_one_world("source", ["somebody else's", "nobody's"])
def test_beside_an_account_that_is_not_ones_own_nothing_is_found(
    source: str, alice: Any, bobs: BankAccount, everyday: BankAccount, open_account: Callable, charlie: Any
) -> None:
    """R3.3: no look-up is counted there, so not even its time may reveal whether the number exists."""
    number = open_account(charlie).number if source == "somebody else's" else new_number()
    given: dict[str, Any] = {"actor": alice, "target_number": bobs.number, "idempotency_key": "look it up"}
    read: list[int] = []
    instances = payees._sides.instances

    def noted(*values: Any) -> Any:
        rows = instances(*values)
        read.append(len(rows))
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payees._sides, "instances", noted)
        with pytest.raises(NotYourAccount):
            payees.find_sides(source_number=number, **given)
        own, found = payees.find_sides(source_number=str(everyday.number), **given)
    assert (own, found.account) == (everyday, bobs)
    assert read == [0, 2]
