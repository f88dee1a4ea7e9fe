"""The record of a round's clients: each try before it was made, and its answer.

A line is written to the file before the request leaves and after its answer came, so a client that is killed loses
nothing: a try without an answer stays one whose outcome is unknown.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

NO_ANSWER = 0  # instead of a status: the connection failed, or nothing came in time
CONFLICT = "idempotency_conflict"
_NEVER = float("inf")
HISTORY, PAGE, PROBLEM = "history", "page", "problem"  # the addresses read, and the shapes of answers
# The right answer to a read: its status and its shape; the page is the start page, which redirects.
WELL = {HISTORY: (200, ""), PAGE: (302, PAGE)}
# What a 503 of the API says: the database cannot be used; it went away and the outcome is unknown; nothing can be
# counted.
AWAY = {"database_away", "outcome_unknown", "limits_unavailable"}


class Purpose(StrEnum):
    """Why a request is made."""

    FIRST = "first"
    TWIN = "twin"  # the same request once more, at the same moment
    RETRY = "retry"  # because the outcome was unknown
    FINAL = "final"  # the same, when no earlier request can be on its way any more: this answer is final
    AGAIN = "again"  # the same request later, though it was acknowledged
    OTHER = "other"  # another amount under the key of one that was acknowledged


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Tried:
    """A try and its answer; `code` is the order's state or the refusal's code, `order` the id in the answer. Times are
    seconds of one clock that all clients have."""

    purpose: Purpose
    status: int = NO_ANSWER
    code: str = ""
    order: str = ""
    asked_at: float = 0
    told_at: float = _NEVER

    @property
    def is_unknown(self) -> bool:
        return self.status == NO_ANSWER or self.status >= 500

    @property
    def refuses_another_amount(self) -> bool:
        return self.purpose == Purpose.OTHER and self.code == CONFLICT

    @property
    def is_acknowledged(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Transfer:
    """All requests under one key, and all answers; amount in minor units, accounts by their place."""

    key: str
    source: int
    target: int
    minor: int
    tries: dict[str, Tried] = field(default_factory=dict)

    @property
    def own_tries(self) -> list[Tried]:
        """Return the tries for exactly this transfer."""
        return [one for one in self.tries.values() if one.purpose != Purpose.OTHER]

    @property
    def outcome(self) -> Outcome:
        """Return the outcome: a refusal says nothing about an unanswered try that may still be on its way, unless it is
        the final one."""
        tries = self.own_tries
        if any(one.is_acknowledged for one in tries):
            return Outcome.ACKNOWLEDGED
        if any(one.purpose == Purpose.FINAL and not one.is_unknown for one in tries):
            return Outcome.REFUSED
        return Outcome.UNKNOWN if any(one.is_unknown for one in tries) else Outcome.REFUSED

    @property
    def was_unknown(self) -> bool:
        """Whether a first answer was missing."""
        return any(one.is_unknown for one in self.own_tries if one.purpose in (Purpose.FIRST, Purpose.TWIN))

    @property
    def begun_at(self) -> float:
        """Return the time of the first try: it cannot have been done earlier."""
        return min(one.asked_at for one in self.own_tries)

    @property
    def done_at(self) -> float:
        """Return the time of the first acknowledgement, by which it was done; never, if nobody was told."""
        return min((one.told_at for one in self.own_tries if one.is_acknowledged), default=_NEVER)

    @property
    def orders(self) -> set[str]:
        """Return the orders in the answers: one, or the bank has done it twice."""
        return {one.order for one in self.tries.values() if one.is_acknowledged}

    def contradictions(self) -> list[str]:
        """Yield answers that cannot be true together."""
        said = []
        if len(self.orders) > 1:
            said.append(f"two orders were told: {', '.join(sorted(self.orders))}")
        for one in self.tries.values():
            if one.purpose == Purpose.AGAIN and 400 <= one.status < 500:
                said.append(f"acknowledged before, and then {one.status} {one.code}")
            if one.purpose == Purpose.OTHER and not one.is_unknown and not one.refuses_another_amount:
                said.append(f"another amount under its key was answered {one.status} {one.code}")
        return said


@dataclass
class Journal:
    """All transfers by their keys, from the files of the clients; `read_on()` takes in new lines."""

    files: list[Path]
    transfers: dict[str, Transfer] = field(default_factory=dict)
    acknowledged: int = 0  # keys
    conflicts: int = 0  # other amounts under their keys that were refused as such
    answers: Counter[str] = field(default_factory=Counter)  # by status and code
    purposes: Counter[Purpose] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)  # answered as expected, by what was read
    _ill: Counter[str] = field(default_factory=Counter)  # answers without an excuse
    _wrong: list[str] = field(default_factory=list)
    _read: dict[Path, int] = field(default_factory=dict)

    def read_on(self) -> None:
        for path in self.files:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                self.take(json.loads(line))

    def take(self, line: dict[str, Any]) -> None:
        """Take in one line of a client."""
        match line["do"]:
            case "ask":
                transfer = self.transfers.get(line["key"])
                if transfer is None:
                    transfer = Transfer(line["key"], line["source"], line["target"], line["minor"])
                    self.transfers[transfer.key] = transfer
                transfer.tries[line["try"]] = Tried(Purpose(line["purpose"]), asked_at=line["at"])
                self.purposes[Purpose(line["purpose"])] += 1
            case "told":
                self._take_answer(self.transfers[line["key"]], line)
            case "read":
                self._take_read(line)
            case "wrong":
                self._wrong.append(line["what"])

    def _take_answer(self, transfer: Transfer, line: dict[str, Any]) -> None:
        was_acknowledged = transfer.outcome == Outcome.ACKNOWLEDGED
        transfer.tries[line["try"]] = replace(
            transfer.tries[line["try"]],
            status=line["status"],
            code=line["code"],
            order=line.get("order", ""),
            told_at=line["at"],
        )
        said = f"{line['status'] or 'none'} {line['code']}"
        self.answers[said] += 1
        self.conflicts += transfer.tries[line["try"]].refuses_another_amount
        if line["status"] >= 500 and not _is_of_what_is_away(line, PROBLEM):
            self._ill[_shown(line, said)] += 1
        self.acknowledged += not was_acknowledged and transfer.outcome == Outcome.ACKNOWLEDGED

    def _take_read(self, line: dict[str, Any]) -> None:
        what = line["what"]
        said = f"{line['status'] or 'none'} {line['code']}".rstrip() + f" ({what})"
        self.answers[said] += 1
        if (line["status"], line["shape"]) == WELL[what]:
            self.reads[what] += 1
        elif line["status"] and not _is_of_what_is_away(line, PAGE if what == PAGE else PROBLEM):
            self._ill[_shown(line, said)] += 1

    def told_wrong(self) -> list[str]:
        """Return impossible answers since the last call."""
        told, self._wrong = self._wrong, []
        return told

    @property
    def unanswered(self) -> Counter[str]:
        """Return the answers that say nothing: none at all, and our own faults (5xx)."""
        return Counter({answer: times for answer, times in self.answers.items() if answer[0] in "n5"})

    def faults(self) -> list[str]:
        """Return answers that no fault around the bank excuses: a 503 must say when to try again, in the shape of all
        errors."""
        return [f"{times} answers {answer}" for answer, times in self._ill.items()]

    def with_outcome(self, outcome: Outcome) -> list[Transfer]:
        return [one for one in self.transfers.values() if one.outcome == outcome]


def _is_of_what_is_away(line: dict[str, Any], shape: str) -> bool:
    """Return whether an answer says correctly that something cannot be done now (promise 7)."""
    says_what = line["code"] in AWAY if shape == PROBLEM else True
    return bool(line["status"] == 503 and line["shape"] == shape and line["retry_after"].isdigit() and says_what)


def _shown(line: dict[str, Any], said: str) -> str:
    return f"{said}, shaped as {line['shape'] or 'nothing known'}, Retry-After: {line['retry_after'] or 'none'}"
