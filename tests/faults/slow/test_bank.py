"""The bank test: eight accounts, thirty-two customers at once through the API of the bank as it is served, and books
that agree with what each was told, even if workers and server are killed meanwhile (R3.4, R3.5, R3.8, R9.3).

The same customers pay during all other faults in `make faults`; here, for seconds, without a fault and with two. On the
database of the tests: a SQLite file, or a new database on the server that TEST_DATABASE_URL names.
"""

import secrets
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

from tests.faults import of_services, rounds
from tests.faults.fault import Fault, Site, Violation
from tests.faults.journal import HISTORY, PAGE, Outcome
from tests.faults.post import PostOffice
from tests.faults.report import Figures, table
from tests.faults.rounds import Round
from tests.own_database import own_database
from tests.processes import ROOT, processes_of
from tests.waiting import wait_until

ALTER = """
from django.db.models import F
from accounts.models import BankAccount
BankAccount.objects.filter(pk={account}).update(balance=F("balance") + {cents})
"""


@pytest.fixture
def under_fire(tmp_path: Path, django_db_blocker: Any) -> Iterator[Round]:
    """A round on this engine, with a mail server and nothing else beside it. Its results are printed if a test
    fails."""
    seed = secrets.token_hex(4)
    figures = Figures(seed)
    # SQL Server, too, is one server; the site's own parts are not used here.
    site = Site.SQLITE if connection.vendor == "sqlite" else Site.POSTGRESQL
    try:
        with (
            django_db_blocker.unblock(),
            own_database() as url,
            rounds.begun(site, tmp_path, seed=seed, figures=figures, database_url=url, parts=[PostOffice.begun]) as one,
        ):
            yield one
    finally:
        print(*table(figures), sep="\n")  # noqa: T201 - shown where the test fails


def fault(name: str) -> Fault:
    return next(one for one in of_services.FAULTS if one.name == name)


def test_every_cent_is_where_customers_were_told_also_when_worker_and_server_are_killed(under_fire: Round) -> None:
    """And then the checks must fail: a change behind the bank's back is named."""
    one, random = under_fire, Random(0)
    one.pay(150)
    one.check()
    assert_all_kinds_of_outcomes_were_seen(one)
    for name in ("web worker killed", "web server killed"):
        one.strike(fault(name), random)
        one.check()
    assert_what_is_doctored_is_named(one)


def assert_all_kinds_of_outcomes_were_seen(one: Round) -> None:
    """Check that all kinds of outcomes were seen, or the customers have not tried what they are there for."""
    journal = one.clients.journal
    assert journal.acknowledged >= 150
    assert journal.with_outcome(Outcome.REFUSED)
    assert one.books.snapshots > 10
    assert journal.reads[HISTORY]
    assert journal.reads[PAGE]


def assert_what_is_doctored_is_named(one: Round) -> None:
    account = one.bank.accounts[3].id
    with (
        pytest.raises(Violation, match=rf"account {account} has (?s:.*)verify_ledger: "),
        altered(one, account, cents=1),
    ):
        one.check()
    journal = one.clients.journal
    acknowledged, refused = (journal.with_outcome(outcome)[-1] for outcome in (Outcome.ACKNOWLEDGED, Outcome.REFUSED))
    del journal.transfers[acknowledged.key]
    with pytest.raises(Violation, match=f"'{acknowledged.key}': an order that nobody asked for"):
        one.check()
    journal.transfers[acknowledged.key] = acknowledged
    one.check()
    deliver_a_mail_about(refused.key, one.bank.part(PostOffice), to=one.bank.accounts[0].email)
    with pytest.raises(Violation, match=f"not committed: .*{refused.key}"):
        one.check()


@contextmanager
def altered(one: Round, account: int, *, cents: int) -> Iterator[None]:
    """Alter a balance without a movement, during the block; the readers of balances see it, too."""
    one.bank.manage("shell", "--no-imports", "--command", ALTER.format(account=account, cents=cents))
    try:
        yield
    finally:
        one.bank.manage("shell", "--no-imports", "--command", ALTER.format(account=account, cents=-cents))


def deliver_a_mail_about(key: str, post: PostOffice, *, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", post.port) as line:
        line.sendmail("bank@example.com", [to], f"Subject: A payment\r\n\r\nDescription: {key}\r\n")


# Lines that say how far the run is: the servers start, or customers pay.
@pytest.mark.parametrize(
    ("number", "begun", "site"),
    [
        (signal.SIGINT, "gunicorn", Site.SQLITE),
        (signal.SIGTERM, "tests.faults.client", Site.SQLITE),
        (signal.SIGKILL, "tests.faults.client", Site.POSTGRESQL),  # with a database server and a cache
    ],
)
def test_a_run_that_is_ended_leaves_no_process_port_or_folder_behind(
    place: Path, number: signal.Signals, begun: str, site: Site
) -> None:
    """And it prints its seed, first and last. A killed run leaves its folders, but no process."""
    command = [sys.executable, "-m", "tests.faults", "--minutes", "5", "--seed", "x", "--site", site]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        wait_until(lambda: any(begun in line for line in processes_of(place)), begun, seconds=240)
        [port] = ports_of(place)
    finally:
        run.send_signal(number)
        printed, _ = run.communicate(timeout=120)
    lines = printed.splitlines()
    wait_until(lambda: not processes_of(place), "all processes to end", seconds=240)
    if number is not signal.SIGKILL:
        assert run.returncode == 128 + number
        assert (lines[0], lines[-1]) == ("seed x", "seed x")
        assert list(place.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def ports_of(place: Path) -> set[int]:
    """Return the ports of a run's web servers."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            environment = dict(line.partition("=")[::2] for line in path.read_text().split("\0"))
            if environment.get("TMPDIR", "").startswith(str(place)) and "WEB_BIND" in environment:
                found.add(int(environment["WEB_BIND"].rpartition(":")[2]))
    return found
