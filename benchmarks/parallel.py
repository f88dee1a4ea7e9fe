"""Do eight processes pay as fast as eight processes of hand-written SQL, and is every payment there?

    python benchmarks/parallel.py --database-url postgres://… [--seconds 3] [--rounds 7] [--quick]

On a PostgreSQL server, where rows lock for real. Eight processes pay through the service, eight others by hand-written
SQL on a copy of the same database; they take turns. First among a thousand accounts, then to four that everybody pays.
Afterwards every balance is added up again, and as many orders are there as payments were answered: an error that
reaches a caller ends the program.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import Figure, figure, program, ratios, tell
from hand_sql import over
from payment import by_hand, by_service, sides_of
from scratch_bank import Bank, bank_of_this_process, begin, copied, prepare, require_exact, scratch_folder

PROCESSES = 8
HAND, SERVICE = "hand-written SQL", "the service"


@dataclass
class Team:
    """Processes that all pay in one way, when they are told to."""

    members: list["subprocess.Popen[str]"]
    paid: int = 0

    def pay(self, seconds: float) -> float:
        """Let all pay for this long; return payments a second.

        Raises:
            SystemExit: one of them has failed.
        """
        for member in self.members:
            assert member.stdin is not None  # noqa: S101 - for the type checker
            member.stdin.write(f"{seconds}\n")
            member.stdin.flush()
        got = [_line_of(member) for member in self.members]
        self.paid += sum(one["paid"] for one in got)
        return sum(one["paid"] / one["seconds"] for one in got)


def _line_of(member: "subprocess.Popen[str]") -> Any:
    assert member.stdout is not None  # noqa: S101 - for the type checker
    line = member.stdout.readline()
    if not line:
        raise SystemExit("A payment failed: see above.")
    return json.loads(line)


@contextmanager
def team(bank: Bank, way: str, folder: Path) -> Iterator[Team]:
    """Start eight processes, ready to pay; they end when nobody talks to them any more."""
    people = bank.keep(folder)
    members = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, Path(__file__), "--member", way, "--people", people, "--place", str(place)],
            env=bank.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for place in range(PROCESSES)
    ]
    try:
        for member in members:
            _line_of(member)
        yield Team(members)
    finally:
        for member in members:
            member.kill()
            member.wait(timeout=30)


def be_member(way: str, people: Path, place: int) -> None:
    """Be one of eight: pay for as long as each line of the input says, and answer how many payments that were."""
    bank = bank_of_this_process(people)
    sides = list(range(len(bank.people)))
    random.Random(place).shuffle(sides)  # noqa: S311 - no secret
    if way == SERVICE:
        begin(migrate=False)
        all_sides = sides_of(bank)
        pay = by_service([all_sides[number] for number in sides])
    else:
        payments = bank.payments()
        pay = by_hand(over(bank.database_url), [payments[number] for number in sides])
    pay()
    _answer(paid=1, seconds=1)
    for line in sys.stdin:
        _answer(**_pay_for(float(line), pay))


def _pay_for(seconds: float, pay: Callable[[], object]) -> dict[str, float]:
    begun, paid, passed = time.perf_counter(), 0, 0.0
    while passed < seconds:
        pay()
        paid, passed = paid + 1, time.perf_counter() - begun
    return {"paid": paid, "seconds": passed}


def _answer(**values: float) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


# --- What is told --------------------------------------------------------------------------------------------


def compare(table: str, bank: Bank, folder: Path, *, rounds: int, seconds: float) -> Iterator[Figure]:
    beside = copied(bank)
    rates: dict[str, list[float]] = {SERVICE: [], HAND: []}
    with ExitStack() as stack:
        teams = {SERVICE: (bank, SERVICE), HAND: (beside, HAND)}
        started = {name: stack.enter_context(team(*one, folder)) for name, one in teams.items()}
        for number in range(rounds + 1):
            for name in sorted(started, reverse=bool(number % 2)):
                rate = started[name].pay(seconds)
                if number:
                    rates[name].append(rate)
    for name, (its_bank, _) in teams.items():
        require_exact(its_bank, paid=started[name].paid + PROCESSES)  # each has paid once to get ready
    for name, values in rates.items():
        yield figure(table, f"{name}: by the clock", "a second", values)
    yield figure(table, f"{SERVICE} ÷ {HAND}", "×", ratios(rates[SERVICE], rates[HAND]))
    paid = started[SERVICE].paid
    yield Figure(table, "payments by the service, all exact, no error", "payments", paid, paid, paid)


def measure(folder: Path, options: Any) -> list[Figure]:
    customers, rounds, seconds = (40, 1, 0.5) if options.quick else (1000, options.rounds, options.seconds)
    server, table = options.database_url, f"{PROCESSES} processes on PostgreSQL"
    spread = prepare(folder, customers=customers, server=server)
    found = list(compare(f"{table}, among {customers:,} accounts", spread, folder, rounds=rounds, seconds=seconds))
    crowded = prepare(folder, customers=customers, server=server, hot=4)
    table += ", to four accounts that everybody pays"
    return found + list(compare(table, crowded, folder, rounds=min(rounds, 3), seconds=seconds))


def main() -> None:
    parser = program(__doc__ or "", rounds=7)
    parser.add_argument("--seconds", type=float, default=3, help="of each turn")
    parser.add_argument("--member", choices=[HAND, SERVICE], help="be one of the eight")
    parser.add_argument("--people", type=Path)
    parser.add_argument("--place", type=int, default=0)
    options = parser.parse_args()
    if options.member:
        be_member(options.member, options.people, options.place)
        return
    if not options.database_url:
        parser.error("--database-url is needed: SQLite has one writer at a time.")
    with scratch_folder() as folder:
        found = measure(folder, options)
    tell(found, options.json)


if __name__ == "__main__":
    main()
