"""A process of customers who send money to one another all the time: eight at once, and one who reads histories.

    python -m tests.faults.client

Its first line says what it is (`Part`, as JSON); then it is told to `pay`, to `pause`, or to `settle` unknown outcomes
within a number of seconds, and answers when that is done. It does not use Django, only HTTP.
"""
# ruff: noqa: T201 - a program prints

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.journal import HISTORY, NO_ANSWER, PAGE, Purpose
from tests.faults.plain_http import Answer, Waiting, send

CENT, MOST = 1, 30_000  # of a transfer, in minor units
# How often in a hundred a customer sends the same request twice at once, again later, or another under its key.
TWINS, AGAINS, OTHERS = 6, 5, 3
RETRIES = 3
PAGES_IN_A_ROW = 3
SESSION_COOKIES = ("sessionid", "__Host-bank-session")  # over HTTP and over HTTPS


@dataclass(frozen=True)
class Part:
    """The task of one process."""

    number: int
    seed: str
    port: int
    threads: int
    pause: float  # seconds at most between two acts of a customer
    journal: str
    accounts: list[dict[str, Any]]


class State(Enum):
    PAYING, PAUSED, SETTLING = range(3)


class Gate:
    """Lets the threads of this process run, and knows when all are waiting at it."""

    def __init__(self, threads: int) -> None:
        self._changed, self._threads = threading.Condition(), threads
        self._state, self._settlings, self._idle = State.PAUSED, 0, 0

    def open(self) -> None:
        with self._changed:
            self._state = State.PAYING
            self._changed.notify_all()

    def close(self) -> None:
        """Return when all threads wait."""
        with self._changed:
            self._state = State.PAUSED
            self._changed.wait_for(lambda: self._idle == self._threads)

    def settle(self) -> None:
        """Let each thread through once, to settle unknown outcomes; return when all wait again."""
        with self._changed:
            self._state, self._settlings, self._idle = State.SETTLING, self._settlings + 1, 0
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._idle == self._threads)

    def pass_through(self, settled: int) -> int:
        """Wait until there is something to do; return the number of the settling, or 0 for paying.

        Args:
            settled: the last one that this thread has done.
        """
        with self._changed:
            self._idle += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._state == State.PAYING or self._is_to_settle(settled))
            if self._state == State.PAYING:
                self._idle -= 1
                return 0
            return self._settlings

    def _is_to_settle(self, settled: int) -> bool:
        return self._state == State.SETTLING and self._settlings != settled


