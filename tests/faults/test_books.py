"""The checks of the bank test work: a difference from what customers were told is named by its key (R3.4, R3.5)."""

import itertools
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.faults.books import Claims, differences
from tests.faults.funds import refused_without_need
from tests.faults.journal import Journal
from tests.faults.people import Account

# Two customers; the first has two accounts.
ACCOUNTS = [
    Account(11, "1", 1, "alice@example.com", "", 50_000),
    Account(12, "2", 1, "alice@example.com", "", 50_000),
    Account(21, "3", 2, "bob@example.com", "", 50_000),
]
BEFORE = {
    "orders": [{"public_id": "opening", "description": ""}],
    "balances": {account.id: [account.balance, 0] for account in ACCOUNTS},
    "other_movements": [["deposit", "deposit", []]],
    "other_reports": {"deposit": ["DEPOSIT_CREATED"]},
}


STARTS = itertools.count()  # one transfer is asked for after the other


def told(key: str, source: int, target: int, minor: int, *answers: tuple[str, int, str, str]) -> list[dict[str, Any]]:
    """Return lines of a client's journal: for each answer its purpose, status, code, and order; status -1: none was
    written."""
    lines: list[dict[str, Any]] = []
    at = next(STARTS)
    for number, (purpose, status, code, order) in enumerate(answers):
        a_try = {"key": key, "try": f"{key}-{number}", "at": at + number / 10}
        lines.append({"do": "ask", "source": source, "target": target, "minor": minor, "purpose": purpose} | a_try)
        if status >= 0:
            answer = {"do": "told", "status": status, "code": code, "order": order, "shape": "", "retry_after": ""}
            lines.append(a_try | answer | {"at": at + number / 10 + 0.05})
    return lines


def ordered(key: str, public_id: str, source: int, target: int, minor: int) -> dict[str, Any]:
    """Return the rows of a transfer that was carried out."""
    return {
        "public_id": public_id,
        "source": source,
        "target": target,
        "amount": minor,
        "description": key,
        "state": "posted",
        "entries": [[source, "debit", minor], [target, "credit", minor]],
        "reports": ["TRANSFER_CREATED"],
    }


LINES = [
    *told("paid", 0, 2, 1_000, ("first", 201, "posted", "A"), ("again", 201, "posted", "A")),
    *told("own", 0, 1, 500, ("first", 201, "posted", "B"), ("other", 422, "idempotency_conflict", "")),
    *told("poor", 2, 0, 99_999, ("first", 409, "insufficient_funds", "")),
    *told("twins", 1, 2, 50_560, ("first", 409, "insufficient_funds", ""), ("twin", 201, "posted", "D")),
    *told("lost", 2, 1, 70, ("first", 0, "ConnectionResetError", ""), ("retry", 201, "posted", "C")),
    *told("gone", 2, 1, 180_000, ("first", -1, "", ""), ("final", 409, "insufficient_funds", "")),
]
ROWS = BEFORE | {
    "orders": [
        *BEFORE["orders"],
        ordered("paid", "A", 11, 21, 1_000),
        ordered("own", "B", 11, 12, 500),
        ordered("lost", "C", 21, 12, 70),
        ordered("twins", "D", 12, 21, 50_560),
    ],
    "balances": {"11": [48_500, 0], "12": [10, 0], "21": [101_490, 0]},
}


def found(lines: list[dict[str, Any]], rows: dict[str, Any]) -> list[str]:
    journal = Journal([])
    for line in lines:
        journal.take(line)
    return list(differences(Claims(ACCOUNTS, journal.transfers, BEFORE), rows))


def test_what_was_told_and_what_the_tables_hold_are_the_same() -> None:
    assert found(LINES, deepcopy(ROWS)) == []


def without_order(rows: dict[str, Any]) -> None:
    rows["orders"] = [row for row in rows["orders"] if row["description"] != "paid"]


def doubled(rows: dict[str, Any]) -> None:
    rows["orders"].append(ordered("paid", "E", 11, 21, 1_000))


def one_entry(rows: dict[str, Any]) -> None:
    rows["orders"][1]["entries"].pop()


def a_third_entry(rows: dict[str, Any]) -> None:
    rows["orders"][1]["entries"].append([21, "credit", 1])


def another_amount(rows: dict[str, Any]) -> None:
    rows["orders"][1]["amount"] += 1


def not_posted(rows: dict[str, Any]) -> None:
    rows["orders"][1]["state"] = "held"


def not_reported(rows: dict[str, Any]) -> None:
    rows["orders"][1]["reports"] = []


def reported_twice(rows: dict[str, Any]) -> None:
    rows["orders"][1]["reports"] *= 2


def another_id(rows: dict[str, Any]) -> None:
    rows["orders"][1]["public_id"] = "Z"


def refused_and_done(rows: dict[str, Any]) -> None:
    rows["orders"].append(ordered("poor", "F", 21, 11, 99_999))


def given_up_and_done(rows: dict[str, Any]) -> None:
    rows["orders"].append(ordered("gone", "F", 21, 12, 180_000))


def never_asked(rows: dict[str, Any]) -> None:
    rows["orders"].append(ordered("strange", "G", 21, 11, 1))


def off_by_a_cent(rows: dict[str, Any]) -> None:
    rows["balances"]["21"][0] += 1


def set_aside(rows: dict[str, Any]) -> None:
    rows["balances"]["21"][1] = 1


def moved_without_order(rows: dict[str, Any]) -> None:
    rows["other_movements"].append(["X", "deposit", [[11, "credit", 5]]])


def an_earlier_one_changed(rows: dict[str, Any]) -> None:
    rows["orders"][0] = rows["orders"][0] | {"description": "another"}


