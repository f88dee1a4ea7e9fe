"""The order of locks, as docs/locks.md says it: read by the recorder and by tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "locks.md"


@dataclass(frozen=True)
class Lock:
    """One line of the first table: what is locked, and how many rows of it one transaction locks.

    `rows` is "one"; "by id" or "by key" of several, the lowest first; or "several": rows that a lock of a line above
    protects, or whose order is not specified.
    """

    rank: int
    name: str
    tables: tuple[str, ...]
    rows: str


@dataclass(frozen=True)
class Order:
    """The tables of locks and of exceptions, and the list of services."""

    locks: dict[str, Lock]  # by name, lowest rank first
    services: dict[str, tuple[str, ...]]  # names of locks in the order in which a service takes them
    exceptions: dict[tuple[str, str, str], str] = field(default_factory=dict)  # lock, behind which, in which service

    @property
    def by_table(self) -> dict[str, Lock]:
        return {table: lock for lock in self.locks.values() for table in lock.tables}

    def is_excepted(self, lock: Lock, behind: Lock, service: str) -> bool:
        return (lock.name, behind.name, service) in self.exceptions


@cache
def written_order() -> Order:
    """Read what docs/locks.md says."""
    locks, services, exceptions = {}, {}, {}
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = dict(_tables(text))
    for rank, name, names, rows in tables["Locks"]:
        locks[name] = Lock(int(rank), name, tuple(re.findall(r"`(\w+)`", names)), rows)
    for module, told in re.findall(r"^- `([\w.]+)`: (.*)$", text.partition("\n## Services\n")[2], re.MULTILINE):
        for functions, taken in re.findall(r"((?:`[\w.]+`(?:, )?)+) \(([\w, ]+)\)", told):
            for function in re.findall(r"`([\w.]+)`", functions):
                services[f"{module}.{function}"] = () if taken == "none" else tuple(taken.split(", "))
    for name, behind, places, why in tables["Out of the order"]:
        for place in re.findall(r"`([\w.]+)`", places):
            for other in behind.split(", "):
                exceptions[name, other, place] = why
    return Order(locks, services, exceptions)


def _tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each heading with the rows of the table below it, without the table's head."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
        yield heading, rows[2:]
