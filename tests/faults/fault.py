"""What a fault is, and what it finds of the bank that it strikes.

A round is one bank on one site, with clients that send money all the while. The faults of a round strike one after
another; after each the clients pause, what was left without an answer is asked again by its key, and the books are
checked (`books.py`). A fault gives back what an operator or a supervisor would give back (a server that was killed is
started again), and nothing else: that the bank goes on by itself is what is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

P = TypeVar("P")


class Site(StrEnum):
    """Where a bank of a round stands: its database, and what else it needs."""

    SQLITE = "SQLite"  # a file with synchronous FULL; limits in rows
    POSTGRESQL = "PostgreSQL"  # one server with fsync, reached through a proxy; limits in a shared cache
    PAIR = "PostgreSQL, two servers"  # a primary and a synchronous standby, found through libpq's list of hosts


class Program(Protocol):
    """A process of the bank under its supervisor, which starts it again where it has ended unasked."""

    @property
    def pid(self) -> int:
        """Of the process that was started; of the web server the one whose children are the workers."""

    def children(self) -> list[int]:
        """Process ids of those it has started, by now."""

    def kill(self) -> None:
        """Kill it and all its children at once (SIGKILL), and wait until they are gone."""

    def start(self) -> None:
        """Start it again, as its supervisor would; return when it works (the web server: when it answers)."""


class RunningBank(Protocol):
    """The bank of a round, served as it is in production (`deploy/gunicorn.conf.py`), its clients sending money."""

    site: Site
    folder: Path  # its own, gone with the round
    environment: dict[str, str]  # of all its processes
    port: int  # where the web server listens
    web: Program
    mail_workers: list[Program]
    scheduler: Program

    def acknowledged(self) -> int:
        """How many transfers the clients have been told are done, so far."""

    def wait_until_it_pays(self, more: int = 1, *, within: float = 60) -> None:
        """Wait for so many more acknowledged transfers: the service has resumed.

        Raises:
            Violation: it has not, in so many seconds.
        """

    def manage(self, *arguments: str) -> str:
        """What a command of `manage.py` prints, on this bank.

        Raises:
            Violation: it ended with another status than 0.
        """

    def part(self, kind: type[P]) -> P:
        """What the site has of this class: its proxy, its clock, its post office, its cache, its database servers."""


Strike = Callable[[RunningBank, Random], None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault, by the name it has in the table."""

    name: str
    strike: Strike  # returns when what was broken is given back; the harness then waits until the bank pays
    sites: tuple[Site, ...]
    # Whether each request that is made while it strikes is answered, and none by a fault of ours (5xx).
    drops_nothing: bool = False


class Violation(AssertionError):
    """A promise of docs/reliability.md that was not kept."""
