"""Balance over time, in and out by month, and how they are drawn (R2.4, R10.2, R10.3, R10.5)."""

import itertools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AccountStatus, BankAccount
from tests.tables import in_one_world
from transfers import history
from transfers.history import pictures
from transfers.history.drawing import HEIGHT, MOST_STEPS, draw_bars, draw_line, scale_up_to
from transfers.history.monthly import _balance_before
from transfers.ledger import posting as ledger
from transfers.models import TransactionKind
from transfers.periods import Month

NOW = datetime(2026, 11, 18, 15, 30, tzinfo=UTC)  # a Wednesday
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
NOTHING, CENT = Decimal(0), Decimal("0.01")


@pytest.fixture
def open_account(open_account: Callable) -> Callable[..., BankAccount]:
    """Open accounts long before the picture begins."""

    def opened_long_ago(*args: Any, **kwargs: Any) -> BankAccount:
        return opened(open_account(*args, **kwargs), NOW - timedelta(weeks=60))

    return opened_long_ago


def opened(account: BankAccount, at: datetime) -> BankAccount:
    BankAccount.objects.filter(pk=account.pk).update(opened_at=at)
    account.refresh_from_db()
    return account


@pytest.fixture
def move(alice: Any) -> Callable[..., None]:
    """Move money into an account at a moment, or out of it, past all services."""

    def post(account: BankAccount, amount: str, at: datetime, other: BankAccount | None = None) -> None:
        desk = other or BankAccount.objects.get(ledger_code="cash-0")
        debit, credit = (desk, account) if Decimal(amount) > 0 else (account, desk)
        with transaction.atomic():
            ledger.post(
                kind=TransactionKind.TRANSFER,
                legs=ledger.transfer_legs(debit=debit.pk, credit=credit.pk, amount=abs(Decimal(amount))),
                initiated_by=alice,
                at=at,
            )
        account.refresh_from_db()

    return post


def balances(user: Any, account: BankAccount | None = None) -> list[Decimal]:
    return [point.balance for point in history.balances_over_time(user, at=NOW, account=account).points]


def flows(user: Any, account: BankAccount | None = None) -> list[tuple[int, Decimal, Decimal, Decimal]]:
    months = history.months_in_and_out(user, at=NOW, account=account)
    return [(flow.month.number, flow.money_in, flow.money_out, flow.net) for flow in months]


# --- What is read -------------------------------------------------------------------------------------------


def test_there_is_a_point_for_the_end_of_each_week_and_one_for_now(alice: Any, savings: BankAccount) -> None:
    points = history.balances_over_time(alice, at=NOW).points
    assert len(points) == 27
    assert [point.day for point in points[-3:]] == [date(2026, 11, 8), date(2026, 11, 15), date(2026, 11, 18)]
    assert points[0].day == date(2026, 5, 24)
    assert {point.day.weekday() for point in points[:-1]} == {6}
    assert {point.balance for point in points} == {0}


@in_one_world(
    ("opened_at", "days"),
    [
        (NOW, [date(2026, 11, 15), date(2026, 11, 18)]),
        (MONDAY, [date(2026, 11, 15), date(2026, 11, 18)]),
        (MONDAY - timedelta(microseconds=1), [date(2026, 11, 15), date(2026, 11, 18)]),
        (NOW - timedelta(weeks=2), [date(2026, 11, 8), date(2026, 11, 15), date(2026, 11, 18)]),
        (NOW + timedelta(days=9), [date(2026, 11, 15), date(2026, 11, 18)]),  # by a clock that is ahead
    ],
)
def test_it_begins_with_the_week_in_which_the_first_account_was_opened(
    alice: Any, savings: BankAccount, everyday: BankAccount, opened_at: datetime, days: list[date]
) -> None:
    """An account that did not exist had no balance, not even a lowest one."""
    opened(savings, NOW)
    opened(everyday, opened_at)
    assert [point.day for point in history.balances_over_time(alice, at=NOW, account=everyday).points] == days
    if opened_at <= NOW:
        assert [point.day for point in history.balances_over_time(alice, at=NOW).points] == days
    assert len(history.balances_over_time(alice, at=NOW, account=savings).points) == 2


def test_a_movement_counts_from_the_week_that_it_fell_in(alice: Any, savings: BankAccount, move: Callable) -> None:
    move(savings, "1000.00", NOW - timedelta(weeks=60))
    move(savings, "0.01", MONDAY - timedelta(microseconds=1))
    move(savings, "-300.00", MONDAY)
    # A movement that another server's clock has stamped a little later is in the balance, so it is in the last point.
    move(savings, "5.00", NOW + timedelta(seconds=2))
    shown = balances(alice)
    assert shown[:-2] == [Decimal("1000.00")] * 25
    assert shown[-2:] == [Decimal("1000.01"), Decimal("705.01")]
    assert shown[-1] == savings.balance


