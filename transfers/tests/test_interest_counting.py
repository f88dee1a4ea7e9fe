"""How interest is counted: actual/365, in millionths of a minor unit, half-even by the month (R9.2)."""

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import in_one_world
from transfers.interest.counting import MICRO, Accrual, accrue, correction, of_day, rounded
from transfers.interest.rates import BadRates, SavingsRates, parse_rates

OCTOBER_ENDS = date(2026, 10, 31)


def test_a_day_earns_a_365th_of_the_year() -> None:
    """1,000.00 at 3.65 % is 10 cents a day."""
    assert of_day(1000_00, 36_500) == 10 * MICRO
    assert of_day(0, 36_500) == of_day(1000_00, 0) == of_day(-5, 36_500) == 0


@given(balance=st.integers(0, 9 * 10**17), rate=st.integers(0, 1_000_000))
def test_a_day_is_exact_to_the_nearest_millionth(balance: int, rate: int) -> None:
    assert abs(of_day(balance, rate) - Fraction(balance * rate, 365)) < Fraction(1, 2)


@given(micro=st.integers(-(10**12), 10**25))
def test_a_month_is_rounded_half_even(micro: int) -> None:
    assert rounded(micro) == int((Decimal(micro) / MICRO).quantize(Decimal(1), ROUND_HALF_EVEN))
    assert abs(micro - rounded(micro) * MICRO) <= MICRO // 2


@in_one_world(("micro", "amount"), [(500_000, 0), (500_001, 1), (1_500_000, 2), (2_500_000, 2), (-500_000, 0)])
def test_a_half_goes_to_the_even_neighbour(micro: int, amount: int) -> None:
    assert rounded(micro) == amount


def test_a_year_is_365_days_in_leap_years_too() -> None:
    movements = [(date(2024, 2, 29), 365_00), (date(2024, 3, 1), -365_00)]
    after, months = accrue(
        Accrual(date(2024, 1, 31)), until=date(2024, 3, 31), balance=0, movements=movements, rates=parse_rates("0.5")
    )
    assert [(month.last_day, month.amount) for month in months] == [(date(2024, 2, 29), 50), (date(2024, 3, 31), 2)]
    assert after.through == date(2024, 3, 31)


@given(
    moves=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 10**9)), max_size=12),
    cuts=st.lists(st.integers(0, 120), max_size=6),
    rates=st.tuples(st.integers(0, 200_000), st.integers(0, 200_000), st.integers(1, 120)),
)
def test_it_is_all_the_same_in_how_many_runs_it_is_counted(
    moves: list[tuple[int, int]], cuts: list[int], rates: tuple[int, int, int]
) -> None:
    """Against a model of ten lines, with a rate that changes in the middle of a month."""
    begin = date(2026, 8, 17)
    schedule = SavingsRates([date.min, begin + timedelta(days=rates[2])], rates[:2])
    days = [begin + timedelta(days=number) for number in range(121)]
    movements = [(days[number], amount) for number, amount in moves]

    there, micro, expected = 0, Fraction(0), []
    for day in days:
        there += sum(amount for moved, amount in movements if moved == day)
        micro += round(Fraction(there * schedule.on(day), 365))
        if (day + timedelta(days=1)).month != day.month:
            expected.append((day, round(micro / MICRO)))
            micro -= expected[-1][1] * MICRO
            there += expected[-1][1]

    accrual, found = Accrual(begin - timedelta(days=1)), []
    balance = sum(amount for _, amount in movements)
    for until in [*(days[cut] for cut in sorted(cuts)), days[-1]]:
        since = [(day, amount) for day, amount in movements if day > accrual.through]
        accrual, months = accrue(accrual, until=until, balance=balance, movements=since, rates=schedule)
        balance += sum(month.amount for month in months)
        found += [(month.last_day, month.amount) for month in months]
    assert (found, accrual) == (expected, Accrual(days[-1], int(micro)))


