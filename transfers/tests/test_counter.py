"""Cash at the counter: staff move a customer's money, with the customer's code (R3.2, R3.10)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccountKind, BankAccount, User
from accounts.roles import Role
from accounts.sign_in import guesses, two_factor
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from foundation.refusals import NotYourself
from tests import acts
from tests.acts import mails, mails_of, wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON, an_origin, entry_of, fresh_code
from tests.tables import in_one_world
from transfers.accounts import opening
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import CustomerLimit, FraudAlert, TransferOrder
from transfers.orders import cash, holds, screening
from transfers.orders.cash import CustomerCannotSignIn, WrongCustomerCode
from transfers.orders.limits import DailyLimitReached
from transfers.orders.ownership import NotACustomersAccount

pytestmark = pytest.mark.django_db


def pay_in(actor: Any, account: BankAccount, amount: str = "20.00", key: str = "the cash paid in") -> TransferOrder:
    return cash.deposit_at_counter(actor=actor, account=account, amount=Decimal(amount), idempotency_key=key)


def pay_out(
    actor: Any, account: BankAccount, code: str, amount: str = "20.00", key: str = "the cash paid out"
) -> TransferOrder:
    return cash.withdraw_at_counter(
        origin=an_origin(),
        actor=actor,
        account=account,
        amount=Decimal(amount),
        customer_code=code,
        idempotency_key=key,
    )


@in_one_world("self_service", [True, False])
def test_a_clerk_takes_cash_for_a_customer(
    self_service: bool, alice: Any, sam: Any, everyday: BankAccount, balance_of: Callable, settings: Any
) -> None:
    # R3.2
    settings.SELF_SERVICE_CASH = self_service
    order = pay_in(sam, everyday)
    assert order.transaction is not None
    assert balance_of(everyday) == Decimal(120)
    assert (order.initiator, order.transaction.initiated_by) == (sam, sam)
    entry = AuditEntry.objects.get(action="DEPOSIT_CREATED", actor_id=sam.pk)
    assert (entry.concerns_id, entry.details["target"]) == (alice.pk, everyday.masked_number)
    mail = mails(alice.email)[-1]
    assert "€20.00 in cash was paid into your account" in mail.message
    assert order.transaction.reference in mail.message
    assert everyday.number not in mail.message
    assert list(verification.faults()) == []


def test_a_clerk_gives_cash_to_a_customer_who_shows_a_code(
    alice: Any, sam: Any, everyday: BankAccount, balance_of: Callable
) -> None:
    # R3.10; the daily limit is the customer's.
    order = pay_out(sam, everyday, fresh_code(alice))
    assert balance_of(everyday) == Decimal(80)
    assert order.initiator == sam
    assert CustomerLimit.objects.get(user=alice).used == Decimal(20)
    assert not CustomerLimit.objects.filter(user=sam).exists()
    assert AuditEntry.objects.get(action="WITHDRAWAL_CREATED").concerns_id == alice.pk
    assert "€20.00 paid out at the counter" in mails(alice.email)[-1].subject


def test_the_same_request_again_needs_no_other_code_and_moves_nothing(
    alice: Any, sam: Any, everyday: BankAccount, books: Callable
) -> None:
    # R3.5
    code = fresh_code(alice)
    order = pay_out(sam, everyday, code)
    before = books()
    assert pay_out(sam, everyday, code) == order
    assert pay_in(sam, everyday, key="brought twice") == pay_in(sam, everyday, key="brought twice")
    assert books().transactions == before.transactions + 1
    with pytest.raises(IdempotencyConflict):
        pay_in(sam, everyday, "21.00", key="brought twice")


def test_a_wrong_code_moves_nothing_and_counts_as_a_guess_at_the_customer(
    alice: Any, sam: Any, everyday: BankAccount, books: Callable
) -> None:
    # R1.4, R3.10
    before, wrong = books(), wrong_code_for(fresh_code(alice))
    with pytest.raises(WrongCustomerCode, match="next one"):
        pay_out(sam, everyday, wrong)
    with pytest.raises(WrongCustomerCode, match="pause"):
        pay_out(sam, everyday, wrong)
    assert books() == before
    entry = entry_of("CODE_REFUSED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (sam.pk, str(alice.public_id), alice.pk)
    refused = AuditEntry.objects.filter(action="WITHDRAWAL_REFUSED", actor_id=sam.pk, concerns_id=alice.pk)
    assert refused.count() == 2


@proves("V7.5.3")
def test_neither_the_clerks_code_nor_a_recovery_code_nor_a_used_one_opens_the_till(
    alice: Any, sam: Any, everyday: BankAccount, books: Callable
) -> None:
    used = fresh_code(alice)
    pay_out(sam, everyday, used)
    rows, codes = two_factor.new_recovery_codes(alice)
    type(rows[0]).objects.bulk_create(rows)
    before = books()
    for code in (used, fresh_code(sam), codes[0], "", "００００００"):
        with pytest.raises(WrongCustomerCode):
            pay_out(sam, everyday, code, key=f"with {code}, again")
        guesses.forgive_everywhere(email=alice.email)
    assert books() == before


@in_one_world("state", [{"locked_at": "2026-11-01T00:00Z"}, {"is_active": False}])
def test_nothing_is_paid_out_to_a_locked_or_deactivated_customer(
    state: dict[str, Any], alice: Any, sam: Any, everyday: BankAccount, balance_of: Callable
) -> None:
    # R1.5: a thief with the phone may be the reason for the lock. Cash can be brought for them.
    User.objects.filter(pk=alice.pk).update(**state)
    account = BankAccount.objects.get(pk=everyday.pk)
    with pytest.raises(CustomerCannotSignIn):
        pay_out(sam, account, fresh_code(alice))
    pay_in(sam, account)
    assert balance_of(everyday) == Decimal(120)


def test_above_the_alert_amount_no_cash_is_handed_out_before_a_second_clerk_agrees(
    alice: Any, sam: Any, make_user: Any, open_account: Callable, balance_of: Callable
) -> None:
    # R3.10
    account = open_account(alice, "5000.00")
    assert pay_out(sam, account, fresh_code(alice), "1000.00").state == "posted"
    waiting = pay_out(sam, account, fresh_code(alice), "1000.01", key="too much for one")
    assert (waiting.state, waiting.transaction, balance_of(account)) == ("held", None, Decimal(4000))
    with pytest.raises(NotYourself):
        holds.release_order(actor=sam, order=waiting, reason=REASON)
    holds.release_order(actor=make_user("Sophie", Role.SUPPORT), order=waiting, reason=REASON)
    assert balance_of(account) == Decimal("2999.99")
    assert "€1,000.01 paid out at the counter" in mails(alice.email)[-1].subject


def test_funds_status_and_limit_are_checked_as_always(
    alice: Any, sam: Any, everyday: BankAccount, freeze: Callable, settings: Any, balance_of: Callable
) -> None:
    # R3.3
    with pytest.raises(InsufficientFunds):
        pay_out(sam, everyday, fresh_code(alice), "100.01", key="far too much")
    settings.DAILY_TRANSFER_LIMIT = Decimal(10)
    with pytest.raises(DailyLimitReached):
        pay_out(sam, everyday, fresh_code(alice), "10.01", key="over the limit")
    freeze(everyday)
    with pytest.raises(AccountNotActive):
        pay_in(sam, everyday)
    assert balance_of(everyday) == Decimal(100)


def test_a_mail_of_cash_that_waits_is_not_written(sam: Any, everyday: BankAccount) -> None:
    order = pay_in(sam, everyday)
    TransferOrder.objects.filter(pk=order.pk).update(state="held", transaction=None)
    with pytest.raises(ValueError, match="has a transaction"):
        mails_of("cash_at_counter", order_id=order.pk)


def test_the_banks_own_accounts_are_not_customers(sam: Any, alice: Any) -> None:
    # A forged id.
    till = BankAccount.objects.get(ledger_code="cash-0")
    with pytest.raises(NotACustomersAccount):
        pay_in(sam, till)
    with pytest.raises(NotACustomersAccount):
        pay_out(sam, till, fresh_code(alice))


# --- Much cash in one day -----------------------------------------------------------------------------------

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


@pytest.fixture
def rich(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, "9000.00", at=NOON - timedelta(days=30))


@pytest.fixture
def hand_out(alice: Any, sam: Any, rich: BankAccount, new_key: Callable, no_minute_limits: None) -> Callable:
    """`hand_out("600.00")`: Sam gives Alice cash."""

    def withdraw(amount: str, *, clerk: Any = sam, account: BankAccount = rich, at: datetime = NOON) -> TransferOrder:
        return cash.withdraw_at_counter(
            origin=an_origin(), actor=clerk, account=account, amount=Decimal(amount), customer_code=fresh_code(alice),
            idempotency_key=new_key(), at=at,
        )  # fmt: skip

    return withdraw


@proves("V2.3.5")
def test_nine_times_a_thousand_need_a_second_clerk_as_nine_thousand_do(hand_out: Callable) -> None:
    # R3.10
    states = [hand_out("1000.00", at=NOON + timedelta(minutes=number)).state for number in range(3)]
    assert states == ["posted", "held", "held"]


def test_what_a_customer_is_given_on_one_day_counts_from_every_account_and_by_every_clerk(
    alice: Any, ada: Any, rich: BankAccount, savings: BankAccount, hand_out: Callable
) -> None:
    cash.deposit(actor=alice, account=savings, amount=Decimal(500), idempotency_key="for later")
    assert hand_out("600.00").state == "posted"
    assert hand_out("400.00", clerk=ada, account=savings).state == "posted"
    waiting = hand_out("0.01")
    assert (waiting.state, waiting.hold_reason) == ("held", "second_clerk")
    assert hand_out("1000.00", at=NOON + timedelta(hours=12)).state == "posted", "the next day"


def test_what_a_second_clerk_agreed_to_and_what_customers_take_themselves_does_not_count(
    alice: Any, ada: Any, rich: BankAccount, hand_out: Callable
) -> None:
    waiting = hand_out("1500.00")
    holds.release_order(actor=ada, order=waiting, reason=REASON, at=NOON)
    holds.reject_order(actor=ada, order=hand_out("1200.00"), reason=REASON, at=NOON)
    acts.withdraw(actor=alice, account=rich, amount=Decimal(2000), idempotency_key="by herself", at=NOON)
    assert hand_out("1000.00").state == "posted"


@proves("V2.3.5")
@pytest.mark.usefixtures("no_minute_limits")
def test_much_cash_paid_in_at_the_counter_is_looked_at_by_a_second_person(
    alice: Any, bob: Any, sam: Any, ada: Any, rich: BankAccount, bobs: BankAccount, savings: BankAccount,
    balance_of: Callable, new_key: Callable,
) -> None:  # fmt: skip
    # R3.10: a clerk who notes cash that nobody brought makes money.
    def note(amount: str, account: BankAccount = rich, at: datetime = NOON) -> TransferOrder:
        return cash.deposit_at_counter(
            actor=sam, account=account, amount=Decimal(amount), idempotency_key=new_key(), at=at
        )

    for amount, account, at in (
        *(("1000.00", bobs, NOON), ("600.00", rich, NOON), ("400.00", savings, NOON)),
        ("1000.00", rich, NOON + timedelta(hours=12)),
    ):
        note(amount, account, at)
    assert not FraudAlert.objects.exists()
    order = note("0.01")
    assert (order.state, order.hold_reason, balance_of(rich)) == ("held", "second_clerk", Decimal("10600.00"))
    alert = FraudAlert.objects.get()
    assert (alert.rule, alert.order, alert.state) == ("counter_deposit", order, "open")
    with pytest.raises(NotYourself):
        screening.close_alert(actor=sam, alert=alert, note=REASON)
    with pytest.raises(NotYourself):
        holds.release_order(actor=sam, order=order, reason=REASON, at=NOON)
    holds.release_order(actor=ada, order=order, reason=REASON, at=NOON)
    assert balance_of(rich) == Decimal("10600.01")
    alert.refresh_from_db()
    assert (alert.state, alert.closed_by) == ("closed", ada)
    assert entry_of("TRANSFER_RELEASED").concerns_id == alice.pk
    assert "€0.01 paid in at the counter" in mails(alice.email)[-1].subject
    assert note("999999999.00", bobs).alerts.count() == 1
    assert balance_of(bobs) == Decimal(1000)
    assert list(verification.faults()) == []


@pytest.mark.usefixtures("no_minute_limits")
def test_cash_in_that_a_second_clerk_agreed_to_or_refused_does_not_count(
    alice: Any, sam: Any, ada: Any, savings: BankAccount, balance_of: Callable, new_key: Callable
) -> None:
    """R3.2: as for cash out. One clerk's 950,000 was on the balance at once."""

    def note(amount: str) -> TransferOrder:
        return pay_in(sam, savings, amount, key=new_key())

    most = note("950000.00")
    assert (most.state, most.hold_reason, most.transaction) == ("held", "second_clerk", None)
    savings.refresh_from_db()
    assert (savings.balance, savings.held) == (Decimal(0), Decimal(0))
    assert "We are checking your deposit of €950,000.00" in mails(alice.email)[-1].subject
    holds.reject_order(actor=ada, order=most, reason="The notes were counted again: there are none.")
    assert balance_of(savings) == 0
    assert "Your deposit of €950,000.00 was rejected" in mails(alice.email)[-1].subject
    assert "The notes were counted again" in mails(alice.email)[-1].message
    holds.release_order(actor=ada, order=note("2000.00"), reason=REASON)
    assert (note("1000.00").state, note("0.01").state) == ("posted", "held")
    assert balance_of(savings) == 3000
    assert list(verification.faults()) == []


