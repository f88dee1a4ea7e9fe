"""A suspicious order waits, and its money is set aside meanwhile; so does much cash (R3.5, R3.9, R3.10)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AccountStatus, BankAccount, User
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from foundation.refusals import NotYourself
from tests import acts
from tests.acts import mails
from tests.asvs import proves
from tests.funds import funds, used_by
from tests.staff_acts import REASON, an_origin, entry_of, fresh_code
from tests.tables import in_one_world
from transfers import history
from transfers.accounts import closing
from transfers.accounts.closing import MoneyHeld
from transfers.ledger import holding, verification
from transfers.ledger.posting import AccountNotActive, InsufficientFunds
from transfers.models import Entry, FraudAlert, OrderState, Payee, TransferOrder
from transfers.orders import cash
from transfers.orders.cash import CustomerCannotSignIn
from transfers.orders.holds import reject_order, release_order
from transfers.orders.limits import DailyLimitReached
from transfers.orders.sending import PayeeCannotReceive
from transfers.orders.step_up import WaitsAfterReset

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]

DECISIONS = pytest.mark.parametrize("decide", [release_order, reject_order], ids=["release", "reject"])
AMOUNT = Decimal("12345.67")


# --- Holding ------------------------------------------------------------------------------------------------


def test_a_suspicious_payment_leaves_the_available_balance_and_nothing_else(
    alice: Any, household: BankAccount, bobs: BankAccount, pay: Callable
) -> None:
    entries = Entry.objects.count()
    order = pay(AMOUNT)
    assert (order.state, order.hold_reason, order.transaction) == (OrderState.HELD, "suspicious_amount", None)
    assert funds(household) == (Decimal("20000.00"), Decimal("7654.33"))
    assert funds(bobs) == (Decimal(0), Decimal(0))
    assert Entry.objects.count() == entries
    assert used_by(alice) == AMOUNT
    assert not Payee.objects.exists()
    assert list(verification.faults()) == []


def test_the_log_tells_of_it_and_the_sender_alone_is_written_to(
    alice: Any, bob: Any, held: TransferOrder, household: BankAccount, bobs: BankAccount
) -> None:
    for action in ("TRANSFER_HELD", "SUSPICIOUS_TRANSFER"):
        entry = entry_of(action)
        assert (entry.actor_id, entry.subject_id) == (alice.pk, str(held.public_id))
        assert entry.details == {
            "kind": "payment",
            "amount": "12345.67",
            "source": household.masked_number,
            "target": bobs.masked_number,
            "reason": "suspicious_amount",
        }
        assert entry.evidence_digest == ""
    mail = mails(alice.email)[-1]
    assert mail.subject == "We are checking your transfer of €12,345.67"
    for text in (mail.message, mail.html_message):
        for shown in (
            "€12,345.67", "Bob Brandt", "A boat", bobs.masked_number, "has not gone out yet",
            "We check transfers above €10,000.00", f"/receipts/{held.public_id}/",
        ):  # fmt: skip
            assert shown in text
        assert bobs.number not in text.replace(" ", "")
    assert not [mail for mail in mails(bob.email) if "12,345" in mail.message + mail.subject]


def test_a_retry_finds_the_held_order_and_after_the_decision_the_decided_one(pay: Callable, sam: Any) -> None:
    """R3.5."""
    order = pay(AMOUNT, idempotency_key="the same key")
    counts = TransferOrder.objects.count(), AuditEntry.objects.count(), FraudAlert.objects.count()
    for _ in range(3):
        assert pay(AMOUNT, idempotency_key="the same key") == order
    assert counts == (TransferOrder.objects.count(), AuditEntry.objects.count(), FraudAlert.objects.count())
    with pytest.raises(IdempotencyConflict):
        pay("12345.68", idempotency_key="the same key")
    reject_order(actor=sam, order=order, reason=REASON)
    assert pay(AMOUNT, idempotency_key="the same key").state == OrderState.REJECTED


def test_what_could_not_be_posted_is_not_held_either(
    household: BankAccount, bobs: BankAccount, everyday: BankAccount, pay: Callable, freeze: Callable, books: Callable
) -> None:
    """R3.3: nothing is set aside for a payment that can never go out."""
    freeze(bobs)
    before = books()
    with pytest.raises(PayeeCannotReceive):
        pay(AMOUNT)
    freeze(bobs, AccountStatus.ACTIVE)
    with pytest.raises(InsufficientFunds):
        pay(AMOUNT, source=everyday)
    with pytest.raises(InsufficientFunds):
        pay("20000.01")
    freeze(household)
    with pytest.raises(AccountNotActive):
        pay(AMOUNT)
    assert books() == before
    assert not FraudAlert.objects.exists()


@proves("V2.3.5")
def test_held_money_cannot_be_spent_twice(
    alice: Any, household: BankAccount, savings: BankAccount, held: TransferOrder, pay: Callable, new_key: Callable
) -> None:
    """To the cent, on whichever way out."""
    over = Decimal("7654.34")
    for target in (held.target, savings):
        with pytest.raises(InsufficientFunds):
            pay(over, target=target)
    with pytest.raises(InsufficientFunds):
        acts.withdraw(actor=alice, account=household, amount=over, idempotency_key=new_key())
    pay("7654.33", target=savings)
    assert funds(household) == (AMOUNT, Decimal(0))


def test_an_account_with_held_money_cannot_be_closed(alice: Any, household: BankAccount, held: TransferOrder) -> None:
    """R2.3."""
    with pytest.raises(MoneyHeld):
        closing.close_account(actor=alice, account=household)


def test_a_held_order_counts_towards_the_daily_limit(alice: Any, held: TransferOrder, pay: Callable) -> None:
    """R3.9."""
    assert history.daily_use(alice).remaining == Decimal("12654.33")
    with pytest.raises(DailyLimitReached):
        pay("12654.34")


# --- Cash at the counter ------------------------------------------------------------------------------------


@pytest.fixture
def large_cash(alice: Any, sam: Any, household: BankAccount) -> TransferOrder:
    return cash.withdraw_at_counter(
        origin=an_origin(),
        actor=sam,
        account=household,
        amount=Decimal("1000.01"),
        customer_code=fresh_code(alice),
        idempotency_key="much cash",
    )


def test_much_cash_waits_for_a_second_clerk(
    alice: Any, sam: Any, make_user: Callable, household: BankAccount, large_cash: TransferOrder
) -> None:
    assert (large_cash.state, large_cash.hold_reason) == (OrderState.HELD, "second_clerk")
    assert funds(household) == (Decimal("20000.00"), Decimal("18999.99"))
    assert used_by(alice) == Decimal("1000.01")
    entry = entry_of("TRANSFER_HELD")
    assert (entry.actor_id, entry.concerns_id) == (sam.pk, alice.pk)
    assert not AuditEntry.objects.filter(action="SUSPICIOUS_TRANSFER").exists()
    assert not FraudAlert.objects.exists()
    mail = mails(alice.email)[-1]
    assert mail.subject == "We are checking your withdrawal of €1,000.01"
    assert "has not been paid out yet" in mail.message
    assert "two members of staff" in mail.html_message
    with pytest.raises(NotYourself):
        release_order(actor=sam, order=large_cash, reason=REASON)
    order = release_order(actor=make_user("Sonja", Role.SUPPORT), order=large_cash, reason=REASON)
    assert funds(household) == (Decimal("18999.99"), Decimal("18999.99"))
    assert order.transaction is not None
    assert order.transaction.kind == "withdrawal"
    assert not Payee.objects.exists()
    assert "paid out at the counter" in mails(alice.email)[-1].subject
    assert list(verification.faults()) == []


def test_rejected_cash_stays_in_the_account(
    alice: Any, ada: Any, household: BankAccount, large_cash: TransferOrder
) -> None:
    reject_order(actor=ada, order=large_cash, reason=REASON)
    assert funds(household) == (Decimal("20000.00"), Decimal("20000.00"))
    assert used_by(alice) == 0
    assert mails(alice.email)[-1].subject == "Your withdrawal of €1,000.01 was rejected"
    assert list(verification.faults()) == []


def test_no_cash_is_released_to_a_customer_who_was_locked_meanwhile(
    alice: Any, ada: Any, household: BankAccount, large_cash: TransferOrder
) -> None:
    """R1.5."""
    alice.locked_at = timezone.now()
    alice.save()
    with pytest.raises(CustomerCannotSignIn):
        release_order(actor=ada, order=large_cash, reason=REASON)
    assert funds(household) == (Decimal("20000.00"), Decimal("18999.99"))


@proves("V2.3.2")
def test_a_first_payment_held_before_a_reset_of_two_factor_is_not_released_for_a_day(
    alice: Any, sam: Any, held: TransferOrder
) -> None:
    """R1.8: perhaps ordered by the person who made the reset necessary. It can be rejected."""
    alice.hardened_at = timezone.now()
    alice.save()
    with pytest.raises(WaitsAfterReset):
        release_order(actor=sam, order=held, reason="It looks fine")
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.HELD
    reject_order(actor=sam, order=held, reason="Please order it again.")


def test_a_payment_to_somebody_known_is_released_after_a_reset_of_two_factor(
    alice: Any, sam: Any, known: BankAccount, pay: Callable
) -> None:
    """R1.8: only money to a stranger, or cash, waits the day."""
    order = pay(AMOUNT)
    User.objects.filter(pk=alice.pk).update(hardened_at=timezone.now())
    assert release_order(actor=sam, order=order, reason=REASON).state == OrderState.RELEASED


@in_one_world("state", [{"locked_at": "2026-11-01T00:00Z"}, {"is_active": False}])
def test_no_payment_of_a_customer_who_was_locked_meanwhile_is_released_but_it_can_be_rejected(
    state: dict[str, Any], alice: Any, ada: Any, household: BankAccount, bobs: BankAccount, held: TransferOrder
) -> None:
    """R1.5: the person who ordered it may be the reason for the lock."""
    User.objects.filter(pk=alice.pk).update(**state)
    with pytest.raises(CustomerCannotSignIn, match="locked: reject the transfer, or unlock them first"):
        release_order(actor=ada, order=held, reason=REASON)
    assert (funds(household), funds(bobs)) == ((Decimal(20_000), Decimal("7654.33")), (Decimal(0), Decimal(0)))
    assert AuditEntry.objects.get(action="TRANSFER_REFUSED").details["reason"] == "customer_cannot_sign_in"
    reject_order(actor=ada, order=held, reason=REASON)
    assert funds(household) == (Decimal(20_000), Decimal(20_000))


def test_whether_the_receiver_is_locked_does_not_matter(bob: Any, ada: Any, held: TransferOrder) -> None:
    User.objects.filter(pk=bob.pk).update(locked_at=timezone.now())
    assert release_order(actor=ada, order=held, reason=REASON).state == OrderState.RELEASED


# --- The ledger's own part ----------------------------------------------------------------------------------


@in_one_world("amount", [Decimal(0), Decimal("-1.00")])
def test_only_what_is_positive_is_held_or_freed(amount: Decimal, household: BankAccount, held: TransferOrder) -> None:
    with pytest.raises(ValueError, match="positive"):
        holding.judge_hold(household.pk, amount, target_id=held.target_id)
    with pytest.raises(ValueError, match="not held"):
        holding.release_hold(household.pk, amount)


def test_no_more_is_freed_than_is_held(household: BankAccount, held: TransferOrder) -> None:
    with pytest.raises(ValueError, match="not held"):
        holding.release_hold(household.pk, AMOUNT + Decimal("0.01"))


def test_nothing_is_held_on_the_banks_own_accounts(bobs: BankAccount) -> None:
    till = BankAccount.objects.get(ledger_code="cash-0")
    with pytest.raises(InsufficientFunds):
        holding.judge_hold(till.pk, Decimal(1), target_id=bobs.pk)


def test_a_hold_behind_the_lock_is_noticed(
    household: BankAccount, bobs: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.4: on an engine that ignores lock hints, the conditional UPDATE finds out."""
    from django.db import OperationalError

    stale = holding.locked({household.pk, bobs.pk})
    holding.judge_hold(household.pk, Decimal(1), target_id=bobs.pk).write()
    monkeypatch.setattr(holding, "locked", lambda ids: stale)
    with pytest.raises(OperationalError, match="could not serialize"):
        holding.judge_hold(household.pk, Decimal(1), target_id=bobs.pk).write()


@pytest.mark.django_db(transaction=True)
def test_money_is_held_inside_a_transaction_only(household: BankAccount) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        holding.release_hold(household.pk, Decimal(1))
