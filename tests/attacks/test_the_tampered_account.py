"""An intruder who can write to the database gives an account to another owner: nothing in the bank moves money in or
out of it, and its other customers do not notice (R3.15, R8.1; claim 1 of what was too wide)."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from accounts.models import AccountKind, BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.asvs import proves
from tests.staff_acts import REASON
from transfers.accounts import closing
from transfers.interest.posting import accrue_interest
from transfers.models import SavingsInterest, Transaction
from transfers.orders import cash, reversals, sending
from transfers.orders.ownership import AccountUnreadable

pytestmark = pytest.mark.django_db

OPENED = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.SAVINGS_RATE = "0.0365"


@pytest.fixture
def hers(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's savings with 1,000.00."""
    return open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)


@pytest.fixture
def his(bob: Any, open_account: Callable) -> BankAccount:
    return open_account(bob, "1000.00", AccountKind.SAVINGS, at=OPENED)


def give_away(account: BankAccount, owner: Any) -> BankAccount:
    """Change one column of one row, as a thief with a login to the database would."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_bankaccount SET owner_id = %s WHERE id = %s", [owner.pk, account.pk])
    return BankAccount.objects.get(pk=account.pk)


def exchange_numbers(one: BankAccount, other: BankAccount) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM accounts_bankaccount WHERE id = %s", [other.pk])
        (number,) = cursor.fetchone()
        cursor.execute("UPDATE accounts_bankaccount SET number = %s WHERE id = %s", [number, one.pk])


def movements() -> int:
    return Transaction.objects.count()


@proves("V11.3.3")
def test_neither_sending_nor_reversing_nor_closing_moves_a_cent_of_it(
    hers: BankAccount, alice: Any, bob: Any, charlie: Any, ada: Any, open_account: Callable, new_key: Callable
) -> None:
    """The journey: at every door that the thief tries the answer is the same, and each try is in the log."""
    bobs = open_account(bob, at=OPENED)
    order = acts.transfer(actor=alice, source=hers, target=bobs, amount=Decimal(30), idempotency_key=new_key())
    pocket = open_account(charlie)
    stolen, before = give_away(hers, charlie), movements()

    with pytest.raises(AccountUnreadable):
        sending.transfer(actor=charlie, source=stolen, target=pocket, amount=Decimal(5), idempotency_key=new_key())
    with pytest.raises(AccountUnreadable):
        cash.withdraw(actor=charlie, account=stolen, amount=Decimal(5), idempotency_key=new_key())
    with pytest.raises(AccountUnreadable):
        reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason=REASON)
    refused = AuditEntry.objects.filter(action="REVERSAL_REFUSED").latest("pk")
    assert refused.details == {"reason": "account_unreadable", "reference": order.transaction.reference}
    BankAccount.objects.filter(pk=stolen.pk).update(balance=Decimal(0))
    with pytest.raises(AccountUnreadable):
        closing.close_account(actor=charlie, account=BankAccount.objects.get(pk=stolen.pk))
    assert movements() == before
    assert BankAccount.objects.get(pk=stolen.pk).is_active


@pytest.mark.parametrize("side", ["who paid", "who was paid"])
def test_a_reversal_refuses_whichever_side_was_given_away(
    hers: BankAccount, bob: Any, charlie: Any, ada: Any, open_account: Callable, new_key: Callable, side: str
) -> None:
    bobs = open_account(bob, at=OPENED)
    order = acts.transfer(actor=hers.owner, source=hers, target=bobs, amount=Decimal(30), idempotency_key=new_key())
    give_away(hers if side == "who paid" else bobs, charlie)
    with pytest.raises(AccountUnreadable):
        reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason=REASON)
    assert not Transaction.objects.filter(kind="reversal").exists()


def test_a_number_that_was_exchanged_stops_it_too(
    hers: BankAccount, his: BankAccount, ada: Any, bob: Any, new_key: Callable
) -> None:
    order = acts.transfer(actor=hers.owner, source=hers, target=his, amount=Decimal(30), idempotency_key=new_key())
    exchange_numbers(his, hers)
    with pytest.raises(AccountUnreadable):
        reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason=REASON)
    assert accrue_interest(at=NIGHT).left_out == [his.pk]


@proves("V11.3.3")
def test_the_nightly_run_leaves_it_out_says_which_and_goes_on_with_the_others(
    hers: BankAccount, his: BankAccount, charlie: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As the scheduler runs it; and once the row is restored, the days are made up for."""
    owner, out, err = hers.owner, StringIO(), StringIO()
    give_away(hers, charlie)
    with time_machine.travel(NIGHT, tick=False), caplog.at_level(logging.CRITICAL):
        call_command("accrue_interest", stdout=out, stderr=err)
    assert "31 days of 1 accounts counted, 1 payments posted, €3.10 in all." in out.getvalue()
    assert f"Left out: the number of account {hers.pk} does not open for its owner." in err.getvalue()
    assert f"Money was stopped at account {hers.pk}" in caplog.text
    assert [row.account_id for row in SavingsInterest.objects.all()] == [his.pk]
    give_away(hers, owner)
    run = accrue_interest(at=NIGHT)
    assert (run.left_out, run.accounts, run.posted) == ([], 1, Decimal("3.10"))


def test_a_dry_run_says_the_same(hers: BankAccount, his: BankAccount, charlie: Any) -> None:
    give_away(hers, charlie)
    run = accrue_interest(at=NIGHT, dry_run=True)
    assert (run.left_out, run.accounts) == ([hers.pk], 1)


def test_interest_of_a_closed_account_does_not_go_to_one_that_was_given_away(
    hers: BankAccount, alice: Any, charlie: Any, open_account: Callable, browser_of: Callable, new_key: Callable
) -> None:
    """The thief gives one of his accounts to Alice, to have her interest when it is given back."""
    pocket = open_account(charlie, at=OPENED - timedelta(days=9))
    give_away(pocket, alice)
    acts.withdraw(actor=alice, account=hers, amount=Decimal(1000), idempotency_key=new_key(), at=NIGHT)
    before = movements()
    with pytest.raises(AccountUnreadable):
        closing.close_account(actor=alice, account=hers, at=NIGHT + timedelta(hours=1))
    assert movements() == before
    with time_machine.travel(NIGHT + timedelta(hours=2), tick=False):
        page = browser_of(alice).post(reverse("account_close", args=[hers.public_id]))
    assert "no money moves in or out of it" in page.text
