"""A large movement is reversed by two administrators, whichever way its money went (R3.15, R5.8)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import BankAccount, PendingAct
from accounts.roles import Role
from tests import acts
from tests.funds import funds
from tests.staff_acts import REASON, agree
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive
from transfers.models import TransferOrder
from transfers.orders.large_reversals import reverse_or_ask

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


@pytest.fixture
def adam(make_user: Callable) -> Any:
    """The other administrator."""
    return make_user("Adam", Role.ADMIN)


def done_while_nothing_was_large(settings: Any, act: Callable[[], TransferOrder]) -> Any:
    settings.SUSPICIOUS_AMOUNT = Decimal(100_000)
    movement = act().transaction
    settings.SUSPICIOUS_AMOUNT = Decimal(1000)
    return movement


def test_cash_that_was_handed_out_by_mistake_comes_back_and_nothing_is_held_for_it(
    alice: Any, ada: Any, adam: Any, household: BankAccount, settings: Any
) -> None:
    """It came from the customer: nobody could spend it meanwhile."""
    mistake = done_while_nothing_was_large(
        settings,
        lambda: acts.withdraw(actor=alice, account=household, amount=Decimal(5000), idempotency_key="miscounted"),
    )
    asked = reverse_or_ask(actor=ada, transaction=mistake, reason=REASON)
    assert isinstance(asked, PendingAct)
    assert (asked.held_on, asked.held_amount) == (None, Decimal(0))
    assert (asked.person, asked.opened["account"], asked.opened["pays"]) == (alice, str(household), "")
    assert funds(household) == (Decimal(15_000), Decimal(15_000))
    agree(adam)
    assert funds(household) == (Decimal(20_000), Decimal(20_000))
    assert list(verification.faults()) == []


def test_what_could_not_be_reversed_now_is_not_asked_for_either(
    alice: Any, ada: Any, adam: Any, household: BankAccount, bobs: BankAccount, freeze: Callable, settings: Any
) -> None:
    """The account that would get the money back is frozen; the one that has it can still spend all of it."""
    mistake = done_while_nothing_was_large(
        settings,
        lambda: acts.transfer(
            actor=alice, source=household, target=bobs, amount=Decimal(5000), idempotency_key="to the wrong one"
        ),
    )
    freeze(household)
    with pytest.raises(AccountNotActive):
        reverse_or_ask(actor=ada, transaction=mistake, reason=REASON)
    assert funds(bobs) == (Decimal(5000), Decimal(5000))
    assert not PendingAct.objects.exists()