DOCTORED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "one removed": (without_order, "paid: acknowledged, and there are 0 orders"),
    "one doubled": (doubled, "paid: acknowledged, and there are 2 orders"),
    "an entry gone": (one_entry, "paid: its entries"),
    "an entry more": (a_third_entry, "paid: its entries"),
    "another amount": (another_amount, "paid: its amount: 1001, and not 1000"),
    "held": (not_posted, "paid: its state: held"),
    "not in the audit log": (not_reported, "paid: its reports: []"),
    "twice in the audit log": (reported_twice, "paid: its reports"),
    "another order": (another_id, "paid: order Z, and told was A"),
    "refused and done": (refused_and_done, "poor: refused, and there is order F"),
    "given up and done": (given_up_and_done, "gone: refused, and there is order F"),
    "never asked for": (never_asked, "'strange': an order that nobody asked for"),
    "a cent": (off_by_a_cent, "account 21 has 101491, and the acknowledged transfers make it 101490"),
    "set aside": (set_aside, "account 21 has 1 set aside"),
    "moved without an order": (moved_without_order, "other_movements"),
    "what was before": (an_earlier_one_changed, "order opening from before has changed"),
}


@pytest.mark.parametrize("case", DOCTORED)
def test_a_doctored_ledger_is_named(case: str) -> None:
    doctor, says = DOCTORED[case]
    rows = deepcopy(ROWS)
    doctor(rows)
    assert any(difference.startswith(says) for difference in found(LINES, rows)), found(LINES, rows)


ANSWERS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "acknowledged, and nothing was done": (
        told("none", 0, 2, 5, ("first", 201, "posted", "H")),
        "none: acknowledged, and there are 0 orders",
    ),
    "two orders told": (
        told("two", 0, 2, 5, ("first", 201, "posted", "H"), ("twin", 201, "posted", "I")),
        "two: two orders were told: H, I",
    ),
    "acknowledged, then refused": (
        told("both", 0, 2, 5, ("first", 201, "posted", "H"), ("again", 409, "insufficient_funds", "")),
        "both: acknowledged before, and then 409",
    ),
    "another amount under the key": (
        told("swap", 0, 2, 5, ("first", 201, "posted", "H"), ("other", 201, "posted", "H")),
        "swap: another amount under its key was answered 201",
    ),
    "never known": (
        told("open", 0, 2, 5, ("first", 503, "unavailable", ""), ("retry", 409, "insufficient_funds", "")),
        "open: nobody could be told",
    ),
    "refused for no reason": (
        told("odd", 0, 2, 5, ("first", 403, "forbidden", "")),
        "odd: refused with forbidden",
    ),
    "refused for no reason among tries of what was done": (
        told("late", 0, 2, 5, ("first", 429, "too_often", ""), ("retry", 201, "posted", "H")),
        "late: refused with too_often",
    ),
    "refused for want of funds that were there": (
        told("rich", 0, 2, 48_500, ("first", 409, "insufficient_funds", "")),
        "rich: refused 48500, and its account had 48500 at least",
    ),
    "refused since it was done": (
        told("self", 0, 2, 48_500, ("first", 201, "posted", "H"), ("retry", 409, "insufficient_funds", "")),
        "self: refused 48500, and its account had 48500 at least",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_doctored_journal_is_named(case: str) -> None:
    lines, says = ANSWERS[case]
    assert any(difference.startswith(says) for difference in found([*LINES, *lines], deepcopy(ROWS)))


def test_a_refusal_is_judged_by_what_may_have_been_there_and_no_longer_or_not_yet() -> None:
    """Another transfer at the same moment may have gone first, and an unacknowledged one may not have come."""
    paying = told("big", 0, 2, 40_000, ("first", 201, "posted", "H"))
    refused = told("after", 0, 2, 20_000, ("first", 409, "insufficient_funds", ""))
    coming = told("in", 2, 0, 30_000, ("first", 201, "posted", "I"))
    asked, answered = coming
    assert unneeded([*paying, *refused]) == []
    assert unneeded([paying[0], refused[0], refused[1] | {"at": paying[1]["at"]}, paying[1]]) == []
    assert unneeded([*paying, asked | {"at": 0.0}, *refused, answered]) == []
    sooner = [line | {"at": 0.0} for line in coming]
    assert unneeded([*paying, *sooner, *refused]) == ["after: refused 20000, and its account had 40000 at least"]


def unneeded(lines: list[dict[str, Any]]) -> list[str]:
    journal = Journal([])
    for line in lines:
        journal.take(line)
    return list(refused_without_need(ACCOUNTS, journal.transfers.values()))


def test_mails_tell_both_sides_of_a_payment_and_nobody_of_ones_own_transfer() -> None:
    journal = Journal([])
    for line in LINES:
        journal.take(line)
    both = ["alice@example.com", "bob@example.com"]
    assert Claims(ACCOUNTS, journal.transfers, BEFORE).whom_mails_tell() == {
        "paid": both,
        "lost": both[::-1],
        "twins": both,
    }


@pytest.mark.parametrize("cut", [0, 5])
def test_a_journal_is_read_as_far_as_its_lines_are_whole(cut: int, tmp_path: Path) -> None:
    """A client that is killed during a line loses that line: the try has no answer."""
    file = tmp_path / "journal"
    text = "".join(f"{json.dumps(line)}\n" for line in told("paid", 0, 2, 5, ("first", 201, "posted", "A")))
    file.write_text(text[: len(text) - cut], encoding="utf-8")
    journal = Journal([file])
    journal.read_on()
    assert journal.acknowledged == (not cut)
    file.write_text(text, encoding="utf-8")
    journal.read_on()
    assert journal.acknowledged == 1
