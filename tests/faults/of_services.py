"""Faults of the bank's own processes, of its mail server and its cache, and what a deploy does to it under load."""

import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from tests.faults import jobs
from tests.faults.cache import Cache
from tests.faults.fault import Fault, RunningBank, Site, Violation
from tests.faults.post import LEASE_SECONDS, UNRECORDED, PostOffice
from tests.mail_server import Mood
from tests.waiting import wait_until

EVERYWHERE = tuple(Site)
# Long enough for a server that starts while everything else is busy.
_PATIENCE_SECONDS = 240
_ASK_SECONDS = 60  # that one request may take while workers are replaced


_wait_until = partial(wait_until, seconds=_PATIENCE_SECONDS, error=Violation)


# --- The bank's own processes ----------------------------------------------------------------------------------


def kill_web_worker(bank: RunningBank, random: Random) -> None:
    """Kill -9 one worker, during any work; the master starts another."""
    workers = bank.web.children()
    victim = random.choice(workers)
    with suppress(ProcessLookupError):  # it has ended by itself (`max_requests`)
        os.kill(victim, signal.SIGKILL)
    _wait_until(
        lambda: victim not in (now := bank.web.children()) and len(now) >= len(workers),
        "a worker in the place of the one that was killed",
    )


def kill_web_server(bank: RunningBank, random: Random) -> None:
    """Kill -9 master and workers at once; the supervisor starts the server again."""
    time.sleep(random.uniform(0, 0.5))
    bank.web.kill()
    bank.web.start()


def kill_mail_worker(bank: RunningBank, random: Random) -> None:
    """Kill -9 a mail worker during its batch: mails that it delivered and did not record come again, when its lease
    ends."""
    post, victim = bank.part(PostOffice), random.choice(bank.mail_workers)
    with _changed(post, seconds_for_each=0.1):
        enough = post.came() + random.randint(1, 8)
        _wait_until(lambda: post.came() >= enough, "mails, amid which a worker is to be killed")
        post.may_double()
        victim.kill()
    victim.start()


def kill_scheduler(bank: RunningBank, random: Random) -> None:
    """Kill -9 the scheduler during a job, and the job: the new scheduler runs another due job. The job itself is due
    again when its claim ends, which takes two minutes (`LEASE` of the scheduler)."""
    killed, later = random.sample(jobs.idle_jobs(bank, 2), 2)
    jobs.make_due(bank, killed)
    _wait_until(lambda: any(_is_job(pid, killed) for pid in bank.scheduler.children()), f"{killed}, which is due")
    bank.scheduler.kill()
    bank.scheduler.start()
    jobs.require_that_it_runs(bank, later)


def _is_job(pid: int, job: str) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return job in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return False


# --- The mail server -------------------------------------------------------------------------------------------


@contextmanager
def _changed(post: PostOffice, *, mood: Mood = Mood.TAKES, seconds_for_each: float = 0) -> Iterator[None]:
    post.mood, post.seconds_for_each = mood, seconds_for_each
    try:
        yield
    finally:
        post.mood, post.seconds_for_each = Mood.TAKES, 0


def _for_a_while(bank: RunningBank, random: Random) -> None:
    """Wait a while: payments go on, and so do the mail workers' tries."""
    bank.wait_until_it_pays(5)
    time.sleep(random.uniform(2, 5))


def mail_refused(bank: RunningBank, random: Random) -> None:
    """Refuse mails for now, at RCPT or after DATA."""
    with _changed(bank.part(PostOffice), mood=random.choice([Mood.REFUSES_RECIPIENTS, Mood.REFUSES_MAILS])):
        _for_a_while(bank, random)


def mail_broken_off(bank: RunningBank, random: Random) -> None:
    """Break off during DATA, or after it: then the mail is taken, and the sender is not told."""
    with _changed(bank.part(PostOffice), mood=random.choice([Mood.BREAKS_OFF, Mood.TAKES_AND_BREAKS_OFF])):
        _for_a_while(bank, random)


def mail_slow(bank: RunningBank, random: Random) -> None:
    """Take seconds for each mail, for longer than a lease lasts: a worker gives the rest of its batch back after half
    of the lease, and takes others. No mail takes the other half: it would be given up before (EMAIL_TIMEOUT)."""
    bank.wait_until_it_pays(UNRECORDED)  # so that a whole batch waits
    with _changed(bank.part(PostOffice), seconds_for_each=random.uniform(1.5, 3)):
        time.sleep(LEASE_SECONDS + 5)


def mail_server_gone(bank: RunningBank, random: Random) -> None:
    """Cut its connections and close its port; then it is back at the same port."""
    post = bank.part(PostOffice)
    post.close()
    try:
        _for_a_while(bank, random)
    finally:
        post.open()


# --- The cache -------------------------------------------------------------------------------------------------


def cache_gone(bank: RunningBank, random: Random) -> None:
    """Kill the cache, and start it again empty: payments without a code go on, and nothing passes that it would
    count."""
    cache = bank.part(Cache)
    cache.kill()
    try:
        bank.wait_until_it_pays(5)
        if (status := _sign_in(bank, random)) != 503:
            raise Violation(f"A sign-in that nothing counts was answered {status}, not 503.")
    finally:
        cache.start()
    if (status := _sign_in(bank, random)) not in (401, 429):
        raise Violation(f"With the cache back a wrong sign-in was answered {status}.")


def _sign_in(bank: RunningBank, random: Random) -> int:
    """Return the answer to a person whom the bank does not know."""
    email = f"nobody-{random.getrandbits(40):x}@example.com"
    return _status(bank.port, "/api/v1/auth/login", {"email": email, "password": "no such password", "code": "000000"})


