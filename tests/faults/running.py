"""The bank of a round: made in a folder of its own, served as in production, and gone at the end.

    with served_bank(Site.SQLITE, folder) as bank:
        …

Gunicorn by `deploy/gunicorn.conf.py` with four workers, two mail workers and the scheduler, each looked after as
systemd would; beside them what the site needs: a database server, a cache, a mail server.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import scratch_bank
from scratch_bank import ROOT
from servers import DIES_ALONG, free_port

from tests.faults.cache import Cache
from tests.faults.clock import Clock
from tests.faults.databases import Pair, ServerBehindProxy
from tests.faults.fault import Program, Site, Violation
from tests.faults.people import Account
from tests.faults.plain_http import answers, open_connections
from tests.faults.post import PostOffice
from tests.faults.programs import PATIENCE_SECONDS, Supervised, supervised
from tests.waiting import wait_until

P = TypeVar("P")

WORKERS, MAIL_WORKERS = 4, 2
_MUCH = "100000000"
# Limits that a round's customers may exceed in a minute; plain HTTP on loopback; waits that fit into a round.
_OF_ALL = {
    "SECURE_SSL_REDIRECT": "0",
    "ALERT_PAYMENTS_PER_HOUR": _MUCH,
    "WEB_CONCURRENCY": str(WORKERS),
    "LOG_LEVEL": "INFO",
}
# Each is a class whose `begun(folder)` gives one as long as a block lasts; its `environment` is the bank's, too.
Part = Callable[[Path], AbstractContextManager[Any]]
PARTS: Mapping[Site, Sequence[Part]] = {
    Site.SQLITE: [PostOffice.begun, Clock.begun],
    Site.POSTGRESQL: [PostOffice.begun, Clock.begun, Cache.begun, ServerBehindProxy.begun],
    Site.PAIR: [PostOffice.begun, Clock.begun, Pair.begun],
}


@dataclass
class ServedBank:
    """The `RunningBank` of a round."""

    site: Site
    folder: Path
    environment: dict[str, str]
    port: int
    accounts: list[Account]
    parts: list[Any]
    web: Program = field(init=False)
    mail_workers: list[Program] = field(init=False)
    scheduler: Program = field(init=False)
    programs: list[Supervised] = field(init=False)
    acknowledged: Callable[[], int] = lambda: 0

    def __post_init__(self) -> None:
        gunicorn: list[str | Path] = [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            ROOT / "deploy" / "gunicorn.conf.py",
        ]
        web = self._program("web", gunicorn, works=lambda: answers(self.port))
        # Killed, it would leave what it counts in shared memory.
        web.environment = self.environment | {"PROMETHEUS_MULTIPROC_DIR": str(self.folder / "metrics")}
        mail = [
            self._program(f"mail{number}", _managed("send_queued_mail", "--watch")) for number in range(MAIL_WORKERS)
        ]
        scheduler = self._program("scheduler", _managed("run_scheduled"))
        self.web, self.mail_workers, self.scheduler = web, [*mail], scheduler
        self.programs = [web, *mail, scheduler]

    def _program(self, name: str, command: Sequence[str | Path], **more: Any) -> Supervised:
        return Supervised(name, command, self.environment, self.folder / f"{name}.log", **more)

    @property
    def environment_of_readers(self) -> dict[str, str]:
        """The environment of the processes that read the books: faults on the bank's connections must not strike
        theirs."""
        found = dict(self.environment)
        for part in self.parts:
            found |= getattr(part, "environment_of_readers", {})
        return found

    def wait_until_it_pays(self, more: int = 1, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until it pays.

        Raises:
            Violation
        """
        wanted = self.acknowledged() + more
        paid = lambda: self.acknowledged() >= wanted  # noqa: E731 - said where it is waited for
        wait_until(paid, f"the bank to pay {more} times", seconds=within, error=Violation)

    def wait_until_nothing_is_on_its_way(self) -> None:
        """Return when the web server has closed every connection, even those whose clients have given up: earlier
        requests are done then, or never will be.

        Raises:
            Violation: it does not.
        """
        closed = lambda: not open_connections(self.port)  # noqa: E731 - said where it is waited for
        wait_until(closed, "all requests to be answered", seconds=PATIENCE_SECONDS, error=Violation)

    def manage(self, *arguments: str) -> str:
        """Run a command of `manage.py`.

        Raises:
            Violation
        """
        done = subprocess.run(
            [*DIES_ALONG, *_managed(*arguments)],
            env=os.environ | self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise Violation(f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def part(self, kind: type[P]) -> P:
        """Return the site's part of this class.

        Raises:
            LookupError: the site has none.
        """
        for one in self.parts:
            if isinstance(one, kind):
                return one
        raise LookupError(f"{self.site} has no {kind.__name__}.")


def _managed(*arguments: str) -> list[str | Path]:
    return [sys.executable, ROOT / "manage.py", *arguments]


@contextmanager
def served_bank(
    site: Site, folder: Path, *, database_url: str = "", parts: Sequence[Part] | None = None
) -> Iterator[ServedBank]:
    """Yield a bank that works, in this empty folder; all its processes are gone at the end.

    Args:
        database_url: of an empty database for the bank, instead of the site's own.
        parts: instead of the site's own.
    """
    with ExitStack() as stack:
        begun = [stack.enter_context(part(folder)) for part in (PARTS[site] if parts is None else parts)]
        port = free_port()
        environment = scratch_bank.environment(folder, database_url=database_url) | _OF_ALL
        for one in begun:
            environment |= one.environment
        environment |= {"WEB_BIND": f"127.0.0.1:{port}", "TMPDIR": str(folder)}
        accounts = _people(environment)
        bank = ServedBank(site, folder, environment, port, accounts, begun)
        stack.enter_context(supervised(bank.programs))
        yield bank


def _people(environment: Mapping[str, str]) -> list[Account]:
    """Migrate the database and make the round's customers.

    Raises:
        RuntimeError: with what the program said.
    """
    made = subprocess.run(
        [*DIES_ALONG, sys.executable, "-m", "tests.faults.people"],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if made.returncode != 0:
        raise RuntimeError(f"The round's customers could not be made:\n{made.stderr[-3000:]}")
    return [Account(**one) for one in json.loads(made.stdout.splitlines()[-1])]
