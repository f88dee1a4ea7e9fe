"""The ledger's batch: many transactions at once, under the same rules as one (R3.1, R3.4)."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount
from tests.tables import in_one_world
from transfers.ledger import posting as ledger
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive, InsufficientFunds, Planned, UnbalancedTransaction
from transfers.models import Entry, Transaction, TransactionKind


@pytest.fixture
def planned(alice: Any) -> Callable[..., Planned]:
    """A transfer between two accounts, waiting to be posted."""

    def make(source: BankAccount, target: BankAccount, amount: str) -> Planned:
        legs = ledger.transfer_legs(debit=source.pk, credit=target.pk, amount=Decimal(amount))
        return Planned(TransactionKind.TRANSFER, legs, alice, timezone.now())

    return make


def post_many(batch: list[Planned]) -> list[ledger.Posting]:
    with transaction.atomic():
        return ledger.post_many(batch)


def faults() -> list[str]:
    """Return what is wrong with accounts and entries; orders are not the ledger's."""
    return [fault for fault in verification.faults() if fault.startswith(("account", "entry"))]


def test_each_follows_from_the_one_before(alice: Any, bob: Any, open_account: Any, planned: Any) -> None:
    mine, theirs = open_account(alice, "10.00"), open_account(bob)
    postings = post_many([planned(mine, theirs, "10.00"), planned(theirs, mine, "4.00"), planned(mine, theirs, "1.50")])
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.balance, theirs.balance) == (Decimal("2.50"), Decimal("7.50"))
    rows = Entry.objects.filter(account=theirs).order_by("sequence").values_list("sequence", "balance_after")
    assert list(rows) == [(1, Decimal("10.00")), (2, Decimal("6.00")), (3, Decimal("7.50"))]
    assert len({posting.reference for posting in postings}) == 3
    assert faults() == []


def test_money_that_arrives_in_the_batch_can_be_spent_in_it_but_not_before(
    alice: Any, bob: Any, open_account: Any, planned: Any
) -> None:
    mine, theirs = open_account(alice, "10.00"), open_account(bob)
    batch = [planned(mine, theirs, "10.00"), planned(theirs, mine, "10.00")]
    with pytest.raises(InsufficientFunds) as refusal:
        post_many(batch[::-1])
    assert refusal.value.__notes__ == ["transaction 0 of the batch, counted from 0"]
    post_many(batch)


def test_one_refusal_stops_the_whole_batch_and_says_which_it_was(
    alice: Any, bob: Any, open_account: Any, planned: Any
) -> None:
    mine, theirs, frozen = open_account(alice, "10.00"), open_account(bob), open_account(bob)
    BankAccount.objects.filter(pk=frozen.pk).update(status=AccountStatus.FROZEN)
    written = Transaction.objects.count()
    good = planned(mine, theirs, "1.00")
    unbalanced = replace(good, legs=good.legs[:1])
    for bad, error in (
        (planned(mine, theirs, "9.00"), InsufficientFunds),
        (planned(mine, frozen, "1.00"), AccountNotActive),
        (unbalanced, UnbalancedTransaction),
    ):
        with pytest.raises(error) as refusal:
            post_many([good, good, bad])
        assert refusal.value.__notes__ == ["transaction 2 of the batch, counted from 0"]
    mine.refresh_from_db()
    assert (mine.balance, Transaction.objects.count()) == (Decimal("10.00"), written)


def test_two_thousand_cost_tens_of_statements(alice: Any, bob: Any, open_account: Any, planned: Any) -> None:
    accounts = [open_account(owner, "500.00") for owner in (alice, bob) for _ in range(10)]
    batch = [planned(accounts[n % 20], accounts[(n * 7 + 1) % 20], "0.01") for n in range(2000)]
    # 1 lock, 1 for all balances, 1 read again, and 256, 64, 16, 4, 2 or 1 rows with each insert.
    with CaptureQueriesContext(
        connection,
    ) as queries:
        post_many(batch)
    assert len(queries) <= 40
    assert Transaction.objects.count() == 2020
    assert faults() == []


def test_a_batch_that_loses_its_lock_is_not_written(
    alice: Any, bob: Any, open_account: Any, planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [open_account(owner, "5.00") for owner in (alice, bob) for _ in range(10)]
    batch = [planned(accounts[n], accounts[(n + 1) % 20], "1.00") for n in range(20)]
    locked = ledger.locked
    calls: list[set[int]] = []

    def overtaken(ids: set[int]) -> Any:
        rows = locked(ids)
        if not calls:
            calls.append(ids)
            stolen = BankAccount.objects.filter(pk=accounts[3].pk)
            stolen.update(last_sequence=99)
        return rows

    monkeypatch.setattr(ledger, "locked", overtaken)
    with pytest.raises(OperationalError, match="could not serialize"):
        post_many(batch)
    assert Transaction.objects.count() == 20


@in_one_world("times", [1, 8, 9, 64, 65, 500, 501, 1001])
def test_however_many_accounts_are_locked_each_is_there_once(db: None, times: int) -> None:
    """More than one statement takes (SQL Server has 2,100 parameters), and exactly as many as it takes; and only a few
    lengths of statements, which are compiled once."""
    made = [BankAccount(kind=AccountKind.CASH, ledger_code=f"till-{number}") for number in range(times)]
    ids = {account.pk for account in BankAccount.objects.bulk_create(made)}
    with CaptureQueriesContext(connection) as queries:
        assert set(ledger.locked(ids)) == ids
    assert len(queries) == -(-times // 500)
    lists = [query["sql"].partition(" IN (")[2].partition(")")[0] for query in queries]
    assert {one.count(",") + 1 for one in lists} <= {1, 2, 8, 64, 500}


def test_nothing_is_nothing(db: Any) -> None:
    assert post_many([]) == []


def test_it_is_refused_outside_a_transaction(transactional_db: Any) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        ledger.post_many([])
