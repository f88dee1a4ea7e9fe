"""A round: a bank on one site, its customers, and the faults that strike it one after another."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults import jobs
from tests.faults.books import Auditor, Books
from tests.faults.fault import Fault, Site, Violation
from tests.faults.load import Clients
from tests.faults.post import PostOffice
from tests.faults.report import Figures
from tests.faults.running import Part, ServedBank, served_bank

# More, and the books become long.
FAULTS_IN_A_ROUND = 12
# Transfers acknowledged before a fault, and after it: it strikes among them, and the bank goes on.
_BETWEEN = 20


@dataclass
class Round:
    """A bank with its customers and its books, and what was done to it so far."""

    bank: ServedBank
    clients: Clients
    books: Books
    figures: Figures
    steps: list[str] = field(default_factory=list)

    def pay(self, transfers: int = _BETWEEN) -> None:
        """Let the customers pay while nothing is broken, until this many more transfers are acknowledged.

        Raises:
            Violation: the bank does not pay, or leaves a customer without an answer, as one ill worker would.
        """
        with self._all_answered("though nothing was broken"):
            self.clients.pay()
            self.bank.wait_until_it_pays(transfers)

    def strike(self, fault: Fault, random: Random) -> None:
        """Let the fault strike during payments; return when the bank pays again.

        Raises:
            Violation
        """
        self.pay()
        self.steps.append(fault.name)
        self.figures.note(fault.name, self.bank.site)
        with self._all_answered(f"amid {fault.name}") if fault.drops_nothing else nullcontext():
            with _giving_up_is_a_violation():
                fault.strike(self.bank, random)
            self.bank.wait_until_it_pays(_BETWEEN)

    @contextmanager
    def _all_answered(self, when: str) -> Iterator[None]:
        """Check that all were answered, without our own faults (5xx).

        Raises:
            Violation
        """
        before = self._unanswered()
        yield
        if dropped := self._unanswered() - before:
            raise Violation(f"Requests that were not answered, or by a fault of ours, {when}: {dict(dropped)}")

    def _unanswered(self) -> Counter[str]:
        self.clients.journal.read_on()
        return self.clients.journal.unanswered

    def check(self) -> None:
        """Pause the customers, find out unknown outcomes, and check the books.

        Raises:
            Violation
        """
        self.clients.pause()
        self.books.check()
        self.figures.checks += 1


@contextmanager
def _giving_up_is_a_violation() -> Iterator[None]:
    """Turn giving up on a server that does not come back, which exits with a text, into a violation; a signal exits
    with a number.

    Raises:
        Violation: instead of the exit, so that the run counts it.
    """
    try:
        yield
    except SystemExit as error:
        if isinstance(error.code, str):
            raise Violation(error.code) from error
        raise


@contextmanager
def begun(
    site: Site,
    folder: Path,
    *,
    seed: str,
    figures: Figures,
    database_url: str = "",
    parts: Sequence[Part] | None = None,
) -> Iterator[Round]:
    """Begin a round in an empty folder; its results are added to the figures, however it ends, and nothing is left
    behind."""
    folder.chmod(0o711)  # a database server's own user has to get through
    with (
        served_bank(site, folder, database_url=database_url, parts=parts) as bank,
        Auditor.begun(bank) as auditor,
        Clients.begun(bank, seed) as clients,
    ):
        one = Round(bank, clients, Books(bank, clients.journal, auditor), figures)
        try:
            yield one
        finally:
            figures.rounds += 1
            clients.journal.read_on()
            figures.take_in(clients.journal)
            figures.restarts += sum(program.restarts for program in bank.programs)
            taken = bank.part(PostOffice).taken()
            figures.mails += sum(taken.values())
            figures.doubled += sum(taken.values()) - len(taken)
            figures.snapshots += one.books.snapshots


def play(
    site: Site,
    folder: Path,
    *,
    seed: str,
    figures: Figures,
    next_fault: Callable[[int], Fault | None],
    until: float,
    say: Callable[[str], None],
) -> bool:
    """Let faults strike until there is no next one or the time (`time.monotonic()`) is over, and check after each;
    False if a promise was not kept, which is then among the figures' violations."""
    steps: list[str] = []
    try:
        with begun(site, folder, seed=seed, figures=figures) as one:
            steps = one.steps
            one.pay()
            one.check()
            number = 0
            while time.monotonic() < until and (fault := next_fault(number)):
                began = time.monotonic()
                one.strike(fault, Random(f"{seed}-{number}"))
                one.check()
                number += 1
                say(f"{site}: {fault.name}, checked after {time.monotonic() - began:.0f} s")
            jobs.require_that_one_runs(one.bank)
    except Violation as violation:
        what = str(violation)
    except Exception:  # noqa: BLE001 - whatever a fault ran into: the run goes on, and fails
        what = traceback.format_exc()
    else:
        return True
    figures.violations.append(f"{site}, seed {seed}, after {' → '.join(steps) or 'no fault'}:\n{what}")
    say(figures.violations[-1])
    return False
