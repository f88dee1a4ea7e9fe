"""The demo's plan: always the same, never overdrawn, and like a month of people's money (R9.2)."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from accounts import demo_people
from accounts.models import BankAccount
from accounts.roles import Role
from foundation.money import to_minor
from tests.tables import in_one_world
from transfers.demo.habits import CASH, Day, payday
from transfers.demo.lives import AWAY, HABITS, HOLDINGS, owner_of
from transfers.demo.planning import Movement, first_month, opening_times, plan
from transfers.models import MAX_DESCRIPTION_CHARS, OrderKind
from transfers.periods import Month

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOWS = [NOW, *(datetime(2027, month, day, 0, 30, tzinfo=UTC) for month in range(1, 13) for day in (1, 28))]
CUSTOMERS = {person.login for person in demo_people.EVERYBODY if person.role == Role.CUSTOMER}


@cache
def plan_of(now: datetime) -> list[Movement]:
    return plan(first_month(now), now - timedelta(days=1))


def test_the_same_day_has_the_same_plan_and_a_later_one_goes_on_with_it() -> None:
    movements = plan_of(NOW)
    assert movements == plan_of.__wrapped__(NOW)
    assert movements == plan_of(NOW + timedelta(hours=6))
    later = plan_of(NOW + timedelta(days=5))
    assert later[: len(movements)] == movements
    assert len(later) > len(movements)


@in_one_world("now", NOWS, ids=str)
def test_no_account_is_overdrawn_or_runs_away(now: datetime) -> None:
    balances: dict[str, Decimal] = defaultdict(Decimal)
    for movement in plan_of(now):
        assert movement.amount > 0
        balances[movement.source] -= movement.amount
        balances[movement.target] += movement.amount
        assert movement.source == CASH or balances[movement.source] > 30, movement
    del balances[CASH]
    assert set(balances) == {holding.key for holding in HOLDINGS}
    assert max(balances.values()) < 40_000
    assert all(50 < balance < 9_000 for key, balance in balances.items() if key.startswith("alice."))


@in_one_world("now", NOWS, ids=str)
def test_each_of_six_full_months_has_its_salaries_rents_and_wages(now: datetime) -> None:
    movements = plan_of(now)
    seen = Counter((Month.of(movement.at), movement.text) for movement in movements)
    for month in Month.of(now).and_before(7)[:-1]:
        assert [seen[month, text] for text in ("Salary", "Rent", "Wages")] == [3, 5, 2]
    assert 1_900 < len(movements) < 3_000


def test_it_is_in_order_of_time_and_ends_before_the_last_day_begins() -> None:
    movements = plan_of(NOW)
    times = [movement.at for movement in movements]
    assert times == sorted(times)
    assert datetime(2026, 4, 28, tzinfo=UTC) < times[0] < datetime(2026, 5, 1, tzinfo=UTC)
    assert NOW - timedelta(days=2) < times[-1] < NOW - timedelta(hours=24)
    assert len({movement.key for movement in movements}) == len(movements)
    assert {movement.kind for movement in movements} == set(OrderKind)


def test_weeks_look_like_weeks() -> None:
    """Two or three times to the shop, never on a Sunday."""
    shopping = [one for one in plan_of(NOW) if (one.source, one.target) == ("alice.everyday", "market.till")]
    assert 1.5 < len(shopping) / 28 < 3
    assert {one.at.weekday() for one in shopping} <= set(range(6))
    assert len({one.amount for one in shopping}) > len(shopping) * 0.8


def test_every_habit_is_lived_and_by_nobody_who_is_away() -> None:
    movements, first = plan_of(NOW), first_month(NOW)
    seen = {(one.source, one.target, one.text) for one in movements}
    assert [one for one in HABITS if not any((one.source, one.target, text) in seen for text in one.texts)] == []
    for person, (number, begin, end) in AWAY.items():
        month = Month(first.year, first.number + number)
        gone = [one for one in movements if one.actor == person and Month.of(one.at) == month]
        assert not [one for one in gone if one.target == "market.till" and begin <= one.at.day <= end]


def test_its_words_and_accounts_are_such_as_the_bank_has(settings: Any) -> None:
    assert {holding.owner for holding in HOLDINGS} == CUSTOMERS
    assert len(CUSTOMERS) == 12
    assert {owner_of(key) for habit in HABITS for key in (habit.source, habit.target)} - {CASH} == CUSTOMERS
    assert max(Counter(holding.owner for holding in HOLDINGS).values()) <= settings.MAX_OPEN_ACCOUNTS
    assert max(len(text) for habit in HABITS for text in habit.texts) <= MAX_DESCRIPTION_CHARS
    longest = BankAccount._meta.get_field("nickname").max_length
    assert all(len(holding.nickname) <= (longest or 0) for holding in HOLDINGS)
    assert min(opening_times(first_month(NOW)).values()) < first_month(NOW).starts_at


@in_one_world("currency", ["JPY", "BHD"])
def test_a_currency_may_have_other_decimals(settings: Any, currency: str) -> None:
    settings.CURRENCY = currency
    assert all(to_minor(movement.amount) > 0 for movement in plan_of.__wrapped__(NOW))


def test_payday_is_the_friday_before_a_weekend() -> None:
    chance: Any = None
    days = [datetime(2026, month, day).date() for month in (6, 9, 10) for day in range(20, 31)]  # noqa: DTZ001
    assert [str(day) for day in days if payday(Day(day, 0), chance)] == ["2026-06-26", "2026-09-25", "2026-10-27"]
