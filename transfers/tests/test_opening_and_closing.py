"""Opening and closing accounts of one's own (R2.1, R2.2, R2.3)."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.account_numbers import parse_number
from accounts.models import AccountKind, AccountStatus, BankAccount
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from foundation.limiter.limiter import TooOften
from foundation.models import OutboxMessage
from tests import acts
from tests.tables import in_one_world
from tests.unguarded import everything_off, not_on_sql_server
from transfers.accounts import closing, opening
from transfers.ledger.posting import AccountNotActive
from transfers.models import Transaction, TransferOrder
from transfers.orders import cash

# --- Opening ------------------------------------------------------------------------------------------------


def test_a_customer_opens_several_accounts_of_each_kind(alice: Any, open_account: Callable) -> None:
    """R2.1."""
    kinds = [AccountKind.CHECKING, AccountKind.SAVINGS] * 2
    accounts = [open_account(alice, kind=kind, nickname=f"No. {number}") for number, kind in enumerate(kinds)]
    assert [account.kind for account in accounts] == kinds
    assert {account.owner for account in accounts} == {alice}
    assert len({parse_number(account.number) for account in accounts}) == 4
    assert {account.balance for account in accounts} == {Decimal(0)}


def test_an_opening_deposit_is_a_transaction_of_the_ledger(alice: Any, open_account: Callable) -> None:
    """R2.1: never typed into a balance."""
    account = open_account(alice, "12.34")
    assert (account.balance, account.last_sequence) == (Decimal("12.34"), 1)
    row = Transaction.objects.get(entries__account=account)
    assert (row.kind, row.amount, row.initiated_by) == ("deposit", Decimal("12.34"), alice)
    assert TransferOrder.objects.get(transaction=row).target == account


def test_an_account_without_opening_deposit_has_no_entry(alice: Any, open_account: Callable, books: Callable) -> None:
    before = books()
    open_account(alice)
    after = books()
    assert (after.transactions, after.orders) == (before.transactions, before.orders)


def test_opening_is_audited_and_told(alice: Any, open_account: Callable) -> None:
    """R6.1, R3.8."""
    account = open_account(alice, "1.00")
    actions = AuditEntry.objects.filter(actor_id=alice.pk).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["ACCOUNT_CREATED", "DEPOSIT_CREATED"]
    entry = AuditEntry.objects.get(action="ACCOUNT_CREATED")
    assert entry.subject_id == str(account.public_id)
    assert entry.details == {"kind": "checking", "number": account.masked_number}
    message = OutboxMessage.objects.get()
    assert (message.event, json.loads(message.payload)) == ("account_opened", {"account_id": account.pk})


def test_a_double_submit_opens_one_account_and_deposits_once(
    alice: Any, open_account: Callable, books: Callable
) -> None:
    """R3.5."""
    first = open_account(alice, "5.00", idempotency_key="open-once")
    before = books()
    second = open_account(alice, "5.00", idempotency_key="open-once")
    assert (second.pk, second.balance) == (first.pk, Decimal("5.00"))
    assert books() == before


@in_one_world(
    ("deposit", "kind"),
    [("6.00", AccountKind.CHECKING), ("0", AccountKind.CHECKING), ("5.00", AccountKind.SAVINGS)],
)
def test_the_same_key_with_other_inputs_is_refused(
    alice: Any, open_account: Callable, books: Callable, deposit: str, kind: AccountKind
) -> None:
    """R3.5."""
    open_account(alice, "5.00", idempotency_key="open-once")
    before = books()
    with pytest.raises(IdempotencyConflict):
        open_account(alice, deposit, kind, idempotency_key="open-once")
    assert books() == before


def test_a_key_used_for_a_deposit_opens_no_account(
    alice: Any, everyday: BankAccount, open_account: Callable, books: Callable
) -> None:
    """R3.5: refused, not an error of the database."""
    cash.deposit(actor=alice, account=everyday, amount=Decimal(5), idempotency_key="one-key-for-all")
    before = books()
    for amount in ("5.00", "0"):
        with pytest.raises(IdempotencyConflict):
            open_account(alice, amount, idempotency_key="one-key-for-all")
    assert books() == before


def test_a_key_that_opened_an_account_makes_no_deposit(alice: Any, open_account: Callable, books: Callable) -> None:
    """R3.5."""
    account = open_account(alice, "5.00", idempotency_key="one-key-for-all")
    before = books()
    with pytest.raises(IdempotencyConflict):
        cash.deposit(actor=alice, account=account, amount=Decimal(5), idempotency_key="one-key-for-all")
    assert books() == before


def test_another_customers_same_key_opens_another_account(alice: Any, bob: Any, open_account: Callable) -> None:
    """R3.5."""
    accounts = [open_account(user, "5.00", idempotency_key="open-once") for user in (alice, bob)]
    assert [account.owner for account in accounts] == [alice, bob]


def test_a_customer_has_no_more_open_accounts_than_the_bank_allows(
    alice: Any, bob: Any, open_account: Callable, settings: Any, books: Callable
) -> None:
    """R2.1: closed ones do not count, nor do other people's."""
    settings.MAX_OPEN_ACCOUNTS = 2
    open_account(bob)
    first, _ = open_account(alice), open_account(alice)
    before = books()
    with pytest.raises(opening.TooManyAccounts):
        open_account(alice)
    assert books() == before
    closing.close_account(actor=alice, account=first)
    open_account(alice)


