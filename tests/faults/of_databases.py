"""Faults of the database server, and of the way to it."""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from random import Random

from tests.faults.databases import Pair, ServerBehindProxy
from tests.faults.fault import Fault, RunningBank, Site, Violation
from tests.faults.held_up import held_up
from tests.faults.proxy import Cut, Proxy
from tests.waiting import wait_until

_COMMIT = b"COMMIT"
# PostgreSQL's message Sync: it ends each question of the driver, and is not a farewell, to which nothing is answered.
_QUESTION = b"S\x00\x00\x00\x04"
_LONGEST_SECONDS = 3.0
# Longer than the web server lets a request wait (`timeout` of deploy/gunicorn.conf.py, 30).
_FOR_LONG = (33.0, 40.0)
_PATIENCE_SECONDS = 60
_OK, _UNAVAILABLE = 200, 503


def kill_the_server(bank: RunningBank, random: Random) -> None:
    """Kill -9 all its processes, and start it again, which recovers what was committed."""
    server = bank.part(ServerBehindProxy).server
    server.kill()
    _require_not_ready(bank)
    _wait(random)
    server.start()


def fail_over(bank: RunningBank, random: Random) -> None:
    """Lose the primary for good. The standby takes over, is found, and pays before it gets a standby of its own."""
    pair = bank.part(Pair)
    pair.kill_primary()
    _require_not_ready(bank)
    _wait(random)
    pair.promote()
    bank.wait_until_it_pays()
    pair.replace()


def kill_the_standby(bank: RunningBank, random: Random) -> None:
    """Kill the standby: commits wait for it meanwhile."""
    pair = bank.part(Pair)
    pair.kill_standby()
    _wait(random)
    pair.start_standby()


def lack_the_standby_for_long(bank: RunningBank, random: Random) -> None:
    """Kill it, or let it stand still: requests that wait at COMMIT for it are told that the outcome is unknown (ADR
    22)."""
    pair, seconds = bank.part(Pair), random.uniform(*_FOR_LONG)
    with held_up(bank):
        if random.random() < 0.5:
            pair.pause_standby(seconds)
        else:
            pair.kill_standby()
            time.sleep(seconds)
            pair.start_standby()


def stop_the_server_for_long(bank: RunningBank, random: Random) -> None:
    """Send SIGSTOP to all its processes, and SIGCONT: the kernel accepts data for them, and nobody answers."""
    with held_up(bank):
        bank.part(ServerBehindProxy).server.pause(random.uniform(*_FOR_LONG))


def cut_all_connections(bank: RunningBank, random: Random) -> None:
    _cut(bank.part(ServerBehindProxy).proxy.cut_all)


def cut_one_connection(bank: RunningBank, random: Random) -> None:
    proxy = bank.part(ServerBehindProxy).proxy
    _cut(lambda: proxy.cut_one(random))


def _cut(cut: Callable[[], int]) -> None:
    """Cut one connection.

    Raises:
    TimeoutError: the bank had no connection.
    """
    wait_until(cut, "a connection to the database", seconds=_PATIENCE_SECONDS, error=TimeoutError)


def cut_an_answer_in_half(bank: RunningBank, random: Random) -> None:
    """Cut the answer to the bank's next question in half."""
    bank.part(ServerBehindProxy).proxy.cut_at(_QUESTION, Cut.HALF)


def lose_a_commit(bank: RunningBank, random: Random) -> None:
    """Lose a COMMIT on its way to the server, which rolls back."""
    bank.part(ServerBehindProxy).proxy.cut_at(_COMMIT, Cut.REQUEST)


def lose_the_answer_to_a_commit(bank: RunningBank, random: Random) -> None:
    """Lose the answer to a COMMIT: the server has committed, and the client is not told."""
    bank.part(ServerBehindProxy).proxy.cut_at(_COMMIT, random.choice([Cut.ANSWER, Cut.HALF]))


def refuse_connections(bank: RunningBank, random: Random) -> None:
    proxy = bank.part(ServerBehindProxy).proxy
    proxy.refuse()
    _require_not_ready(bank)
    _wait(random)
    proxy.heal()


def stall(bank: RunningBank, random: Random) -> None:
    """Let nothing through for a while, and then everything."""
    proxy = bank.part(ServerBehindProxy).proxy
    proxy.stall()
    _wait(random)
    proxy.heal()


def stall_for_long(bank: RunningBank, random: Random) -> None:
    """Stall for longer than any request may take: each is given up, and answered before its worker is killed."""
    _while_it_lasts(bank, random, Proxy.stall)


def fall_silent(bank: RunningBank, random: Random) -> None:
    """Let its machine vanish: no packet is confirmed, so that TCP gives up (`tcp_user_timeout`), and new connections do
    (`connect_timeout`). Then it is back, and has forgotten its connections."""
    _while_it_lasts(bank, random, Proxy.fall_silent)


def _while_it_lasts(bank: RunningBank, random: Random, harm: Callable[[Proxy], None]) -> None:
    proxy = bank.part(ServerBehindProxy).proxy
    with held_up(bank):
        harm(proxy)
        time.sleep(random.uniform(*_FOR_LONG))
        proxy.heal()


_ONE, _TWO = (Site.POSTGRESQL,), (Site.PAIR,)
FAULTS: tuple[Fault, ...] = (
    Fault("PostgreSQL killed and started again", kill_the_server, _ONE),
    Fault("primary killed, standby promoted", fail_over, _TWO),
    Fault("standby killed and started again", kill_the_standby, _TWO),
    Fault("standby away for long", lack_the_standby_for_long, _TWO),
    Fault("PostgreSQL stopped for long", stop_the_server_for_long, _ONE),
    Fault("all connections to the database cut", cut_all_connections, _ONE),
    Fault("one connection to the database cut", cut_one_connection, _ONE),
    Fault("answer of the database cut in half", cut_an_answer_in_half, _ONE),
    Fault("COMMIT lost on its way", lose_a_commit, _ONE),
    Fault("answer to COMMIT lost", lose_the_answer_to_a_commit, _ONE),
    Fault("connections to the database refused", refuse_connections, _ONE),
    Fault("database stalls", stall, _ONE),
    Fault("database stalls for long", stall_for_long, _ONE),
    Fault("database's machine silent for long", fall_silent, _ONE),
)


def _wait(random: Random) -> None:
    time.sleep(random.uniform(0.1, _LONGEST_SECONDS))


def _require_not_ready(bank: RunningBank) -> None:
    """Check that the bank tells the load balancer that the database is away, and stays alive (R9.5).

    Raises:
        Violation
    """
    state, parts = _probe(bank, "/readyz")
    if state != _UNAVAILABLE or json.loads(parts).get("database") != "failing":
        raise Violation(f"/readyz answers {state} without a database: {parts!r}")
    state, said = _probe(bank, "/healthz")
    if state != _OK:
        raise Violation(f"/healthz answers {state} without a database: {said!r}")


def _probe(bank: RunningBank, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", bank.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
