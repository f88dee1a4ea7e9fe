"""One code, many requests at once: the payment it is for goes out once (R3.5, R3.6)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import BankAccount, User
from accounts.sign_in.origin import Origin
from foundation.models import RateWindow
from tests import acts
from tests.asvs import proves
from transfers.models import StepUpChallenge, TransferOrder
from transfers.orders import sending
from transfers.orders.step_up import Proof, StepUpRequired, WrongStepUpCode

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_minute_limits")]


def challenge_of(send: Callable[..., Any]) -> StepUpChallenge:
    with pytest.raises(StepUpRequired) as caught:
        send()
    return caught.value.challenge


def test_eight_clicks_with_one_code_are_one_payment_and_no_wrong_guess(
    alice: User, everyday: BankAccount, bobs: BankAccount, origin_of_alice: Origin, code_of: Callable
) -> None:
    """All get the one order: the lock on the code's device lets each see what the first has done."""

    def send(proof: Proof | None = None) -> TransferOrder:
        return sending.transfer(
            actor=alice,
            source=everyday,
            target=bobs,
            amount=Decimal(10),
            name_given=acts.by_name(),
            idempotency_key="the one key",
            proof=proof,
        )

    proof = Proof(origin_of_alice, challenge_of(send).public_id, code_of(alice))
    orders = acts.at_once(*[lambda: send(proof)] * 8)
    assert [type(order) for order in orders] == [TransferOrder] * 8, orders
    assert len({order.pk for order in orders if isinstance(order, TransferOrder)}) == 1
    everyday.refresh_from_db()
    assert everyday.balance == 90
    assert not any(row.stamps for row in RateWindow.objects.filter(key__startswith="guess:"))


@proves("V15.4.2")
def test_one_code_in_many_hands_pays_once(
    alice: User, everyday: BankAccount, bobs: BankAccount, origin_of_alice: Origin, code_of: Callable
) -> None:
    """Eight payments, each with a challenge of its own, and one code for all of them: one goes out."""

    def send(number: int, proof: Proof | None = None) -> TransferOrder:
        key = f"payment number {number}"
        return sending.transfer(
            actor=alice,
            source=everyday,
            target=bobs,
            amount=Decimal(10),
            name_given=acts.by_name(),
            idempotency_key=key,
            proof=proof,
        )

    code, tries = code_of(alice), []
    for number in range(8):
        proof = Proof(origin_of_alice, challenge_of(lambda number=number: send(number)).public_id, code)
        tries.append(lambda number=number, proof=proof: send(number, proof))
    outcomes = acts.at_once(*tries)
    assert len([each for each in outcomes if isinstance(each, TransferOrder)]) == 1
    refused = [each for each in outcomes if not isinstance(each, TransferOrder)]
    assert any(isinstance(each, WrongStepUpCode) for each in refused), outcomes
    assert TransferOrder.objects.filter(kind="payment").count() == 1
    everyday.refresh_from_db()
    assert everyday.balance == 90
