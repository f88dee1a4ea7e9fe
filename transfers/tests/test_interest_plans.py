"""What a plan does with an account's interest, worked out without a database (R2.3, R9.2)."""

from dataclasses import replace
from datetime import date
from typing import Any

from accounts.models import AccountKind, AccountStatus, BankAccount
from foundation.money import from_minor
from tests.tables import in_one_world
from transfers.interest.counting import Accrual, Correction, MonthOfInterest
from transfers.interest.plans import Before, Plan
from transfers.ledger.posting import MAX_BALANCE_MINOR

OCTOBER, NOVEMBER = date(2026, 10, 31), date(2026, 11, 30)


def plan(balance: int, *, held: int = 0, month: int = 0, correction: int = 0, **account: Any) -> Plan:
    """Return November's plan for an account with this balance, all in minor units."""
    of = {"kind": AccountKind.SAVINGS, "status": AccountStatus.ACTIVE} | account
    return Plan(
        account=BankAccount(balance=from_minor(balance), held=from_minor(held), **of),
        before=Before(Accrual(OCTOBER), None, None, 0),
        correction=Correction(correction),
        why=["reversal K7QP-9XDM-2FRT"] if correction else [],
        after=Accrual(NOVEMBER, 0, correction),
        months=[MonthOfInterest(NOVEMBER, month)],
        rates="0.01",
        reversals_to=0,
    )


def test_what_comes_in_is_posted_before_what_goes_out() -> None:
    """So the account never runs short in between."""
    posted = plan(0, month=10, correction=-1).payments
    assert [payment.amount for payment in posted] == [10, -1]


@in_one_world(
    ("through", "said"),
    [
        (date(2026, 10, 30), "Correction up to September 2026"),
        (date(2026, 10, 31), "Correction up to October 2026"),
        (date(2026, 11, 1), "Correction up to October 2026"),
    ],
)
def test_a_correction_says_up_to_which_whole_month_it_is(through: date, said: str) -> None:
    made = plan(100, correction=-5)
    before = replace(made.before, accrual=Accrual(through))
    assert [payment.description for payment in replace(made, before=before).payments] == [said]


@in_one_world(
    ("account", "can_be_paid"),
    [
        ({"balance": MAX_BALANCE_MINOR - 10, "month": 10}, True),
        ({"balance": MAX_BALANCE_MINOR - 9, "month": 10}, False),
        # Money that goes out makes no room for money that came in first.
        ({"balance": MAX_BALANCE_MINOR - 9, "month": 10, "correction": -5}, False),
        ({"balance": 5, "correction": -5}, True),
        ({"balance": 4, "correction": -5}, False),
        ({"balance": 4, "month": 1, "correction": -5}, True),
        ({"balance": 9, "held": 4, "correction": -5}, True),
        ({"balance": 9, "held": 5, "correction": -5}, False),
        ({"balance": 9, "month": 1, "status": AccountStatus.FROZEN}, False),
    ],
    ids=str,
)
def test_interest_waits_where_the_account_cannot_take_or_give_it(account: dict[str, Any], can_be_paid: bool) -> None:
    """To the cent."""
    made = plan(**account)
    assert made.can_be_paid == can_be_paid
    assert bool(made.payments) == can_be_paid
    assert made.left == Accrual(NOVEMBER, 0, 0 if can_be_paid else made.owed)
