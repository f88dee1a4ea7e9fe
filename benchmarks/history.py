"""What do pictures and pages of the history cost with 100,000 entries, compared with hand-written SQL?

    python benchmarks/history.py [--entries 100000] [--rounds 9]

On one account of a SQLite file of its own, entries spread over half a year. Each is measured in turns with the same
question asked by hand through Python's sqlite3, and the median of the rounds is taken:

  balances   `selectors.balances_over_time`: the balance at the end of 26 weeks
  months     `selectors.months_in_and_out`: in and out of six months
  first      `selectors.filtered_page`: the latest 25 movements with counterparts, as the history shows them
  deepest    the same, the earliest 25, gone to by key
  totals     `selectors.totals_of`: in and out of the latest 50,000

Only the ratios mean something. What Python adds is nearly the same however many entries there are: most beside a
page, whose rows are decrypted and labelled, little beside a sum.
"""
# ruff: noqa: S608 - the statements are put together from texts of this file

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from figures import Figure, figure, program, ratios, tell
from scratch_bank import set_up

BATCH = 2_000
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def make_account(entries: int, now: datetime) -> Any:
    """A customer's account with that many entries, two in and one out, over half a year until now."""
    from django.db import transaction

    from accounts.models import AccountKind, BankAccount
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening
    from transfers.ledger import posting as ledger
    from transfers.models import TransactionKind

    alice = create_user(email="alice@example.com", password_hash="!", role=Role.CUSTOMER, first_name="Alice")  # noqa: S106
    account = opening.open_account(actor=alice, kind=AccountKind.CHECKING, idempotency_key="benchmark-opening")
    desk = BankAccount.objects.filter(kind=AccountKind.CASH).order_by("pk")[0]
    step = timedelta(days=180) / entries

    def planned(number: int) -> ledger.Planned:
        sides = (account.pk, desk.pk) if number % 3 == 2 else (desk.pk, account.pk)
        legs = ledger.transfer_legs(debit=sides[0], credit=sides[1], amount=Decimal(number % 97 + 100))
        kind = TransactionKind.WITHDRAWAL if number % 3 == 2 else TransactionKind.DEPOSIT
        return ledger.Planned(kind, legs, alice, now - step * (entries - number))

    for start in range(0, entries, BATCH):
        with transaction.atomic():
            ledger.post_many([planned(number) for number in range(start, min(start + BATCH, entries))])
    # Pictures begin when an account does: this one is as old as its entries.
    BankAccount.objects.filter(pk=account.pk).update(opened_at=now - timedelta(days=200))
    account.refresh_from_db()
    return account


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
    "WHERE account_id = ? ORDER BY sequence DESC LIMIT 50000)"
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


def measure(pairs: dict[str, Pair], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """What ours took and the one by hand, in each round; all take turns, so that a busy machine is busy for all."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
    for number in range(rounds + 1):
        for name, (ours, hand) in pairs.items():
            taken = milliseconds(ours), milliseconds(hand)
            if number:  # the first round compiles and warms up
                times[name].append(taken)
    return times


def same_answers(ours: dict[str, Callable[[], Any]], hand: dict[str, Callable[[], Any]]) -> bool:
    """Whether both ways say the same of the last balance, of in and out and of the totals."""
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
    first, deepest = ([one for one, _ in times[name]] for name in ("first", "deepest"))
    yield figure(table, "the deepest page: time, of the first", "×", ratios(deepest, first))


def main() -> None:
    parser = program(__doc__ or "", rounds=9)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    entries, rounds = (2_000, 1) if options.quick else (options.entries, options.rounds)
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        set_up(folder)
        from django.utils import timezone

        now = timezone.now()
        account = make_account(entries, now)
        ours, hand = by_selectors(account, now), by_hand(f"{folder}/bank.sqlite3", account, now)
        times = measure({name: (ours[name], hand[name]) for name in ours}, rounds)
        agree = same_answers(ours, hand)
    tell(list(figures_of(times, entries)), options.json)
    if not agree:
        raise SystemExit("The selectors and the statements by hand disagree.")


if __name__ == "__main__":
    main()