def test_weeks_and_months_begin_when_the_banks_day_does(
    alice: Any, savings: BankAccount, move: Callable, settings: Any
) -> None:
    """R10.3."""
    settings.TIME_ZONE = "America/New_York"
    move(savings, "7.00", MONDAY + timedelta(hours=4))  # eleven in the evening of Sunday
    move(savings, "9.00", datetime(2026, 11, 1, 3, tzinfo=UTC))  # the last evening of October
    assert balances(alice)[-4:] == [Decimal(9), Decimal(9), Decimal(16), Decimal(16)]
    assert [flow[1] for flow in flows(alice)[-2:]] == [Decimal(9), Decimal(7)]


def test_points_agree_with_statements_whatever_order_entries_of_one_moment_took(
    alice: Any, savings: BankAccount, move: Callable
) -> None:
    """R3.7. The second movement is earlier than the first."""
    move(savings, "50.00", MONDAY)
    move(savings, "20.00", MONDAY - timedelta(days=17))
    for point in history.balances_over_time(alice, at=NOW).points[:-1]:
        end = datetime.combine(point.day + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        assert point.balance == _balance_before(savings, end)


def test_months_tell_what_came_in_and_went_out(alice: Any, savings: BankAccount, move: Callable) -> None:
    move(savings, "100.00", datetime(2026, 5, 31, 23, 59, tzinfo=UTC))  # before the first of six
    move(savings, "40.00", datetime(2026, 6, 1, tzinfo=UTC))
    move(savings, "-15.50", datetime(2026, 6, 30, 23, 59, 59, 999_999, tzinfo=UTC))
    move(savings, "-4.50", NOW)
    rows = flows(alice)
    assert [row[0] for row in rows] == [6, 7, 8, 9, 10, 11]
    assert rows[0][1:] == (Decimal("40.00"), Decimal("15.50"), Decimal("24.50"))
    assert rows[-1][1:] == (NOTHING, Decimal("4.50"), Decimal("-4.50"))
    assert {row[1:] for row in rows[1:-1]} == {(NOTHING, NOTHING, NOTHING)}
    assert [flow.is_so_far for flow in history.months_in_and_out(alice, at=NOW)] == [False] * 5 + [True]


def test_the_total_is_of_all_accounts_closed_ones_too_and_moves_between_them_cancel_out(
    alice: Any, savings: BankAccount, open_account: Callable, move: Callable, freeze: Callable
) -> None:
    closed = open_account(alice)
    move(closed, "30.00", NOW - timedelta(weeks=5))
    move(savings, "30.00", NOW - timedelta(weeks=2), closed)
    freeze(closed, AccountStatus.CLOSED)
    assert balances(alice)[-7:] == [0, *[Decimal(30)] * 6]
    assert balances(alice, closed)[-7:] == [0, *[Decimal(30)] * 3, 0, 0, 0]
    assert balances(alice, savings)[-4:] == [0, *[Decimal(30)] * 3]
    assert flows(alice)[-1][1:] == (Decimal(30), Decimal(30), NOTHING)


def test_a_stranger_sees_nothing_of_it(alice: Any, charlie: Any, everyday: BankAccount) -> None:
    """R1.7."""
    for selector in (history.balances_over_time, history.months_in_and_out):
        with pytest.raises(BankAccount.DoesNotExist):
            selector(charlie, at=NOW, account=everyday)
    assert balances(charlie) == [0] * 2
    assert not history.balances_over_time(charlie, at=NOW).has_entries
    assert history.overview_of(charlie, at=NOW).accounts == []


def test_each_picture_is_one_statement_that_reads_the_index_alone(
    alice: Any, everyday: BankAccount, savings: BankAccount
) -> None:
    """R2.4: cheap at a hundred thousand entries, for any number of accounts."""
    with CaptureQueriesContext(connection) as captured:
        history.balances_over_time(alice, at=NOW)
        history.months_in_and_out(alice, at=NOW)
        history.overview_of(alice, at=NOW)
    assert len(captured) == 3
    if connection.vendor != "sqlite":
        return  # the plan is shown elsewhere in words of its own
    for query, sums in zip(captured.captured_queries, (26, 12, 26), strict=True):
        assert query["sql"].count("SUM(") == sums
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps = [row[3] for row in cursor.fetchall() if " U0 " in row[3]]
        assert len(steps) == sums
        for step in steps:
            assert "USING COVERING INDEX entry_account_sums (account_id=? AND posted_at>?" in step


def test_months_and_weeks_go_back_over_the_new_year() -> None:
    assert Month(2026, 2).and_before(4) == [Month(2025, 11), Month(2025, 12), Month(2026, 1), Month(2026, 2)]
    weeks = pictures.Week.of(datetime(2026, 1, 1, tzinfo=UTC)).and_before(2)
    assert [(week.first_day, week.last_day) for week in weeks] == [
        (date(2025, 12, 22), date(2025, 12, 28)),
        (date(2025, 12, 29), date(2026, 1, 4)),
    ]


# --- How it is drawn ----------------------------------------------------------------------------------------


@in_one_world(
    ("largest", "unit", "marks"),
    [
        ("0", "0.01", ["0", "1"]),
        ("0.01", "0.01", ["0", "0.01"]),
        ("0.04", "0.01", ["0", "0.01", "0.02", "0.03", "0.04"]),
        ("3", "1", ["0", "1", "2", "3"]),
        ("1", "1", ["0", "1"]),
        ("100", "0.01", ["0", "50", "100"]),
        ("705.01", "0.01", ["0", "200", "400", "600", "800"]),
        ("1999.99", "0.01", ["0", "500", "1000", "1500", "2000"]),
        ("999999999998.99", "0.01", ["0", "500000000000", "1000000000000"]),
    ],
)
def test_the_scale_has_few_round_marks(largest: str, unit: str, marks: list[str]) -> None:
    assert scale_up_to(Decimal(largest), unit=Decimal(unit)).marks == tuple(map(Decimal, marks))


@given(st.decimals(min_value=0, max_value=10**16, places=2), st.sampled_from(["0.001", "0.01", "1"]))
def test_every_scale_reaches_what_it_shows_in_a_few_equal_steps(largest: Decimal, unit: str) -> None:
    marks = scale_up_to(largest, unit=Decimal(unit)).marks
    assert marks[0] == 0
    assert marks[-1] >= largest
    assert 1 <= len(marks) - 1 <= MOST_STEPS
    assert len({after - before for before, after in itertools.pairwise(marks)}) == 1


def test_a_line_goes_from_edge_to_edge_and_ends_in_a_point() -> None:
    picture = draw_line([Decimal(0), Decimal(100), Decimal(50)], unit=CENT)
    assert picture.line == "M0 200L300 0L600 100"
    assert picture.area == "M0 200L300 0L600 100V200H0Z"
    assert picture.last == "M600 100h0"
    assert picture.scale.grid == "M0 200H600M0 100H600M0 0H600"
    assert picture.scale.from_the_top == (Decimal(100), Decimal(50), NOTHING)


def test_one_amount_is_a_point_at_the_right() -> None:
    picture = draw_line([Decimal(1)], unit=CENT)
    assert (picture.line, picture.last) == ("M600 0", "M600 0h0")


def test_nothing_is_a_line_at_the_bottom_and_no_bars() -> None:
    assert draw_line([Decimal(0)] * 2, unit=CENT).line == f"M0 {HEIGHT}L600 {HEIGHT}"
    bars = draw_bars([(Decimal(0), Decimal(0))], unit=CENT)
    assert (bars.left, bars.right) == ("", "")


def test_bars_stand_side_by_side_and_a_little_beside_a_lot_is_seen() -> None:
    bars = draw_bars([(Decimal(1000), CENT), (Decimal(0), Decimal(500))], unit=CENT)
    assert bars.left == "M40.5 200V0h96V200Z"
    assert bars.right == "M163.5 200V199h96V200ZM463.5 200V100h96V200Z"


@given(st.lists(st.decimals(min_value=0, max_value=10**16, places=2), min_size=1, max_size=30))
def test_no_path_leaves_the_box_or_has_another_spelling_of_numbers(amounts: list[Decimal]) -> None:
    line = draw_line(amounts, unit=CENT)
    bars = draw_bars([(amount, amount) for amount in amounts], unit=CENT)
    for path in (line.line, line.area, bars.left, bars.right):
        assert re.fullmatch(r"([MLVHh]\d+(\.\d)?( \d+(\.\d)?)?|Z)*", path)
        assert all(0 <= float(number) <= 600 for number in re.findall(r"[\d.]+", path))


# --- The pages ----------------------------------------------------------------------------------------------


def test_the_page_shows_all_accounts_or_one(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    client, page = browser_of(alice), reverse("pictures")
    every = client.get(page)
    assert every.context["chosen"] is None
    assert "Money moved between your own accounts is in both." in every.content.decode()
    one = client.get(page, {"account": everyday.public_id})
    assert one.context["chosen"] == everyday
    assert "Money moved between your own accounts" not in one.content.decode()
    for answer in (every, one):
        text = answer.content.decode()
        assert answer.context["balance_picture"]["last"].balance == Decimal(100)
        assert text.count('role="img"') == text.count("Show as table") == 2
        assert "to €100.00 on" in text
    empty = client.get(page, {"account": savings.public_id}).content.decode()
    assert "Nothing has moved yet" in empty
    assert "plot" not in empty


def test_lowest_and_highest_are_said_to_be_those_of_the_weeks_ends(
    alice: Any, browser_of: Callable, savings: BankAccount, move: Callable
) -> None:
    """R10.2: in the words beside the picture and in those for readers who do not see it."""
    move(savings, "5.00", timezone.now() - timedelta(weeks=3))
    move(savings, "-2.00", timezone.now())
    text = " ".join(re.sub("<[^>]+>", "", browser_of(alice).get(reverse("pictures")).content.decode()).split())
    assert len(re.findall(r"At the end of each week: lowest €0\.00 \(.+?\), highest €5\.00 \(.+?\)\.", text)) == 2
    assert "Balance at the end of each week" in text


def test_a_new_account_has_a_picture_without_a_middle(alice: Any, browser_of: Callable, savings: BankAccount) -> None:
    opened(savings, timezone.now())
    BankAccount.objects.filter(pk=savings.pk).update(last_sequence=1)
    picture = browser_of(alice).get(reverse("pictures")).context["balance_picture"]
    assert (len(picture["points"]), picture["middle"]) == (2, None)


def test_every_number_of_a_picture_is_in_its_table(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    """R10.2."""
    text = browser_of(alice).get(reverse("pictures")).content.decode()
    weeks, months = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert weeks.count('<th role="rowheader" scope="row">') == 27
    assert months.count('<th role="rowheader" scope="row">') == 6
    assert weeks.count('scope="col"') == 2
    assert months.count('scope="col"') == 4
    assert months.count("€100.00") == 2


@in_one_world("account", ["00000000-0000-4000-8000-000000000000", "1", "'--", "\x00", "９", "x" * 3000])
def test_an_account_that_is_not_is_not_found(
    alice: Any, browser_of: Callable, everyday: BankAccount, account: str
) -> None:
    assert browser_of(alice).get(reverse("pictures"), {"account": account}).status_code == 404


def test_somebody_elses_account_is_as_unknown_as_none(
    charlie: Any, sam: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    """R1.7."""
    for given_id in (everyday.public_id, uuid4()):
        answer = browser_of(charlie).get(reverse("pictures"), {"account": given_id})
        assert answer.status_code == 404
        assert "Everyday" not in answer.content.decode()
    assert browser_of(sam).get(reverse("pictures"), {"account": everyday.public_id}).status_code == 403


def test_before_the_first_account_the_page_says_what_comes_next(charlie: Any, browser_of: Callable) -> None:
    """R10.3."""
    text = browser_of(charlie).get(reverse("pictures")).content.decode()
    assert "There is nothing to draw yet" in text
    assert reverse("account_open") in text


def test_pages_with_a_picture_have_no_style_of_their_own(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    """R8.2: the CSP would drop it."""
    client = browser_of(alice)
    for path in (reverse("dashboard"), reverse("pictures"), reverse("account", args=[everyday.public_id])):
        text = client.get(path).content.decode()
        assert 'class="plot-line"' in text
        assert not re.search(r"\sstyle=|<style", text)
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
    assert 'class="plot-line"' not in client.get(reverse("account", args=[savings.public_id])).content.decode()


def test_paths_are_the_same_in_a_language_with_decimal_commas(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any
) -> None:
    """R10.3."""
    settings.LANGUAGE_CODE = "de"
    text = browser_of(alice).get(reverse("pictures")).content.decode()
    assert "100,00\xa0€" in text
    assert all("," not in path for path in re.findall(r'\sd="([^"]+)"', text))


def test_a_currency_without_decimals_is_drawn_in_whole_units(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any
) -> None:
    settings.CURRENCY = "JPY"
    picture = browser_of(alice).get(reverse("pictures")).context["balance_picture"]
    assert picture["last"].balance == Decimal(10_000)
    assert picture["shape"].scale.marks[-1] == Decimal(10_000)
