"""What a round checks in its bank beside the books: every request is answered while nothing is broken, a server comes
back, and readers never stop."""

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.books import Books
from tests.faults.fault import Fault, Site, Violation
from tests.faults.journal import HISTORY, PAGE, Journal
from tests.faults.report import Figures
from tests.faults.rounds import Round


def a_round(pays: Callable[[Journal], None]) -> Round:
    """Begin a round of a bank that only survives while customers pay."""
    journal = Journal([])
    bank = SimpleNamespace(site=Site.SQLITE, wait_until_it_pays=lambda transfers: pays(journal))
    clients = SimpleNamespace(journal=journal, pay=lambda: None, pause=lambda: None)
    books = SimpleNamespace(check=lambda: None)
    return Round(cast(Any, bank), cast(Any, clients), cast(Any, books), Figures())


def does_nothing(bank: object, random: Random) -> None:
    """Break nothing: a fault for tests of rounds."""


def strike(one: Round, strikes: Callable[[Any, Random], None], *, drops_nothing: bool = False) -> None:
    one.strike(Fault("a kind", strikes, (Site.SQLITE,), drops_nothing=drops_nothing), Random(0))


def test_a_worker_that_answers_503_while_nothing_is_broken_is_named() -> None:
    def pays(journal: Journal) -> None:
        journal.answers["503 database_away"] += 1

    one = a_round(pays)
    with pytest.raises(Violation, match=r"though nothing was broken: .*503 database_away"):
        strike(one, does_nothing)
    assert one.steps == [], "no fault has struck yet"


@pytest.mark.parametrize("drops_nothing", [False, True])
def test_unanswered_requests_during_a_fault_are_named_only_where_it_may_drop_none(drops_nothing: bool) -> None:
    one = a_round(lambda journal: None)

    def strikes(bank: object, random: Random) -> None:
        one.clients.journal.answers["none ConnectionResetError"] += 1

    if drops_nothing:
        with pytest.raises(Violation, match="amid a kind"):
            strike(one, strikes, drops_nothing=True)
    else:
        strike(one, strikes)


def test_a_server_that_does_not_come_back_is_a_violation_and_a_signal_ends_the_run() -> None:
    def gives_up(bank: object, random: Random) -> None:
        raise SystemExit("PostgreSQL did not start")

    def is_told_to_end(bank: object, random: Random) -> None:
        raise SystemExit(128 + 15)

    with pytest.raises(Violation, match="PostgreSQL did not start"):
        strike(a_round(lambda journal: None), gives_up)
    with pytest.raises(SystemExit) as ended:
        strike(a_round(lambda journal: None), is_told_to_end)
    assert ended.value.code == 143


class QuietPost:
    """A post office at which all mails have come."""

    def require_mails(self, told: object) -> int:
        return 0


class Reading:
    """An auditor that finds nothing wrong, and has read this many snapshots."""

    def __init__(self, *read: int) -> None:
        self.read = list(read)

    def ask(self, what: str) -> Any:
        if what == "snapshots":
            return {"read": self.read.pop(0) if len(self.read) > 1 else self.read[0], "wrong": []}
        nothing: dict[str, Any] = {"orders": [], "balances": {}, "other_movements": [], "other_reports": {}}
        return {"rows": nothing, "verify": {}, "waiting": 0}[what]


def books(*read: int) -> Books:
    bank = SimpleNamespace(accounts=[], part=lambda kind: QuietPost())
    return Books(cast(Any, bank), Journal([]), cast(Any, Reading(*read)), patience=0.2)


def test_snapshots_that_are_read_no_more_are_named() -> None:
    checked = books(3, 5)
    checked.check()
    checked.check()
    with pytest.raises(Violation, match="No snapshot was read after the 5th"):
        checked.check()


@pytest.mark.parametrize("stopped", [HISTORY, PAGE])
def test_readers_that_stop_while_customers_pay_are_named(stopped: str) -> None:
    checked = books(*range(1, 9))
    checked.journal.reads.update([HISTORY, PAGE])
    checked.journal.acknowledged = 1
    checked.check()
    checked.check()  # nobody paid meanwhile
    checked.journal.acknowledged = 2
    checked.journal.reads.update({HISTORY, PAGE} - {stopped})
    with pytest.raises(Violation, match=f"No {stopped} was answered since the last look"):
        checked.check()