def test_cash_is_brought_for_a_locked_customer_and_released_all_the_same(
    alice: Any, sam: Any, ada: Any, everyday: BankAccount, balance_of: Callable
) -> None:
    # R1.5: the lock is on what goes out.
    order = pay_in(sam, everyday, "1000.01")
    User.objects.filter(pk=alice.pk).update(locked_at="2026-11-01T00:00Z")
    holds.release_order(actor=ada, order=order, reason=REASON)
    assert balance_of(everyday) == Decimal("1100.01")


def test_what_customers_pay_in_themselves_does_not_count_at_the_counter(alice: Any, sam: Any) -> None:
    account = opening.open_account(
        actor=alice, kind=AccountKind.CHECKING, opening_deposit=Decimal(5000), idempotency_key="the opening"
    )
    cash.deposit(actor=alice, account=account, amount=Decimal(5000), idempotency_key="by herself")
    assert pay_in(sam, account, "1000.00").state == "posted"
    assert set(FraudAlert.objects.values_list("rule", flat=True)) == {"large_amount"}


def test_cash_brought_to_open_an_account_counts_too(
    alice: Any, ada: Any, sam: Any, make_user: Any, balance_of: Callable
) -> None:
    account = opening.open_account(
        actor=ada, owner=alice, kind=AccountKind.CHECKING, reason=REASON, opening_deposit=Decimal("1000.01"),
        idempotency_key="opened for her",
    )  # fmt: skip
    order = FraudAlert.objects.get().order
    assert (order.target, order.state, account.balance) == (account, "held", Decimal(0))
    holds.release_order(actor=sam, order=order, reason=REASON)
    assert balance_of(account) == Decimal("1000.01")
    account = opening.open_account(
        actor=ada, owner=alice, kind=AccountKind.SAVINGS, reason=REASON, opening_deposit=Decimal(1000),
        idempotency_key="opened for her, too",
    )  # fmt: skip
    assert account.balance == 1000
    assert pay_in(sam, account, "0.01").state == "held"


