"""A new transaction reverses a mistake, once (R3.1)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount
from accounts.roles import Role
from audit.evidence import faults_of
from audit.models import AuditEntry
from foundation.refusals import NotYourself
from tests import acts
from tests.acts import mails, mails_of
from tests.asvs import proves
from tests.funds import used_by
from tests.plugin import triggers_off
from tests.staff_acts import REASON, entry_of
from tests.tables import in_one_world
from transfers import history
from transfers.accounts import freezing, opening
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import CustomerLimit, Transaction, TransferOrder
from transfers.orders import cash, reversals
from transfers.orders.limits import CashInLimitReached
from transfers.orders.reversals import IsReversal, ReversedAlready, reverse_transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(alice: Any, everyday: BankAccount, bobs: BankAccount) -> Transaction:
    """Alice has paid Bob 30.00 of her 100.00."""
    order = acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(30), idempotency_key="the mistake")
    assert order.transaction is not None
    return order.transaction


def reverse(actor: Any, transaction: Any) -> Transaction:
    return reverse_transaction(actor=actor, transaction=transaction, reason=REASON)


def test_the_same_amount_goes_back(
    ada: Any, payment: Transaction, everyday: BankAccount, bobs: BankAccount, balance_of: Callable
) -> None:
    reversal = reverse(ada, payment)
    assert (balance_of(everyday), balance_of(bobs)) == (Decimal(100), Decimal(0))
    assert (reversal.kind, reversal.amount, reversal.reverses) == ("reversal", Decimal(30), payment)
    assert (reversal.initiated_by, reversal.description) == (ada, f"Reversal of {payment.reference}")
    assert list(verification.faults()) == []


@in_one_world("service", [cash.deposit, cash.withdraw])
def test_cash_that_was_counted_wrongly_is_reversed_too(
    service: Callable, ada: Any, alice: Any, everyday: BankAccount, balance_of: Callable
) -> None:
    order = service(actor=alice, account=everyday, amount=Decimal(7), idempotency_key="miscounted")
    reverse(ada, order.transaction)
    assert balance_of(everyday) == Decimal(100)
    assert entry_of("TRANSFER_REVERSED").concerns_id == alice.pk
    assert list(verification.faults()) == []


def test_it_is_audited_with_evidence_and_both_sides_are_told(
    ada: Any, alice: Any, bob: Any, payment: Transaction, everyday: BankAccount, bobs: BankAccount
) -> None:
    # R6.1, R6.2, R6.3
    mails()
    reversal = reverse(ada, payment)
    entry = entry_of("TRANSFER_REVERSED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(reversal.pk), bob.pk)
    assert entry.details == {
        "reason": REASON,
        "reverses": payment.reference,
        "reference": reversal.reference,
        "amount": "30.00",
        "accounts": [everyday.masked_number, bobs.masked_number],
    }
    assert faults_of([entry]) == {}
    for user, says in ((alice, "came back to"), (bob, "was taken back from")):
        mail = mails(user.email)[-1]
        assert mail.subject == "A movement of €30.00 was reversed"
        assert f"{payment.reference}: €30.00 {says} your account" in mail.message
        assert not any(number in mail.message for number in (everyday.number, bobs.number))


def test_a_reversal_that_was_rewritten_shows(ada: Any, payment: Transaction) -> None:
    # R6.3
    reverse(ada, payment)
    with triggers_off(Transaction), connection.cursor() as cursor:
        cursor.execute("UPDATE transfers_transaction SET amount = amount + 1 WHERE reverses_id IS NOT NULL")
    entry = entry_of("TRANSFER_REVERSED")
    assert "rewritten" in faults_of([entry])[entry.pk]
    entry.subject_id = str(uuid4())
    assert "is missing" in faults_of([entry])[entry.pk]


def test_a_second_time_is_refused_and_recorded(
    ada: Any, bob: Any, bobs: BankAccount, payment: Transaction, books: Callable
) -> None:
    """Though there is enough money for it."""
    cash.deposit(actor=bob, account=bobs, amount=Decimal(100), idempotency_key="enough for many")
    reverse(ada, payment)
    before = books()
    with pytest.raises(ReversedAlready, match="already"):
        reverse(ada, payment)
    assert books() == before
    entry = entry_of("REVERSAL_REFUSED")
    assert entry.details == {"reason": "reversed_already", "reference": payment.reference}
    assert (entry.actor_id, entry.subject_id) == (ada.pk, str(payment.pk))


def test_who_was_faster_between_look_and_write_wins(
    ada: Any, payment: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    reverse(ada, payment)

    def too_late(*args: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(reversals, "post_reversal", too_late)
    with pytest.raises(ReversedAlready):
        reverse(ada, payment)
    other = Transaction.objects.exclude(pk=payment.pk).filter(reversals__isnull=True)[0]
    with pytest.raises(IntegrityError):
        reverse(ada, other)


def test_a_reversal_is_not_reversed(ada: Any, make_user: Any, payment: Transaction) -> None:
    reversal = reverse(ada, payment)
    with pytest.raises(IsReversal, match="new transfer"):
        reverse(make_user("Anna", Role.ADMIN), reversal)


def test_it_is_refused_when_the_money_is_gone_or_held(
    ada: Any, bob: Any, payment: Transaction, bobs: BankAccount, hold: Callable, books: Callable
) -> None:
    hold(bobs, "0.01")
    before = books()
    with pytest.raises(InsufficientFunds):
        reverse(ada, payment)
    assert books() == before
    hold(bobs, "0.00")
    cash.withdraw(actor=bob, account=bobs, amount=Decimal("0.01"), idempotency_key="spent it")
    with pytest.raises(InsufficientFunds):
        reverse(ada, payment)
    assert AuditEntry.objects.filter(action="REVERSAL_REFUSED").count() == 2


@in_one_world("side", ["everyday", "bobs"])
def test_it_is_refused_when_an_account_is_not_active(
    side: str, ada: Any, payment: Transaction, freeze: Callable, request: pytest.FixtureRequest
) -> None:
    account = request.getfixturevalue(side)
    freeze(account)
    with pytest.raises(AccountNotActive) as refused:
        reverse(ada, payment)
    assert f"The account {account.masked_number} is frozen" in str(refused.value)
    assert "have them lifted, then reverse this at once" in str(refused.value)
    freeze(account, AccountStatus.CLOSED)
    with pytest.raises(AccountNotActive, match="is closed"):
        reverse(ada, payment)


def test_its_owners_freeze_stops_a_reversal_too_and_keeps_the_money_until_it_is_lifted(
    ada: Any, bob: Any, payment: Transaction, bobs: BankAccount, balance_of: Callable
) -> None:
    """R2.3 has no exception: nothing moves on a frozen account. Bob cannot take the mistake away meanwhile either."""
    freezing.freeze_own_account(actor=bob, account=bobs)
    with pytest.raises(AccountNotActive):
        reverse(ada, payment)
    with pytest.raises(AccountNotActive):
        cash.withdraw(actor=bob, account=bobs, amount=Decimal(30), idempotency_key="quickly out")
    freezing.unfreeze_account(actor=ada, account=bobs, reason=REASON)
    reverse(ada, payment)
    assert balance_of(bobs) == Decimal(0)


def test_nobody_reverses_what_they_did_themselves(ada: Any, everyday: BankAccount, balance_of: Callable) -> None:
    # R5.2: not even a mistaken deposit for a customer; a colleague does.
    order = cash.deposit_at_counter(actor=ada, account=everyday, amount=Decimal(5), idempotency_key="my mistake")
    assert order.transaction is not None
    with pytest.raises(NotYourself):
        reverse(ada, order.transaction)
    assert balance_of(everyday) == Decimal(105)


def test_mails_are_written_of_what_they_are_about_only(payment: Transaction) -> None:
    with pytest.raises(ValueError, match="reverses something"):
        mails_of("transaction_reversed", transaction_id=str(payment.pk))


# --- The daily limit (R3.10, R3.15) ---------------------------------------------------------------------------


@proves("V2.3.2")
def test_it_frees_the_daily_limit_that_it_undid(
    ada: Any, alice: Any, payment: Transaction, everyday: BankAccount, bobs: BankAccount, settings: Any
) -> None:
    """30.00 of 35.00 were paid by mistake: after the reversal, 35.00 can be paid."""
    settings.DAILY_TRANSFER_LIMIT = Decimal(35)
    assert used_by(alice) == Decimal(30)
    reverse(ada, payment)
    assert used_by(alice) == Decimal(0)
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(35), idempotency_key="all of it")
    assert used_by(alice) == Decimal(35)


def test_cash_taken_out_is_freed_too(ada: Any, alice: Any, payment: Transaction, everyday: BankAccount) -> None:
    order = acts.withdraw(actor=alice, account=everyday, amount=Decimal(20), idempotency_key="miscounted")
    assert used_by(alice) == Decimal(50)
    reverse(ada, order.transaction)
    assert used_by(alice) == Decimal(30)


def test_a_reversal_of_an_earlier_day_frees_nothing(
    ada: Any, alice: Any, everyday: BankAccount, bobs: BankAccount, no_minute_limits: None
) -> None:
    """And never below zero."""
    now = timezone.now()
    CustomerLimit.objects.filter(user=alice).update(day=timezone.localdate(now) - timedelta(days=1))
    yesterday = acts.transfer(
        actor=alice, source=everyday, target=bobs, amount=Decimal(30), idempotency_key="yesterday",
        at=now - timedelta(days=1),
    )  # fmt: skip
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(5), idempotency_key="paid today", at=now)
    reverse(ada, yesterday.transaction)
    assert used_by(alice) == Decimal(5)
    CustomerLimit.objects.filter(user=alice).update(used=Decimal(1))
    reverse(ada, TransferOrder.objects.latest("pk").transaction)
    assert used_by(alice) == Decimal(0)


def test_what_never_counted_frees_nothing(
    ada: Any, alice: Any, payment: Transaction, everyday: BankAccount, savings: BankAccount
) -> None:
    """Between own accounts; and cash paid in does not free the daily limit, which is for what goes out."""
    moved = acts.transfer(actor=alice, source=everyday, target=savings, amount=Decimal(9), idempotency_key="set aside")
    paid_in = cash.deposit(actor=alice, account=everyday, amount=Decimal(9), idempotency_key="paid in twice")
    for order in (moved, paid_in):
        reverse(ada, order.transaction)
    assert used_by(alice) == Decimal(30)


@pytest.fixture
def paid_in(alice: Any, everyday: BankAccount, no_minute_limits: None, settings: Any) -> Callable[..., TransferOrder]:
    """`paid_in("60.00")`: by Alice herself, who may pay in 100.00 a day."""
    settings.CASH_IN_DAILY_LIMIT = Decimal(100)

    def deposit(amount: str, **given: Any) -> TransferOrder:
        return cash.deposit(
            actor=alice, account=everyday, amount=Decimal(amount), idempotency_key=f"of {amount}", **given
        )

    return deposit


def test_it_gives_back_what_can_be_paid_in_on_that_day(ada: Any, alice: Any, paid_in: Callable) -> None:
    """R3.2, R3.15: 60.00 of 100.00 were counted twice: after one reversal, 40.00 and not 0.00 can be paid in."""
    paid_in("40.00")
    twice = paid_in("60.00")
    with pytest.raises(CashInLimitReached):
        paid_in("59.99")
    reverse(ada, twice.transaction)
    assert history.cash_in_use(alice).remaining == Decimal(60)
    with pytest.raises(CashInLimitReached):
        paid_in("60.01")
    paid_in("59.99")
    assert (history.cash_in_use(alice).remaining, used_by(alice)) == (Decimal("0.01"), Decimal(0))


def test_an_opening_deposit_gives_it_back_too(ada: Any, alice: Any, paid_in: Callable) -> None:
    opened = opening.open_account(
        actor=alice, kind=AccountKind.SAVINGS, opening_deposit=Decimal(100), idempotency_key="opened by mistake"
    )
    reverse(ada, Transaction.objects.get(entries__account=opened))
    assert history.cash_in_use(alice).remaining == Decimal(100)


def test_cash_of_an_earlier_day_or_of_the_counter_gives_nothing_back(
    ada: Any, sam: Any, alice: Any, everyday: BankAccount, paid_in: Callable
) -> None:
    """Neither was counted in what she can pay in by herself today."""
    now = timezone.now()
    CustomerLimit.objects.filter(user=alice).update(day=timezone.localdate(now) - timedelta(days=1))
    yesterday = paid_in("50.00", at=now - timedelta(days=1))
    paid_in("30.00")
    brought = cash.deposit_at_counter(actor=sam, account=everyday, amount=Decimal(20), idempotency_key="brought to us")
    for order in (yesterday, brought):
        reverse(ada, order.transaction)
    assert history.cash_in_use(alice).remaining == Decimal(70)


def test_the_count_of_the_hour_and_the_sum_since_the_last_code_stay(
    ada: Any, alice: Any, payment: Transaction, books: Callable
) -> None:
    """Rules that look too closely are the safe mistake."""
    before = CustomerLimit.objects.get(user=alice)
    reverse(ada, payment)
    after = CustomerLimit.objects.get(user=alice)
    assert (after.recent, after.out_since_code) == (before.recent, before.out_since_code)


def test_a_refused_reversal_frees_nothing(ada: Any, alice: Any, payment: Transaction, bobs: BankAccount) -> None:
    BankAccount.objects.filter(pk=bobs.pk).update(status="frozen")
    with pytest.raises(AccountNotActive):
        reverse(ada, payment)
    assert used_by(alice) == Decimal(30)


@in_one_world("of", ["a payment", "cash paid in"])
def test_the_limit_row_is_locked_before_the_accounts(
    of: str, ada: Any, payment: Transaction, paid_in: Callable
) -> None:
    """The usual order of locks."""
    if connection.vendor != "sqlite":
        pytest.skip("the statements are the same everywhere")
    mistake = payment if of == "a payment" else paid_in("10.00").transaction
    with CaptureQueriesContext(connection) as captured:
        reverse(ada, mistake)
    asked = [query["sql"] for query in captured.captured_queries]
    limit = next(place for place, sql in enumerate(asked) if 'FROM "transfers_customerlimit"' in sql)
    accounts = next(
        place for place, sql in enumerate(asked) if 'FROM "accounts_bankaccount" WHERE' in sql and '"id" IN' in sql
    )
    assert limit < accounts
