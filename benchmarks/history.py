"""What do pictures and pages of a long history cost, compared with hand-written SQL and with a short history?

    python benchmarks/history.py [--entries 100000] [--rounds 9] [--quick]

On one account of a SQLite file of its own, entries spread over half a year; with `--entries 5000000` it needs some
minutes and 5 GB. Each is measured in turns with the same question asked by hand through Python's sqlite3:

  balances   `history.balances_over_time`: the balance at the end of 26 weeks
  months     `history.months_in_and_out`: in and out of six months
  first      `history.filtered_page`: the latest 25 movements with counterparts, as the history shows them
  deepest    the same, the earliest 25, gone to by key
  totals     `history.totals_of`: in and out of the latest 10,000, as where nothing is filtered

Then the whole page from the address to the HTML, in processor time, beside another account's with 10,000 entries.
"""
# ruff: noqa: S608 - the statements are put together from texts of this file

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from browsing import browser_of, look_at, name_files_as_served
from figures import Figure, figure, program, ratios, take_turns, tell, timed
from long_history import make_account
from scratch_bank import set_up

SHORT = 10_000
LOOKS = 4
Pair = tuple[Callable[[], Any], Callable[[], Any]]


# --- The same questions, by hand ----------------------------------------------------------------------------


SIGNED = "CASE WHEN direction = 'credit' THEN amount ELSE -amount END"
PAGE = (
    "SELECT e.*, t.* FROM transfers_entry e JOIN transfers_transaction t ON t.id = e.transaction_id "
    "WHERE e.account_id = ? AND e.sequence < ? ORDER BY e.sequence DESC LIMIT 26"
)
SIDES = (
    "SELECT e.*, a.*, u.*, o.public_id FROM transfers_entry e JOIN accounts_bankaccount a ON a.id = e.account_id "
    "LEFT JOIN accounts_user u ON u.id = a.owner_id "
    "LEFT JOIN transfers_transferorder o ON o.transaction_id = e.transaction_id WHERE e.transaction_id IN ({marks})"
)
TOTALS = (
    "SELECT count(*), sum(CASE WHEN direction = 'credit' THEN amount END), "
    "sum(CASE WHEN direction = 'debit' THEN amount END) FROM (SELECT direction, amount FROM transfers_entry "
    "WHERE account_id = ? ORDER BY sequence DESC LIMIT 10000)"
)


def by_hand(path: str, account: Any, now: datetime) -> dict[str, Callable[[], Any]]:
    from transfers.periods import Month, Week

    run = sqlite3.connect(path).execute
    text = lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S")  # noqa: E731

    def sums(amount: str, periods: list[tuple[datetime, datetime]], more: str = "") -> Callable[[], Any]:
        where = f"account_id = ? AND posted_at >= ? AND posted_at < ?{more}"
        one = f"(SELECT sum({amount}) FROM transfers_entry WHERE {where})"
        statement = f"SELECT balance, {', '.join([one] * len(periods))} FROM accounts_bankaccount WHERE id = ?"
        values = [value for begin, end in periods for value in (account.pk, text(begin), text(end))]
        return lambda: run(statement, [*values, account.pk]).fetchone()

    def page(before: int) -> Callable[[], Any]:
        def ask() -> Any:
            rows = run(PAGE, (account.pk, before)).fetchall()[:25]
            ids = [row[7] for row in rows]
            return run(SIDES.format(marks=", ".join("?" * len(ids))), ids).fetchall()

        return ask

    weeks = [(week.starts_at, week.starts_at + timedelta(days=7)) for week in Week.of(now).and_before(26)]
    months = [(month.starts_at, month.ends_at) for month in Month.of(now).and_before(6)]
    ins = sums("amount", months, " AND direction = 'credit'")
    outs = sums("amount", months, " AND direction = 'debit'")
    return {
        "balances": sums(SIGNED, weeks),
        "months": lambda: (ins(), outs()),
        "first": page(2**62),
        "deepest": page(26),
        "totals": lambda: run(TOTALS, (account.pk,)).fetchone(),
    }


def by_selectors(account: Any, now: datetime) -> dict[str, Callable[[], Any]]:
    from foundation.paging import Cursor
    from transfers import history
    from transfers.history.filters import HistoryFilters
    from transfers.models import Entry

    user, filters = account.owner, HistoryFilters(account=account)
    deepest = Cursor.of(Entry(sequence=26), ("sequence",))
    return {
        "balances": lambda: history.balances_over_time(user, at=now, account=account),
        "months": lambda: history.months_in_and_out(user, at=now, account=account),
        "first": lambda: history.filtered_page(user, filters),
        "deepest": lambda: history.filtered_page(user, filters, after=deepest),
        "totals": lambda: history.totals_of(user, filters),
    }