@in_one_world(
    ("ask", "range_of_an_index"),
    [
        (lambda alice: screening.is_much_cash_out(alice, Decimal(1), at=NOON), "order_source_created"),
        (lambda alice: screening._noted_cash_in(alice, at=NOON), "entry_account_sums"),
    ],
)
def test_each_question_is_one_range_of_an_index_however_long_the_past(
    alice: Any, rich: BankAccount, ask: Callable, range_of_an_index: str
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("asks SQLite for its plan")
    with CaptureQueriesContext(connection) as captured:
        ask(alice)
    (query,) = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())
    assert f"{range_of_an_index} (" in plan
    assert "SCAN" not in plan


def test_a_key_used_for_something_else_is_a_conflict_before_the_customers_code_is_looked_at(
    alice: Any, sam: Any, everyday: BankAccount, balance_of: Callable
) -> None:
    """R3.5: the code stays valid for the clerk's next request, and a wrong one is not a guess."""
    pay_in(sam, everyday, key="one key for two")
    code = fresh_code(alice)
    with pytest.raises(IdempotencyConflict):
        pay_out(sam, everyday, code, key="one key for two")
    with pytest.raises(IdempotencyConflict):
        pay_out(sam, everyday, wrong_code_for(code), key="one key for two")
    assert AuditEntry.objects.filter(action="WITHDRAWAL_REFUSED", actor_id=sam.pk).count() == 2
    pay_out(sam, everyday, code)
    assert balance_of(everyday) == Decimal(100)


def test_a_second_click_does_not_cost_the_first_one_its_place(
    alice: Any, sam: Any, everyday: BankAccount, settings: Any, monkeypatch: pytest.MonkeyPatch, balance_of: Callable
) -> None:
    settings.WITHDRAWALS_PER_MINUTE = 1
    code, verify, clicks = fresh_code(alice), cash.verify_fresh_code, iter([1])

    def verify_and_click_again(**given: Any) -> None:
        verify(**given)
        if next(clicks, None):
            with pytest.raises(WrongCustomerCode):
                pay_out(sam, everyday, code)

    monkeypatch.setattr(cash, "verify_fresh_code", verify_and_click_again)
    pay_out(sam, everyday, code)
    assert balance_of(everyday) == Decimal(80)
