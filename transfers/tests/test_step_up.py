"""A payment out that needs a code, and what a session without the device cannot do (R3.6, R1.8)."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, OrderState, Payee, StepUpChallenge, StepUpReason, TransferOrder
from transfers.orders import cash, sending, step_up
from transfers.orders.limits import DailyLimitReached
from transfers.orders.step_up import CodeTooLate, Proof, StepUpRequired, TooManyCodes, WaitsAfterReset, WrongStepUpCode

pytestmark = pytest.mark.usefixtures("no_minute_limits")

KEY = "the same key all along"


@pytest.fixture
def send(alice: User, household: BankAccount, bobs: BankAccount) -> Callable[..., TransferOrder]:
    """`send("10.00")`: Alice pays Bob, with no code unless `proof` has one."""

    def one(amount: str, **changes: Any) -> TransferOrder:
        arguments: dict[str, Any] = {
            "actor": alice,
            "source": household,
            "target": bobs,
            "idempotency_key": KEY,
            "name_given": acts.by_name(),
        } | changes
        return sending.transfer(amount=Decimal(amount), **arguments)

    return one


@pytest.fixture
def take_out(alice: User, household: BankAccount) -> Callable[..., TransferOrder]:
    def one(amount: str, **changes: Any) -> TransferOrder:
        arguments: dict[str, Any] = {"actor": alice, "account": household, "idempotency_key": KEY} | changes
        return cash.withdraw(amount=Decimal(amount), **arguments)

    return one


@pytest.fixture
def prove(origin_of_alice: Origin, alice: User, code_of: Callable[[Any], str]) -> Callable[..., Proof]:
    """Return the right code, unless another is given, for the challenge of a refusal."""

    def one(need: StepUpRequired, code: str | None = None) -> Proof:
        return Proof(origin_of_alice, need.challenge.public_id, code if code is not None else code_of(alice))

    return one


def asked(order_it: Callable[..., Any], *args: Any, **kwargs: Any) -> StepUpRequired:
    """Return what the bank says when it needs a code."""
    with pytest.raises(StepUpRequired) as caught:
        order_it(*args, **kwargs)
    return caught.value


# --- When -------------------------------------------------------------------------------------------------


def test_a_first_payment_to_somebody_needs_a_code_however_small(
    send: Callable, prove: Callable, books: Callable, balance_of: Callable, bobs: BankAccount
) -> None:
    before = books()
    need = asked(send, "0.01")
    assert need.why == StepUpReason.NEW_PAYEE
    assert books() == before
    assert send("0.01", proof=prove(need)).state == OrderState.POSTED
    assert balance_of(bobs) == Decimal("0.01")
    assert send("0.02", idempotency_key="the second one").state == OrderState.POSTED


def test_whom_one_has_removed_from_the_list_is_new_again(send: Callable, known: BankAccount) -> None:
    assert send("1.00").state == OrderState.POSTED
    Payee.objects.all().delete()
    assert asked(send, "1.00", idempotency_key="afterwards").why == StepUpReason.NEW_PAYEE


def test_somebody_elses_payee_is_new_to_me(
    charlie: User, known: BankAccount, open_account: Callable, new_key: Callable
) -> None:
    his = open_account(charlie, "5.00")
    payment: dict[str, Any] = {
        "actor": charlie,
        "source": his,
        "target": known,
        "amount": Decimal(1),
        "name_given": acts.by_name(),
        "idempotency_key": new_key(),
    }
    assert asked(sending.transfer, **payment).why == StepUpReason.NEW_PAYEE


def test_exactly_the_amount_goes_out_without_a_code_and_a_cent_more_does_not(
    send: Callable, known: BankAccount
) -> None:
    assert send("1000.00").state == OrderState.POSTED
    assert asked(send, "0.01", idempotency_key="one more").why == StepUpReason.AMOUNT


@proves("V7.5.3")
def test_nine_payments_of_999_to_a_known_payee_need_codes_on_the_way(
    alice: User, send: Callable, known: BankAccount, code_of: Callable, origin_of_alice: Origin, new_key: Callable
) -> None:
    codes = 0
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(9):
            clock.shift(timedelta(minutes=1))
            key = new_key()
            try:
                send("999.00", idempotency_key=key)
            except StepUpRequired as need:
                codes += 1
                send(
                    "999.00",
                    idempotency_key=key,
                    proof=Proof(origin_of_alice, need.challenge.public_id, code_of(alice)),
                )
    assert TransferOrder.objects.filter(initiator=alice, kind="payment").count() == 9
    assert codes == 4  # every second one: a payment made with a code starts the sum again


@proves("V7.5.3")
def test_withdrawals_count_and_need_a_code_themselves(
    send: Callable, take_out: Callable, known: BankAccount, prove: Callable, alice: User
) -> None:
    assert take_out("600.00").state == OrderState.POSTED
    assert asked(send, "400.01", idempotency_key="after cash").why == StepUpReason.AMOUNT
    need = asked(take_out, "400.01", idempotency_key="more cash")
    assert take_out("400.01", idempotency_key="more cash", proof=prove(need)).state == OrderState.POSTED
    assert CustomerLimit.objects.get(user=alice).out_since_code == 0


def test_own_accounts_need_no_code_and_do_not_count(
    alice: User, household: BankAccount, savings: BankAccount, new_key: Callable, known: BankAccount, send: Callable
) -> None:
    moved = sending.transfer(
        actor=alice, source=household, target=savings, amount=Decimal(9000), idempotency_key=new_key()
    )
    assert moved.state == OrderState.POSTED
    assert send("1000.00").state == OrderState.POSTED


def test_a_held_payment_needs_its_code_when_it_is_ordered(send: Callable, known: BankAccount, prove: Callable) -> None:
    need = asked(send, "10000.01")
    assert not TransferOrder.objects.filter(state=OrderState.HELD).exists()
    assert send("10000.01", proof=prove(need)).state == OrderState.HELD


def test_a_code_at_the_counter_counts_as_one(
    alice: User, sam: User, household: BankAccount, known: BankAccount, send: Callable, code_of: Callable
) -> None:
    send("900.00")
    cash.withdraw_at_counter(
        origin=Origin(),
        actor=sam,
        account=household,
        amount=Decimal(500),
        customer_code=code_of(alice),
        idempotency_key="at the counter",
    )
    assert CustomerLimit.objects.get(user=alice).out_since_code == 0


# --- Bound to the payment ------------------------------------------------------------------------------------


@proves("V7.5.3")
@in_one_world("when", ["after the code", "before the code"])
@in_one_world("change", ["amount", "payee", "source", "key", "currency"])
def test_a_changed_payment_is_refused_with_the_code_of_the_one_before(
    change: str,
    when: str,
    alice: User,
    charlie: User,
    open_account: Callable,
    send: Callable,
    prove: Callable,
    books: Callable,
    settings: Any,
) -> None:
    """Shows 2: the code counts for the payment it was given for, and for nothing else."""
    changes: dict[str, Any] = {
        "payee": {"target": open_account(charlie)},
        "source": {"source": open_account(alice, "500.00")},
        "key": {"idempotency_key": "another key"},
    }.get(change, {})
    need = asked(send, "100.00")
    proof = prove(need)
    if when == "after the code":
        acts.vouch(alice)
    if change == "currency":
        settings.CURRENCY = "USD"
    before = books()
    refused = asked(send, "100.01" if change == "amount" else "100.00", proof=proof, **changes)
    assert isinstance(refused, CodeTooLate)
    assert refused.challenge.public_id != need.challenge.public_id
    assert books() == before


def test_the_code_of_a_changed_payment_stays_good_for_the_right_one(send: Callable, prove: Callable) -> None:
    proof = prove(asked(send, "100.00"))
    need = asked(send, "200.00", idempotency_key="it is changed", proof=proof)
    assert send("200.00", idempotency_key="it is changed", proof=prove(need, proof.code)).state == OrderState.POSTED


def test_somebody_elses_challenge_is_worth_nothing(
    alice: User, charlie: User, open_account: Callable, send: Callable, prove: Callable, bobs: BankAccount
) -> None:
    need = asked(send, "100.00")
    acts.vouch(alice)
    payment: dict[str, Any] = {
        "actor": charlie,
        "source": open_account(charlie, "500.00"),
        "target": bobs,
        "amount": Decimal(100),
        "name_given": acts.by_name(),
    }
    assert asked(sending.transfer, **payment, idempotency_key=KEY, proof=prove(need)).why == StepUpReason.NEW_PAYEE


def test_a_challenge_that_never_was_is_worth_nothing(send: Callable, origin_of_alice: Origin) -> None:
    need = asked(send, "1.00", proof=Proof(origin_of_alice, uuid.uuid4(), "123456"))
    assert isinstance(need, CodeTooLate)


# --- Each step once, within two minutes ---------------------------------------------------------------------


@proves("V7.5.3")
def test_a_challenge_and_its_code_pay_once(
    alice: User, send: Callable, prove: Callable, balance_of: Callable, bobs: BankAccount
) -> None:
    need = asked(send, "5.00")
    proof = prove(need)
    first = send("5.00", proof=proof)
    assert send("5.00", proof=proof) == first  # the same request again is answered, and moves nothing
    assert balance_of(bobs) == 5
    Payee.objects.all().delete()
    again = asked(send, "5.00", idempotency_key="once more", proof=proof)
    with pytest.raises(WrongStepUpCode):
        send("5.00", idempotency_key="once more", proof=prove(again, proof.code))
    assert balance_of(bobs) == 5


@proves("V7.5.3")
@in_one_world(("seconds", "counts"), [(119, True), (120, False), (121, False)])
def test_a_challenge_lasts_two_minutes(
    seconds: int, counts: bool, send: Callable, prove: Callable, alice: User
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        need = asked(send, "5.00")
        clock.shift(timedelta(seconds=seconds))
        if counts:
            assert send("5.00", proof=prove(need)).state == OrderState.POSTED
        else:
            assert isinstance(asked(send, "5.00", proof=prove(need)), CodeTooLate)


def test_a_code_given_in_time_does_not_outlast_the_challenge(
    alice: User, send: Callable, prove: Callable, household: BankAccount, hold: Callable
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        need = asked(send, "5.00")
        hold(household, "20000.00")
        with pytest.raises(InsufficientFunds):
            send("5.00", proof=prove(need))
        hold(household, "0.00")
        clock.shift(timedelta(seconds=120))
        assert isinstance(asked(send, "5.00", proof=prove(need)), CodeTooLate)


@proves("V6.5.1")
def test_a_refusal_burns_the_code_and_leaves_the_challenge_for_the_same_payment(
    alice: User, send: Callable, prove: Callable, household: BankAccount, hold: Callable
) -> None:
    proof = prove(asked(send, "5.00"))
    hold(household, "20000.00")
    with pytest.raises(InsufficientFunds):
        send("5.00", proof=proof)
    challenge = StepUpChallenge.objects.get()
    assert challenge.verified_at is not None
    assert challenge.consumed_at is None
    hold(household, "0.00")
    assert send("5.00", proof=proof).state == OrderState.POSTED
    challenge.refresh_from_db()
    assert challenge.consumed_at is not None


def test_the_daily_limit_speaks_before_a_code_is_asked_for(send: Callable, settings: Any) -> None:
    settings.DAILY_TRANSFER_LIMIT = Decimal(10)
    with pytest.raises(DailyLimitReached):
        send("10.01")
    assert not StepUpChallenge.objects.exists()


def test_asking_again_makes_no_second_challenge_while_the_first_is_fresh(send: Callable) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first = asked(send, "5.00").challenge
        clock.shift(timedelta(seconds=59))
        assert asked(send, "5.00").challenge == first
        clock.shift(timedelta(seconds=2))
        assert asked(send, "5.00").challenge != first
        clock.shift(timedelta(days=2))
        asked(send, "5.00")
        assert StepUpChallenge.objects.count() == 1


def test_asking_and_the_answer_to_it_take_one_place_in_the_minute(
    send: Callable, prove: Callable, settings: Any, alice: User
) -> None:
    settings.TRANSFERS_PER_MINUTE = 1
    need = asked(send, "5.00")
    assert send("5.00", proof=prove(need)).state == OrderState.POSTED
    assert len(json.loads(CustomerLimit.objects.get(user=alice).recent)["transfer"]) == 1


def test_the_same_key_for_something_else_is_still_a_conflict(send: Callable, prove: Callable) -> None:
    send("5.00", proof=prove(asked(send, "5.00")))
    with pytest.raises(IdempotencyConflict):
        send("6.00")


def test_the_database_keeps_the_order_of_the_steps(send: Callable) -> None:
    challenge = asked(send, "5.00").challenge
    with pytest.raises(IntegrityError), transaction.atomic():
        StepUpChallenge.objects.filter(pk=challenge.pk).update(consumed_at=timezone.now())


# --- Wrong codes ------------------------------------------------------------------------------------------------


@proves("V6.3.1")
def test_wrong_codes_count_with_those_at_sign_in_and_move_nothing(
    alice: User, send: Callable, prove: Callable, code_of: Callable, books: Callable
) -> None:
    before = books().balances
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(5):
            clock.shift(timedelta(seconds=40))
            wrong = acts.wrong_code_for(code_of(alice))
            with pytest.raises(WrongStepUpCode):
                send("5.00", proof=prove(asked(send, "5.00"), wrong))
        clock.shift(timedelta(seconds=40))
        with pytest.raises(TooManyCodes):
            send("5.00", proof=prove(asked(send, "5.00")))
    assert books().balances == before


def test_a_try_right_after_a_wrong_code_is_told_to_wait(
    alice: User, send: Callable, prove: Callable, code_of: Callable
) -> None:
    need = asked(send, "5.00")
    with pytest.raises(WrongStepUpCode):
        send("5.00", proof=prove(need, acts.wrong_code_for(code_of(alice))))
    with pytest.raises(WrongStepUpCode, match="short pause"):
        send("5.00", proof=prove(need))


def test_a_recovery_code_pays_nobody(send: Callable, prove: Callable) -> None:
    with pytest.raises(WrongStepUpCode):
        send("5.00", proof=prove(asked(send, "5.00"), "ABCD-EFGH-JKMN"))


# --- After a reset by staff (R1.8) ---------------------------------------------------------------------------------


@pytest.fixture
def hardened(alice: User) -> Any:
    """Alice, whose two-factor staff have reset just now; the clock stands still."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        alice.hardened_at = timezone.now()
        alice.save()
        yield clock


