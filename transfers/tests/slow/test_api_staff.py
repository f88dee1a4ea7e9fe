"""What staff do with money through the API: held transfers, alerts, reversals, the ledger (R3.1, R3.10, R5.4, R6.4)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import BankAccount
from tests import acts
from tests.acts import at_once
from tests.api_client import ApiClient
from tests.staff_acts import REASON
from transfers.models import OrderState
from transfers.tests.test_api_staff import keyed, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


@pytest.fixture
def api(request: Any, api_of: Callable[..., ApiClient]) -> Callable[[str], ApiClient]:
    """`api("sam")`"""
    return lambda name: api_of(request.getfixturevalue(name))


@pytest.mark.django_db(transaction=True)
def test_of_eight_releases_at_once_one_moves_it(held: Any, bobs: Any, api: Any) -> None:
    # R3.4
    client = api("sam")
    answers = at_once(*[lambda: client.post(f"holds/{held.public_id}/release", {"reason": REASON}, **keyed())] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7  # type: ignore[union-attr]
    assert BankAccount.objects.get(pk=bobs.pk).balance == Decimal("12345.67")


@pytest.mark.django_db(transaction=True)
def test_twenty_times_the_same_decision_at_once_moves_it_once(held: Any, bobs: Any, api: Any) -> None:
    # R3.5
    client, key = api("sam"), keyed()
    answers: Any = at_once(*[lambda: client.post(f"holds/{held.public_id}/release", {"reason": REASON}, **key)] * 20)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert BankAccount.objects.get(pk=bobs.pk).balance == Decimal("12345.67")


@pytest.mark.django_db(transaction=True)
def test_one_of_two_decisions_at_once_under_one_key_is_refused(
    held: Any, pay: Any, household: Any, alice: Any, api: Any, new_key: Any
) -> None:
    acts.deposit(actor=alice, account=household, amount=Decimal(30000), idempotency_key=new_key())
    second, sam, key = pay("11111.11"), api("sam"), keyed()
    answers: Any = at_once(
        lambda: sam.post(f"holds/{held.public_id}/reject", {"reason": REASON}, **key),
        lambda: sam.post(f"holds/{second.public_id}/reject", {"reason": REASON}, **key),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert sorted([state_of(held), state_of(second)]) == [OrderState.HELD, OrderState.REJECTED]


@pytest.mark.django_db(transaction=True)
def test_twenty_times_the_same_reversal_at_once_moves_it_once(pay: Any, household: Any, api: Any) -> None:
    # R3.5
    client, key = api("ada"), keyed()
    path = f"transactions/{pay('30.00').transaction.reference}/reverse"
    before = BankAccount.objects.get(pk=household.pk).balance
    answers: Any = at_once(*[lambda: client.post(path, {"reason": REASON}, **key)] * 20)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert BankAccount.objects.get(pk=household.pk).balance == before + Decimal(30)