@given(
    moves=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 10**9)), max_size=8),
    mistake=st.tuples(st.integers(0, 120), st.integers(-(10**9), 10**9)),
    was=st.integers(0, 200_000),
    is_now=st.integers(0, 200_000),
)
def test_a_correction_is_what_was_counted_wrongly_to_the_millionth(
    moves: list[tuple[int, int]], mistake: tuple[int, int], was: int, is_now: int
) -> None:
    """R3.15: with it, months and rest are as if the right days had been counted in the first place."""
    begin, through = date(2026, 8, 17), date(2026, 12, 15)
    right = [(begin + timedelta(days=number), amount) for number, amount in moves]
    wrong = [*right, (begin + timedelta(days=mistake[0]), mistake[1])]

    def counted(movements: list[tuple[date, int]], rate: int) -> int:
        after, months = accrue(
            Accrual(begin - timedelta(days=1)), until=through, balance=sum(amount for _, amount in movements),
            movements=movements, rates=SavingsRates([date.min], [rate]),
        )  # fmt: skip
        return sum(month.amount for month in months) * MICRO + after.micro

    books = [(wrong, SavingsRates([date.min], [was])), (right, SavingsRates([date.min], [is_now]))]
    found = correction(first_day=begin, through=through, was=books[0], is_now=books[1])
    assert found.amount * MICRO + found.micro == counted(right, is_now) - counted(wrong, was)
    assert correction(first_day=begin, through=through, was=books[1], is_now=books[1]).is_nothing


# --- Rates ------------------------------------------------------------------------------------------------


def test_one_rate_holds_always() -> None:
    assert {parse_rates("0.015").on(day) for day in (date.min, OCTOBER_ENDS, date.max)} == {15_000}
    assert (parse_rates("0").on(OCTOBER_ENDS), parse_rates("1.0").on(OCTOBER_ENDS)) == (0, 1_000_000)


def test_a_rate_holds_from_its_day_on() -> None:
    rates = parse_rates("2026-01-01:0.015, 2026-11-01:0.0225")
    days = [date(2025, 12, 31), date(2026, 1, 1), OCTOBER_ENDS, date(2026, 11, 1), date(2030, 1, 1)]
    assert [rates.on(day) for day in days] == [0, 15_000, 15_000, 22_500, 22_500]


@in_one_world(
    "text",
    ["", "1.5", "-0.01", "+0.01", "1e-2", "NaN", "Infinity", "0,015", "0.0000001", "1.000001", "0.015 %", "٠.٠١", ".5",
     "2026-01-01", "2026-01-01:", "2026-02-30:0.01", "2026-1-1:0.01", ":0.01", "2026-01-01:0.01,",
     "2026-01-02:0.01,2026-01-01:0.02", "2026-01-01:0.01,2026-01-01:0.02", "20260101:0.01"],
)  # fmt: skip
def test_anything_except_a_rate_is_refused(text: str) -> None:
    with pytest.raises(BadRates):
        parse_rates(text)


def test_a_text_says_the_same_rates_whatever_it_was_made_of() -> None:
    """The record of the rates that days were counted by."""
    rates = parse_rates("2026-01-01:0.015,2026-11-01:0.0225")
    assert rates.text == "2026-01-01:0.015000,2026-11-01:0.022500"
    assert parse_rates(rates.text).text == rates.text
    assert parse_rates("1.0").text == "0001-01-01:1.000000"
    assert rates.up_to(OCTOBER_ENDS).text == "2026-01-01:0.015000"
    assert rates.up_to(date(2025, 1, 1)).text == "0001-01-01:0.000000"


def test_rates_go_on_by_others_from_a_day_on() -> None:
    first, later = parse_rates("0.01"), parse_rates("2026-01-01:0.01,2026-10-15:0.02,2026-11-15:0.03")
    assert first.then(later, after=OCTOBER_ENDS).text == "0001-01-01:0.010000,2026-11-01:0.020000,2026-11-15:0.030000"
    assert first.then(first, after=OCTOBER_ENDS).text == first.text


def test_the_first_day_that_two_say_otherwise() -> None:
    first, later = parse_rates("0.01"), parse_rates("2026-01-01:0.01,2026-10-15:0.02")
    assert first.first_difference(later, since=date(2026, 1, 1)) == date(2026, 10, 15)
    assert first.first_difference(later, since=OCTOBER_ENDS) == OCTOBER_ENDS
    assert first.first_difference(first, since=date.min) is None
    assert (first.announced_from, later.announced_from) == (None, date(2026, 1, 1))