@proves("V2.3.2")
def test_a_new_payee_waits_24_hours_after_a_reset_of_two_factor(hardened: Any, send: Callable, prove: Callable) -> None:
    hardened.shift(timedelta(hours=24) - timedelta(seconds=1))
    with pytest.raises(WaitsAfterReset, match="24 hours"):
        send("5.00")
    hardened.shift(timedelta(seconds=1))
    assert send("5.00", proof=prove(asked(send, "5.00"))).state == OrderState.POSTED


@proves("V2.3.2")
def test_a_code_does_not_shorten_the_wait(
    alice: User, household: BankAccount, bobs: BankAccount, send: Callable, prove: Callable
) -> None:
    need = asked(send, "5.00")
    alice.hardened_at = timezone.now()
    alice.save()
    with pytest.raises(WaitsAfterReset):
        send("5.00", proof=prove(need))


@proves("V2.3.2")
def test_cash_waits_too_by_oneself_and_at_the_counter(
    hardened: Any, alice: User, sam: User, household: BankAccount, take_out: Callable, code_of: Callable
) -> None:
    with pytest.raises(WaitsAfterReset):
        take_out("1.00")
    with pytest.raises(WaitsAfterReset):
        cash.withdraw_at_counter(
            origin=Origin(),
            actor=sam,
            account=household,
            amount=Decimal(1),
            customer_code=code_of(alice),
            idempotency_key="at the counter",
        )


