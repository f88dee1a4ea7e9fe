"""How the API answers the refusals of money (R7.3): a challenge as a documented 403, a key used otherwise as 422."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from foundation.idempotency import IdempotencyConflict
from foundation.rest.problems import answer_to, to_problem
from tests.tables import in_one_world
from transfers.ledger.posting import InsufficientFunds
from transfers.models import StepUpReason
from transfers.orders.cash import CashOnlyAtTheCounter
from transfers.orders.limits import DailyLimitReached
from transfers.orders.ownership import NotYourAccount
from transfers.orders.sending import SameAccount
from transfers.orders.step_up import StepUpRequired, WaitsAfterReset, WrongStepUpCode
from transfers.payees.services import PayeeNotFound

AT = datetime(2026, 11, 3, 9, tzinfo=UTC)


def test_a_challenge_says_its_id_until_when_and_why() -> None:
    # R3.6: the same request again with this id and a code goes through.
    error: Any = StepUpRequired(StepUpReason.AMOUNT)
    error.challenge = SimpleNamespace(public_id=UUID(int=7), expires_at=AT)
    answer = json.loads(answer_to(error).content)
    assert (answer["status"], answer["code"]) == (403, "step_up_required")
    assert answer["challenge"] == {
        "id": "00000000-0000-0000-0000-000000000007",
        "expires_at": "2026-11-03T09:00:00.000000Z",
        "why": "amount",
    }


@in_one_world(
    ("error", "status"),
    [
        (WrongStepUpCode(), 403),
        (WaitsAfterReset(AT), 403),
        (CashOnlyAtTheCounter(), 403),
        (IdempotencyConflict(), 422),
        (SameAccount(), 422),
        (NotYourAccount(), 404),
        (PayeeNotFound(), 404),
        (InsufficientFunds(), 409),
        (DailyLimitReached(), 409),
    ],
)
def test_every_refusal_of_money_has_its_status_and_keeps_its_code(error: Any, status: int) -> None:
    # R7.3
    problem = to_problem(error)
    assert (problem.status, problem.code) == (status, error.code)
    assert problem.detail