# --- Measuring ----------------------------------------------------------------------------------------------


def milliseconds(ask: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    ask()
    return (time.perf_counter() - begin) * 1000


def times_of(pairs: dict[str, Pair], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the times of our way and of the one by hand, in each round; all take turns, so that a busy machine is busy
    for all."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
    for number in range(rounds + 1):
        for name, (ours, hand) in pairs.items():
            taken = milliseconds(ours), milliseconds(hand)
            if number:  # the first round compiles and warms up
                times[name].append(taken)
    return times


def same_answers(ours: dict[str, Callable[[], Any]], hand: dict[str, Callable[[], Any]]) -> bool:
    """Return whether both ways agree on the last balance, on in and out and on the totals."""
    from foundation.money import from_minor

    points, flows, totals = ours["balances"]().points, ours["months"](), ours["totals"]()
    balance, *changes = hand["balances"]()
    ins, outs = hand["months"]()
    return (
        points[-1].balance == from_minor(balance)
        and points[0].balance == from_minor(balance - sum(change or 0 for change in changes))
        and [flow.money_in for flow in flows] == [from_minor(amount or 0) for amount in ins[1:]]
        and [flow.money_out for flow in flows] == [from_minor(amount or 0) for amount in outs[1:]]
        and (totals.count, totals.money_in, totals.money_out)
        == (hand["totals"]()[0], *map(from_minor, hand["totals"]()[1:]))
    )


def figures_of(times: dict[str, list[tuple[float, float]]], entries: int) -> Iterator[Figure]:
    table = f"Pictures and history of one account with {entries:,} entries, on SQLite"
    for name, taken in times.items():
        ours, hand = [one for one, _ in taken], [other for _, other in taken]
        yield figure(table, f"{name}, by the clock", "ms", ours)
        yield figure(table, f"{name}: time, of that by hand", "×", ratios(ours, hand))


def pages(account: Any, short: Any, entries: int, rounds: int) -> Iterator[Figure]:
    """Yield the page of the history: the first and the deepest of the long one, and the first of the short one."""
    from foundation.paging import Cursor
    from transfers.models import Entry

    table = f"The page of a history with {entries:,} entries, on SQLite"
    here = f"/history/?account={account.public_id}"
    deepest = f"{here}&older_than={Cursor.of(Entry(sequence=26), ('sequence',))}"
    browser, other = browser_of(account.owner), browser_of(short.owner)
    looks = {
        "the first page": partial(look_at, browser, here),
        "the deepest page": partial(look_at, browser, deepest),
        "the first page of a short one": partial(look_at, other, f"/history/?account={short.public_id}"),
    }
    taken = take_turns({name: timed(look, LOOKS) for name, look in looks.items()}, rounds)
    costs = {name: [1000 * one.cpu for one in all_rounds] for name, all_rounds in taken.items()}
    for name, values in costs.items():
        yield figure(table, f"{name}, processor", "ms", values)
    first, deep, small = costs.values()
    yield figure(table, "the deepest page: processor time, of the first", "×", ratios(deep, first))
    yield figure(table, f"the first page: processor time, of that with {SHORT:,}", "×", ratios(first, small))


def measure(folder: str, entries: int, rounds: int) -> list[Figure]:
    """Measure both ways; raise SystemExit if the bank and the statements by hand give different answers."""
    set_up(folder)
    from django.utils import timezone

    name_files_as_served(folder)
    now = timezone.now()
    short, account = make_account("bob", min(entries, SHORT), now), make_account("alice", entries, now)
    ours, hand = by_selectors(account, now), by_hand(f"{folder}/bank.sqlite3", account, now)
    found = list(figures_of(times_of({name: (ours[name], hand[name]) for name in ours}, rounds), entries))
    if not same_answers(ours, hand):
        raise SystemExit("The selectors and the statements by hand disagree.")
    return found + list(pages(account, short, entries, rounds))


def main() -> None:
    parser = program(__doc__ or "", rounds=9)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    entries, rounds = (2_000, 1) if options.quick else (options.entries, options.rounds)
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        found = measure(folder, entries, rounds)
    tell(found, options.json)


if __name__ == "__main__":
    main()