def test_known_payees_and_own_accounts_do_not_wait(
    hardened: Any, alice: User, household: BankAccount, savings: BankAccount, known: BankAccount, send: Callable
) -> None:
    assert send("5.00").state == OrderState.POSTED
    moved = sending.transfer(
        actor=alice, source=household, target=savings, amount=Decimal(5), idempotency_key="between my own"
    )
    assert moved.state == OrderState.POSTED


# --- Written down ----------------------------------------------------------------------------------------------------


def test_asking_giving_and_refusing_are_in_the_log_without_the_code(
    alice: User, send: Callable, prove: Callable, code_of: Callable
) -> None:
    code = code_of(alice)
    need = asked(send, "5.00")
    with pytest.raises(WrongStepUpCode):
        send("5.00", proof=prove(need, acts.wrong_code_for(code)))
    with time_machine.travel(timezone.now() + timedelta(seconds=40), tick=False):
        send("5.00", proof=prove(need))
    entries = AuditEntry.objects.filter(action__in=["STEP_UP_REQUIRED", "STEP_UP_GIVEN", "CODE_REFUSED"])
    assert [entry.action for entry in entries.order_by("id")] == ["STEP_UP_REQUIRED", "CODE_REFUSED", "STEP_UP_GIVEN"]
    given = entries.get(action="STEP_UP_GIVEN")
    assert (given.details["why"], given.details["amount"]) == ("new_payee", "5.00")
    refused = AuditEntry.objects.get(action="TRANSFER_REFUSED")
    assert refused.details["reason"] == "wrong_step_up_code"
    assert not any(code in str(entry.details) for entry in AuditEntry.objects.all())


def test_a_proof_without_need_is_let_be(known: BankAccount, send: Callable, origin_of_alice: Origin) -> None:
    assert send("5.00", proof=Proof(origin_of_alice, uuid.uuid4(), "123456")).state == OrderState.POSTED


def test_no_challenge_ahead_for_what_needs_no_code(
    alice: User, household: BankAccount, savings: BankAccount, known: BankAccount, new_key: Callable
) -> None:
    for target in (savings, known):
        payment: dict[str, Any] = {"actor": alice, "source": household, "target": target, "amount": Decimal(1000)}
        assert sending.challenge_for(**payment, idempotency_key=new_key()) is None
    assert step_up.why_waits(alice) == ""
