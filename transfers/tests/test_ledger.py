"""The ledger's rules, tested on `ledger.post` itself (R3.1, R3.3, R3.4)."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.ledger import posting as ledger
from transfers.ledger.posting import AccountNotActive, InsufficientFunds, Leg, UnbalancedTransaction, transfer_legs
from transfers.models import Direction, Entry, Transaction, TransactionKind


def bank_account(code: str) -> BankAccount:
    return BankAccount.objects.get(ledger_code=code)


def move(by: Any, source: BankAccount, target: BankAccount, amount: str, **kwargs: Any) -> ledger.Posting:
    legs = transfer_legs(debit=source.pk, credit=target.pk, amount=Decimal(amount))
    kwargs.setdefault("kind", TransactionKind.TRANSFER)
    return ledger.post(legs=legs, initiated_by=by, at=timezone.now(), **kwargs)


# --- What is written ----------------------------------------------------------------------------------------


def test_a_transaction_has_balanced_entries_with_the_balance_after_and_the_next_sequence(
    alice: Any, everyday: BankAccount, bobs: BankAccount
) -> None:
    """R3.1."""
    posting = move(alice, everyday, bobs, "30.25", description="Lunch")

    row = Transaction.objects.get(pk=posting.transaction_id)
    assert (row.kind, row.amount, row.description) == ("transfer", Decimal("30.25"), "Lunch")
    assert (row.reference, row.initiated_by, row.reverses) == (posting.reference, alice, None)
    entries = (
        Entry.objects.filter(transaction=row)
        .order_by("account")
        .values_list("account", "direction", "amount", "balance_after", "sequence", "posted_at")
    )
    assert list(entries) == [
        (everyday.pk, "debit", Decimal("30.25"), Decimal("69.75"), 2, row.created_at),
        (bobs.pk, "credit", Decimal("30.25"), Decimal("30.25"), 1, row.created_at),
    ]
    rows = BankAccount.objects.filter(pk__in=[everyday.pk, bobs.pk]).order_by("pk")
    assert [(row.balance, row.last_sequence) for row in rows] == [(Decimal("69.75"), 2), (Decimal("30.25"), 1)]


@in_one_world(
    ("code", "direction", "change"),
    [
        ("cash-7", Direction.DEBIT, "5.00"),
        ("cash-7", Direction.CREDIT, "-5.00"),
        ("interest", Direction.DEBIT, "5.00"),
        ("interest", Direction.CREDIT, "-5.00"),
        ("fees", Direction.DEBIT, "-5.00"),
        ("fees", Direction.CREDIT, "5.00"),
    ],
)
def test_assets_grow_by_debits_and_debts_by_credits(
    alice: Any, everyday: BankAccount, balance_of: Callable, code: str, direction: Direction, change: str
) -> None:
    """R3.1: cash and interest are debit-normal, customers' accounts and fees credit-normal; the bank's own may go
    below zero."""
    internal = bank_account(code)
    other = Direction.CREDIT if direction == Direction.DEBIT else Direction.DEBIT
    legs = [Leg(internal.pk, direction, Decimal(5)), Leg(everyday.pk, other, Decimal(5))]
    ledger.post(kind=TransactionKind.FEE, legs=legs, initiated_by=alice, at=timezone.now())
    assert balance_of(internal) - internal.balance == Decimal(change)
    assert balance_of(everyday) == (Decimal("95.00") if other == Direction.DEBIT else Decimal("105.00"))


def test_a_transaction_may_have_more_than_two_sides(
    alice: Any, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    """R3.1: a payment and the fee on it are one transaction."""
    legs = [
        Leg(everyday.pk, Direction.DEBIT, Decimal("10.50")),
        Leg(bobs.pk, Direction.CREDIT, Decimal("10.00")),
        Leg(bank_account("fees").pk, Direction.CREDIT, Decimal("0.50")),
    ]
    posting = ledger.post(kind=TransactionKind.TRANSFER, legs=legs, initiated_by=alice, at=timezone.now())
    assert Transaction.objects.get(pk=posting.transaction_id).amount == Decimal("10.50")
    assert [balance_of(everyday), balance_of(bobs)] == [Decimal("89.50"), Decimal("10.00")]
    assert balance_of(bank_account("fees")) == Decimal("0.50")


def test_all_of_the_available_money_can_be_moved_and_not_a_cent_more(
    alice: Any, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    """R3.3."""
    with pytest.raises(InsufficientFunds):
        move(alice, everyday, bobs, "100.01")
    move(alice, everyday, bobs, "100.00")
    assert balance_of(everyday) == 0
    with pytest.raises(InsufficientFunds):
        move(alice, everyday, bobs, "0.01")


def test_ten_cents_and_twenty_cents_are_thirty_cents(
    alice: Any, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    """R3.2: no float residue."""
    for amount in ("0.10", "0.20"):
        move(alice, everyday, bobs, amount)
    move(alice, bobs, everyday, "0.30")
    assert balance_of(bobs) == 0
    assert balance_of(everyday) == Decimal("100.00")


# --- What is refused ----------------------------------------------------------------------------------------


def test_held_money_is_reserved(alice: Any, everyday: BankAccount, bobs: BankAccount, hold: Callable) -> None:
    """R3.10: held money leaves the available balance, not the balance."""
    hold(everyday, "40.00")
    with pytest.raises(InsufficientFunds):
        move(alice, everyday, bobs, "60.01")
    move(alice, everyday, bobs, "60.00")
    everyday.refresh_from_db()
    assert (everyday.balance, everyday.available) == (Decimal("40.00"), Decimal(0))


@in_one_world("side", ["source", "target"])
@in_one_world("status", [AccountStatus.FROZEN, AccountStatus.CLOSED])
def test_no_money_moves_into_or_out_of_an_account_that_is_not_active(
    alice: Any, everyday: BankAccount, bobs: BankAccount, freeze: Callable, books: Callable, side: str, status: str
) -> None:
    """R2.3."""
    account = everyday if side == "source" else bobs
    freeze(account, status)
    before = books()
    with pytest.raises(AccountNotActive) as refusal:
        move(alice, everyday, bobs, "1.00")
    assert refusal.value.account_id == account.pk
    assert books() == before


BAD_LEGS = {
    "nothing": [],
    "one side": [("everyday", Direction.DEBIT, "5")],
    "sides differ": [("everyday", Direction.DEBIT, "5"), ("bobs", Direction.CREDIT, "4.99")],
    "both debits": [("everyday", Direction.DEBIT, "5"), ("bobs", Direction.DEBIT, "5")],
    "zero": [("everyday", Direction.DEBIT, "0"), ("bobs", Direction.CREDIT, "0")],
    "negative": [("everyday", Direction.DEBIT, "-5"), ("bobs", Direction.CREDIT, "-5")],
    "negative hidden in a sum": [
        ("everyday", Direction.DEBIT, "5"),
        ("bobs", Direction.CREDIT, "10"),
        ("fees", Direction.CREDIT, "-5"),
    ],
    "the same account twice": [("everyday", Direction.DEBIT, "5"), ("everyday", Direction.CREDIT, "5")],
    "an unknown account": [("everyday", Direction.DEBIT, "5"), (987_654_321, Direction.CREDIT, "5")],
}


@in_one_world("legs", BAD_LEGS.values(), ids=BAD_LEGS)
def test_legs_that_make_no_transaction_are_a_fault_of_the_caller(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable, legs: list
) -> None:
    """R3.1."""
    ids = {"everyday": everyday.pk, "bobs": bobs.pk, "fees": bank_account("fees").pk}
    before = books()
    with pytest.raises(UnbalancedTransaction):
        ledger.post(
            kind=TransactionKind.TRANSFER,
            legs=[Leg(ids.get(name, name), direction, Decimal(amount)) for name, direction, amount in legs],
            initiated_by=alice,
            at=timezone.now(),
        )
    assert books() == before


@in_one_world(
    ("amount", "error"),
    [
        (5.0, TypeError),
        (5, TypeError),
        ("5", TypeError),
        (True, TypeError),
        (None, TypeError),
        (Decimal("NaN"), ValueError),
        (Decimal("Infinity"), ValueError),
        (Decimal("-Infinity"), ValueError),
        (Decimal("0.001"), ValueError),
    ],
)
def test_only_a_finite_decimal_of_whole_minor_units_is_money(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable, amount: Any, error: type[Exception]
) -> None:
    """R3.2: no float anywhere."""
    before = books()
    with pytest.raises(error):
        ledger.post(
            kind=TransactionKind.TRANSFER,
            legs=transfer_legs(debit=everyday.pk, credit=bobs.pk, amount=amount),
            initiated_by=alice,
            at=timezone.now(),
        )
    assert books() == before


@proves("V2.3.3")
def test_nothing_is_written_when_the_second_account_refuses(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable
) -> None:
    """R3.4: all or nothing; Bob's account comes first in the transaction and second in the lock order."""
    before = books()
    with pytest.raises(InsufficientFunds):
        move(alice, bobs, everyday, "1.00")
    assert books() == before