def _status(port: int, path: str, body: dict[str, str] | None = None) -> int:
    """Return the status of a request over a connection of its own.

    Raises:
        OSError, http.client.HTTPException: no whole answer came.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_SECONDS)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(
            "GET" if body is None else "POST", path, content, {"Content-Type": "application/json"} if body else {}
        )
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


# --- A deploy --------------------------------------------------------------------------------------------------


@dataclass
class _Asked:
    """The answers to a client that asked all the time."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def _asking(port: int) -> Iterator[None]:
    """Let two clients ask meanwhile, one request after the other, each over a connection of its own.

    Raises:
        Violation: one of them was not answered, or not with 200.
    """
    over, asked = threading.Event(), _Asked()

    def ask() -> None:
        while not over.is_set():
            try:
                status = _status(port, "/readyz")
            except (OSError, http.client.HTTPException) as error:
                asked.failures.append(f"{type(error).__name__}: {error}")
            else:
                asked.answers += 1
                asked.failures += [f"status {status}"] * (status != 200)
            over.wait(0.02)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if asked.failures:
        raise Violation(f"{len(asked.failures)} of {asked.answers} requests failed, as {asked.failures[0]}.")


def deploy(bank: RunningBank, random: Random) -> None:
    """Send SIGHUP to gunicorn's master: new workers start, the old ones finish their work, and the socket stays: no
    request fails."""
    old = set(bank.web.children())
    with _asking(bank.port):
        os.kill(bank.web.pid, signal.SIGHUP)
        _wait_until(
            lambda: len(now := set(bank.web.children())) >= len(old) and now.isdisjoint(old), "new workers, all of them"
        )
        bank.wait_until_it_pays(5)


_LATER = "--settings=tests.faults.later.settings"


def migrate_nothing(bank: RunningBank, random: Random) -> None:
    """Run `migrate` on a migrated bank, and the check after it, as each deploy does: no request fails."""
    with _asking(bank.port):
        bank.manage("migrate", "--verbosity", "0")
        bank.manage("check", "--database", "default")
        bank.wait_until_it_pays(5)


def _migrate_later(bank: RunningBank, target: str) -> None:
    """Migrate like an operator: again, if it waited too long for a lock, since nothing was changed then.

    Raises:
        Violation: it failed for another reason, or each time.
    """
    for attempt in range(1, 6):
        try:
            bank.manage("migrate", "later", target, "--verbosity", "0", _LATER)
        except Violation as refusal:
            if attempt == 5 or not re.search("lock timeout|database is locked", str(refusal)):
                raise
        else:
            return


def migrate_ledger(bank: RunningBank, random: Random) -> None:
    """Make an index over all entries and a column of all transactions, and undo both: no request fails."""
    with _asking(bank.port):
        for target in ("0003", "zero"):
            _migrate_later(bank, target)
            bank.wait_until_it_pays(5)
            bank.manage("check", "--database", "default")


_READ_FOR_LONG = """
import time
from pathlib import Path
from django.db import transaction
from transfers.models import Entry, Transaction
with transaction.atomic():
    Entry.objects.count(), Transaction.objects.count()
    Path("{begun}").touch()
    end = time.monotonic() + 60
    while not Path("{over}").exists() and time.monotonic() < end:
        time.sleep(0.1)
"""


def migrate_behind_a_reader(bank: RunningBank, random: Random) -> None:
    """Read the ledger for long (a backup does, for example). The migration waits for three seconds and gives up, since
    all payments wait behind it; nothing is changed, and no request fails."""
    begun, over = (bank.folder / f"{name}-{random.getrandbits(32):x}" for name in ("begun", "over"))
    with _asking(bank.port), ThreadPoolExecutor(1) as elsewhere:
        reader = elsewhere.submit(jobs.shell, bank, _READ_FOR_LONG.format(begun=begun, over=over))
        try:
            _wait_until(begun.exists, "a reader")
            try:
                bank.manage("migrate", "later", "0001", "--verbosity", "0", _LATER)
            except Violation as refusal:
                if "lock timeout" not in str(refusal):
                    raise
            else:
                raise Violation("A migration went past somebody who reads what it alters.")
            bank.wait_until_it_pays(5)
        finally:
            over.touch()
            reader.result()
        bank.manage("check", "--database", "default")


ON_POSTGRESQL = (Site.POSTGRESQL, Site.PAIR)
FAULTS: tuple[Fault, ...] = (
    Fault("web worker killed", kill_web_worker, EVERYWHERE),
    Fault("web server killed", kill_web_server, EVERYWHERE),
    Fault("mail worker killed", kill_mail_worker, EVERYWHERE),
    Fault("scheduler killed", kill_scheduler, EVERYWHERE),
    Fault("mail server refuses", mail_refused, EVERYWHERE),
    Fault("mail server breaks off", mail_broken_off, EVERYWHERE),
    Fault("mail server slow", mail_slow, EVERYWHERE),
    Fault("mail server gone", mail_server_gone, EVERYWHERE),
    Fault("cache gone", cache_gone, (Site.POSTGRESQL,)),
    Fault("deploy", deploy, EVERYWHERE, drops_nothing=True),
    Fault("migrate, nothing to do", migrate_nothing, EVERYWHERE, drops_nothing=True),
    Fault("migrate the ledger", migrate_ledger, EVERYWHERE, drops_nothing=True),
    Fault("migrate behind a reader", migrate_behind_a_reader, ON_POSTGRESQL, drops_nothing=True),
)