class Notebook:
    """The file in which all threads write their requests and answers."""

    def __init__(self, path: Path) -> None:
        self._file, self._lock = path.open("ab", buffering=0), threading.Lock()

    def write(self, **line: Any) -> None:
        """Write a line with the time: one clock for all processes of the machine, which none of our faults sets."""
        text = json.dumps(line | {"at": time.monotonic()}, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._file.write(text)


@dataclass
class Wish:
    """A transfer that a customer wants: key and description are one text."""

    key: str
    source: int
    target: int
    minor: int


@dataclass
class Customer:
    """One thread: sends money, and asks again if it does not know the outcome."""

    part: Part
    number: int
    notebook: Notebook
    dice: Random
    done: list[Wish] = field(default_factory=list)
    unknown: list[Wish] = field(default_factory=list)
    _wishes: int = 0
    _tries: int = 0

    def act(self) -> None:
        cast = self.dice.randrange(100)
        if self.done and cast < AGAINS + OTHERS:
            wish = self.dice.choice(self.done)
            self._ask(wish, Purpose.AGAIN if cast < AGAINS else Purpose.OTHER)
        elif cast < AGAINS + OTHERS + TWINS:
            self._ask(self._new_wish(), Purpose.FIRST, Purpose.TWIN)
        else:
            self._ask(self._new_wish(), Purpose.FIRST)

    def settle(self, until: float) -> None:
        """Ask for unknown outcomes until they are known: no earlier request is on its way any more."""
        while self.unknown and time.monotonic() < until:
            wish = self.unknown.pop()
            self._ask(wish, Purpose.FINAL)
            if wish in self.unknown:
                time.sleep(0.5)

    def _new_wish(self) -> Wish:
        self._wishes += 1
        source, target = self.dice.sample(range(len(self.part.accounts)), 2)
        key = f"k-{self.part.number}-{self.number}-{self._wishes}-{self.dice.randrange(10**8):08}"
        return Wish(key, source, target, self.dice.randint(CENT, MOST))

    def _ask(self, wish: Wish, *purposes: Purpose) -> None:
        """Send the wish once for each purpose, all at the same moment, and take in the answers."""
        answers = self._answers(wish, purposes)
        if purposes[0] in (Purpose.AGAIN, Purpose.OTHER):
            return
        for turn in range(RETRIES if purposes[0] == Purpose.FIRST else 0):
            if not _is_unknown(answers):
                break
            time.sleep(0.2 * 2**turn)
            answers += self._answers(wish, [Purpose.RETRY])
            if not _is_unknown(answers[-1:]):
                break
        if any(200 <= one.status < 300 for one in answers):
            self.done.append(wish)
        elif _is_unknown(answers):
            self.unknown.append(wish)

    def _answers(self, wish: Wish, purposes: Sequence[Purpose]) -> list[Answer]:
        asked: list[tuple[str, Waiting]] = []
        for purpose in purposes:
            self._tries += 1
            name = f"{self.part.number}.{self.number}.{self._tries}"
            self.notebook.write(
                do="ask", key=wish.key, source=wish.source, target=wish.target, minor=wish.minor, purpose=purpose,
                **{"try": name},
            )  # fmt: skip
            asked.append((name, self._send(wish, wish.minor + (purpose == Purpose.OTHER))))
        return [self._told(wish, name, waiting) for name, waiting in asked]

    def _told(self, wish: Wish, name: str, waiting: Waiting) -> Answer:
        answer = waiting.answer()
        order = str(answer.body.get("id", "")) if answer.status < 300 else ""
        self.notebook.write(do="told", key=wish.key, order=order, **answer.told(), **{"try": name})
        return answer

    def _send(self, wish: Wish, minor: int) -> Waiting:
        source, target = self.part.accounts[wish.source], self.part.accounts[wish.target]
        amount = f"{minor // 100}.{minor % 100:02}"
        body = {"to": target["number"], "amount": amount, "description": wish.key}
        path = f"/api/v1/accounts/{source['number']}/transfer"
        return send(self.part.port, "POST", path, body, **_as(source), Idempotency_Key=wish.key)


def _as(account: dict[str, Any]) -> dict[str, str]:
    """Return the header that says: its owner asks."""
    return {"Authorization": f"Bearer {account['token']}"}


def _is_unknown(answers: Sequence[Answer]) -> bool:
    return any(one.status == NO_ANSWER or one.status >= 500 for one in answers)


@dataclass
class Reader:
    """One thread: reads the histories of the accounts, whose balances must follow one another, and looks at a page."""

    part: Part
    notebook: Notebook
    dice: Random

    def act(self) -> None:
        self._look_at_a_page()
        account = self.dice.choice(self.part.accounts)
        path, cursor, later = f"/api/v1/accounts/{account['number']}/transactions", "", None
        for _ in range(PAGES_IN_A_ROW):
            query = f"?cursor={cursor}" if cursor else ""
            answer = send(self.part.port, "GET", path + query, **_as(account)).answer()
            self.notebook.write(do="read", what=HISTORY, **answer.told())
            if answer.status != 200:
                break
            for entry in answer.body["items"]:
                if later is not None and not _follows(later, entry):
                    self.notebook.write(do="wrong", what=f"account {account['id']}: {later} after {entry}")
                later = entry
            cursor = answer.body["next_cursor"]
            if not cursor:
                break

    def _look_at_a_page(self) -> None:
        """Ask for the start page, which redirects signed-out clients to sign-in. With a made-up session's cookie, or it
        would need no database."""
        session = f"{self.dice.getrandbits(160):040x}"
        cookies = "; ".join(f"{name}={session}" for name in SESSION_COOKIES)
        answer = send(self.part.port, "GET", "/", Accept="text/html", Cookie=cookies).answer()
        self.notebook.write(do="read", what=PAGE, **answer.told())

    def settle(self, until: float) -> None:
        """Do nothing: a reader has no unknown outcomes."""


def _follows(later: dict[str, Any], earlier: dict[str, Any]) -> bool:
    """Return whether an entry follows from the one before it."""
    added = _minor(earlier["balance_after"]) + _minor(later["amount"])
    return later["sequence"] == earlier["sequence"] + 1 and added == _minor(later["balance_after"])


def _minor(amount: str) -> int:
    return int(amount.replace(".", ""))


class Crowd:
    """All threads of this process; they wait until they are told to pay."""

    def __init__(self, part: Part) -> None:
        notebook = Notebook(Path(part.journal))
        dice = [Random(f"{part.seed}-{part.number}-{number}") for number in range(part.threads + 1)]
        self._customers = [Customer(part, number, notebook, dice[number]) for number in range(part.threads)]
        self._people: list[Customer | Reader] = [*self._customers, Reader(part, notebook, dice[-1])]
        self._pause, self._gate, self._until = part.pause, Gate(len(self._people)), 0.0

    def begin(self) -> None:
        for person in self._people:
            threading.Thread(target=self._live, args=(person,), daemon=True).start()

    def _live(self, person: Customer | Reader) -> None:
        settled = 0
        while True:
            settling = self._gate.pass_through(settled)
            if settling:
                settled = settling
                person.settle(self._until)
            else:
                person.act()
                time.sleep(person.dice.uniform(0, self._pause))

    def obey(self, order: str, seconds: float) -> str:
        """Do as told, and say so when it is done; after settling, how many transfers are still unknown."""
        if order == "pay":
            self._gate.open()
            return "paying"
        self._gate.close()
        if order == "settle":
            self._until = time.monotonic() + seconds
            self._gate.settle()
            return f"settled {sum(len(one.unknown) for one in self._customers)}"
        return "idle"


def _end_all(failed: threading.ExceptHookArgs) -> None:
    """End with an error: a failed thread would be waited for forever."""
    threading.__excepthook__(failed)
    os._exit(1)


def main() -> None:
    threading.excepthook = _end_all
    crowd = Crowd(Part(**json.loads(sys.stdin.readline())))
    crowd.begin()
    for line in sys.stdin:
        order, _, seconds = line.strip().partition(" ")
        print(crowd.obey(order, float(seconds or 0)), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