@pytest.mark.django_db(transaction=True)
def test_posting_outside_a_transaction_is_refused(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable
) -> None:
    """R3.4: the locks would end with the statement that took them."""
    before = books()
    with pytest.raises(RuntimeError, match="inside a transaction"):
        move(alice, everyday, bobs, "1.00")
    assert books() == before


@proves("V15.4.2")
def test_a_balance_that_moved_meanwhile_is_not_overwritten(
    alice: Any, everyday: BankAccount, bobs: BankAccount, monkeypatch: pytest.MonkeyPatch, books: Callable
) -> None:
    """R3.4: if an engine ignored a lock hint, the conditional UPDATE would still catch the second writer."""
    read = ledger._lock_accounts.rows

    def read_then_lose_the_lock(ids: list[int]) -> list[tuple]:
        rows = read(ids)
        monkeypatch.undo()
        with transaction.atomic():
            move(alice, everyday, bobs, "1.00")
        return rows

    before = books()
    monkeypatch.setattr(ledger._lock_accounts, "rows", read_then_lose_the_lock)
    with pytest.raises(OperationalError, match="could not serialize"), transaction.atomic():
        move(alice, everyday, bobs, "100.00")
    assert books() == before


# --- Reversal -----------------------------------------------------------------------------------------------


def test_a_transaction_is_reversed_once(
    alice: Any, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    """R3.1: a mistake is reversed by a new transaction; the database refuses a second."""
    mistake = Transaction.objects.get(pk=move(alice, everyday, bobs, "20.00").transaction_id)

    reversal = move(alice, bobs, everyday, "5.00", kind=TransactionKind.REVERSAL, reverses=mistake)
    assert Transaction.objects.get(pk=reversal.transaction_id).reverses == mistake
    assert reversal.reverses_id == mistake.pk
    with pytest.raises(IntegrityError), transaction.atomic():
        move(alice, bobs, everyday, "5.00", kind=TransactionKind.REVERSAL, reverses=mistake)
    assert balance_of(bobs) == Decimal("15.00")


# --- Evidence -----------------------------------------------------------------------------------------------


def test_the_digest_changes_with_any_altered_field(alice: Any, everyday: BankAccount, bobs: BankAccount) -> None:
    """R6.3: the audit log keeps it, so that a rewritten ledger shows."""
    posting = move(alice, everyday, bobs, "30.00", description="Lunch")
    altered: dict[str, Any] = {
        "transaction_id": uuid4(),
        "kind": "deposit",
        "reference": "0000-0000-0000",
        "amount": posting.amount + 1,
        "description": "lunch",
        "initiated_by_id": posting.initiated_by_id + 1,
        "reverses_id": uuid4(),
        "created_at": posting.created_at + timedelta(microseconds=1),
        "entries": posting.entries[:1],
    }
    assert set(altered) == {field.name for field in fields(posting)}
    digests = {replace(posting, **{name: value}).digest for name, value in altered.items()}

    first, second = posting.entries
    other: dict[str, Any] = {
        "account_id": first.account_id + 1000,
        "direction": "credit",
        "amount": first.amount + 1,
        "balance_after": first.balance_after - 1,
        "sequence": first.sequence + 1,
    }
    for name, value in other.items():
        digests.add(replace(posting, entries=(replace(first, **{name: value}), second)).digest)
    assert len(digests - {posting.digest}) == len(altered) + len(other)


def test_the_digest_does_not_depend_on_the_order_in_which_entries_are_read(
    alice: Any, everyday: BankAccount, bobs: BankAccount
) -> None:
    """R6.3."""
    posting = move(alice, everyday, bobs, "30.00")
    assert replace(posting, entries=posting.entries[::-1]).digest == posting.digest


@in_one_world(
    ("bits", "reference"),
    [(0, "0000-0000-0000"), (2**60 - 1, "ZZZZ-ZZZZ-ZZZZ"), (0x123456789ABCDEF, "FFKQ-T4YC-5T82")],
)
def test_a_reference_is_sixty_random_bits_in_letters_that_nobody_confuses(
    bits: int, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them: with fewer, two movements would have the same one day."""
    # Any other number of bits never occurs.
    monkeypatch.setattr(ledger.secrets, "randbits", {60: bits}.__getitem__)
    assert ledger.new_reference() == reference


# --- What it costs ------------------------------------------------------------------------------------------


def test_a_posting_takes_five_statements(
    alice: Any, everyday: BankAccount, bobs: BankAccount, django_assert_num_queries: Callable
) -> None:
    """A fixed number, at most eight: lock, two balances, one transaction, its entries."""
    move(alice, everyday, bobs, "1.00")
    with django_assert_num_queries(5) as first:
        move(alice, everyday, bobs, "1.00")
    verbs = [query["sql"].split()[0] for query in first.captured_queries]
    assert verbs == ["SELECT", "UPDATE", "UPDATE", "INSERT", "INSERT"]


def test_the_number_of_statements_does_not_grow_with_the_history(
    alice: Any, everyday: BankAccount, bobs: BankAccount, django_assert_num_queries: Callable
) -> None:
    for _ in range(30):
        move(alice, everyday, bobs, "0.01")
    with django_assert_num_queries(5):
        move(alice, everyday, bobs, "0.01")


def test_every_kind_of_account_is_either_a_customers_or_the_banks() -> None:
    """R3.1: any other kind would have no normal side, no funds check and no CHECK."""
    from accounts.models import CUSTOMER_KINDS, INTERNAL_KINDS

    assert set(CUSTOMER_KINDS) | set(INTERNAL_KINDS) == set(AccountKind)
    assert not set(CUSTOMER_KINDS) & set(INTERNAL_KINDS)
