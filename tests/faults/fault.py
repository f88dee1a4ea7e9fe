"""The interface of a fault, and of the bank that it strikes.

A round is one bank on one site, with clients that send money all the time. The faults of a round strike one after
another; after each the clients pause, unanswered requests are sent again with their key, and the books are checked
(`books.py`). A fault repairs what an operator or a supervisor would repair (it starts a killed server again), and
nothing else: the test shows that the bank recovers by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

P = TypeVar("P")


class Site(StrEnum):
    """The set-up of a round's bank: its database, and what else it needs."""

    SQLITE = "SQLite"  # a file with synchronous FULL; limits in rows
    POSTGRESQL = "PostgreSQL"  # one server with fsync, reached through a proxy; limits in a shared cache
    PAIR = "PostgreSQL, two servers"  # a primary and a synchronous standby, found through libpq's list of hosts


class Program(Protocol):
    """A process of the bank under its supervisor, which starts it again if it ended unasked."""

    @property
    def pid(self) -> int:
        """Return the id of the process that was started; for the web server, the parent of the workers."""

    def children(self) -> list[int]:
        """Return the ids of the processes that it has started so far."""

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
        """Return how many transfers the clients have been told are done."""

    def wait_until_it_pays(self, more: int = 1, *, within: float = 60) -> None:
        """Wait for this many more acknowledged transfers: the service has resumed.

        Raises:
            Violation: it has not, in this many seconds.
        """

    def manage(self, *arguments: str) -> str:
        """Return what a command of `manage.py` prints, on this bank.

        Raises:
            Violation: it ended with another status than 0.
        """

    def part(self, kind: type[P]) -> P:
        """Return the site's part of this class: its proxy, its clock, its post office, its cache, its database
        servers."""


Strike = Callable[[RunningBank, Random], None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault, by the name it has in the table."""

    name: str
    strike: Strike  # returns when the fault is repaired; the harness then waits until the bank pays
    sites: tuple[Site, ...]
    # Whether each request during the fault is answered, and none with our own fault (5xx).
    drops_nothing: bool = False


class Violation(AssertionError):
    """A promise of docs/reliability.md that was not kept."""