def test_without_self_service_cash_an_account_opens_empty_only(
    alice: Any, open_account: Callable, settings: Any, books: Callable
) -> None:
    """R3.2."""
    settings.SELF_SERVICE_CASH = False
    before = books()
    with pytest.raises(cash.CashOnlyAtTheCounter):
        open_account(alice, "1.00")
    assert books() == before
    assert open_account(alice).balance == 0


def test_customers_open_no_accounts_of_the_banks_own(alice: Any, open_account: Callable, books: Callable) -> None:
    before = books()
    with pytest.raises(ValueError, match="cash"):
        open_account(alice, kind=AccountKind.CASH)
    assert books() == before


def test_opening_deposits_count_as_deposits_of_the_minute(alice: Any, open_account: Callable, settings: Any) -> None:
    """R3.9: also when their keys begin alike."""
    settings.DEPOSITS_PER_MINUTE = 3
    for number in range(3):
        open_account(alice, "1.00", idempotency_key=f"the same long beginning {number}")
    with pytest.raises(TooOften):
        open_account(alice, "1.00", idempotency_key="the same long beginning 3")
    assert BankAccount.objects.filter(owner=alice).count() == 3
    assert open_account(alice).balance == 0  # no deposit, no place in the minute


# --- Closing ------------------------------------------------------------------------------------------------


def test_an_empty_account_can_be_closed_for_good(
    alice: Any, everyday: BankAccount, savings: BankAccount, new_key: Callable
) -> None:
    """R2.3."""
    acts.transfer(actor=alice, source=everyday, target=savings, amount=Decimal(100), idempotency_key=new_key())
    closing.close_account(actor=alice, account=everyday)
    everyday.refresh_from_db()
    assert everyday.status == AccountStatus.CLOSED
    assert everyday.closed_at is not None
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    assert (entry.action, entry.subject_id) == ("ACCOUNT_CLOSED", str(everyday.public_id))
    assert OutboxMessage.objects.order_by("pk").last().event == "account_closed"  # type: ignore[union-attr]
    with pytest.raises(AccountNotActive):
        closing.close_account(actor=alice, account=everyday)
    with pytest.raises(AccountNotActive):
        cash.deposit(actor=alice, account=everyday, amount=Decimal(1), idempotency_key=new_key())


def test_an_account_with_money_in_it_stays_open(alice: Any, everyday: BankAccount, books: Callable) -> None:
    """R2.3: by what the database says now, not by what the caller read before."""
    before = books()
    everyday.balance = Decimal(0)
    with pytest.raises(closing.AccountNotEmpty):
        closing.close_account(actor=alice, account=everyday)
    everyday.refresh_from_db()
    assert everyday.status == AccountStatus.ACTIVE
    assert books() == before


@not_on_sql_server
def test_an_account_with_held_money_stays_open(alice: Any, savings: BankAccount) -> None:
    """R2.3, R3.10. The database lets nothing be held on an empty account, so its CHECK is put aside here."""
    with everything_off():
        BankAccount.objects.filter(pk=savings.pk).update(held=Decimal(1))
    with pytest.raises(closing.AccountNotEmpty):
        closing.close_account(actor=alice, account=savings)


def test_a_frozen_account_cannot_be_closed_by_its_owner(alice: Any, savings: BankAccount, freeze: Callable) -> None:
    """R2.3."""
    freeze(savings)
    with pytest.raises(AccountNotActive):
        closing.close_account(actor=alice, account=savings)
    savings.refresh_from_db()
    assert savings.status == AccountStatus.FROZEN


def test_refused_tries_at_opening_and_closing_are_counted_too(
    alice: Any, open_account: Any, settings: Any, new_key: Any
) -> None:
    """R3.9: the same refused form, sent again and again, is not free."""
    account, key = open_account(alice, "1.00"), new_key()
    settings.MAX_OPEN_ACCOUNTS = 1
    tries: list[Callable[[], Any]] = [
        lambda: opening.open_account(actor=alice, kind=AccountKind.CHECKING, idempotency_key=key),
        lambda: closing.close_account(actor=alice, account=account),
    ]
    for attempt, first in ((tries[0], 1), (tries[1], 0)):
        for _ in range(20 - first):
            with pytest.raises((opening.TooManyAccounts, closing.AccountNotEmpty)):
                attempt()
        with pytest.raises(TooOften):
            attempt()
