"""What the benchmarks share: ways that take turns, medians with quarters, how figures are printed and kept as JSON.

A figure is the median of interleaved rounds with the quarters beside it, so that three runs can be compared. Ratios are
taken within a round, where both sides had the same machine.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, TypeVar


@dataclass(frozen=True)
class Figure:
    """One line of a table: `low` and `high` are the quarters, the same as `middle` for counts."""

    table: str
    what: str
    unit: str
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Taken:
    """The time of one batch, in seconds: by the clock, and of the processor."""

    clock: float
    cpu: float


Way = Callable[[], Taken]
K = TypeVar("K")
T = TypeVar("T")


def timed(act: Callable[[], object], times: int) -> Way:
    """Return a way that does something this many times in this process; it reports the time of one."""

    def run() -> Taken:
        clock, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            act()
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        return Taken(clock / times, cpu / times)

    return run


def take_turns(ways: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Return what each way took, or gave, in each round. A first round compiles and warms up, and is not kept."""
    taken: dict[K, list[T]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        # Another order each time: the way that comes after a heavy one finds other caches.
        for name in random.Random(number).sample(list(ways), len(ways)):  # noqa: S311 - no secret
            one = ways[name]()
            if number:
                taken[name].append(one)
    return taken


def figure(table: str, what: str, unit: str, values: Iterable[float]) -> Figure:
    """Return the median of the rounds and its quarters."""
    found = list(values)
    quarters = statistics.quantiles(found, n=4, method="inclusive") if len(found) > 1 else found * 3
    return Figure(table, what, unit, *quarters)


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratios, round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def program(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """Return the options that all programs have. A signal ends the program and lets it end what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="a try that takes seconds: its figures say nothing")
    parser.add_argument("--database-url", default="", help="a PostgreSQL that is yours to fill")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in this file too")
    return parser


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def tell(found: Sequence[Figure], keep: Path | None) -> None:
    """Print the tables, and keep them as JSON if wanted."""
    for table in dict.fromkeys(one.table for one in found):
        print(f"\n{table}\n{'':90}{'median':>10}{'quarters':>20}")
        for one in found:
            if one.table == table:
                print(f"  {one.what:88}{number_of(one.middle):>10}{_quarters(one):>20} {one.unit}")
    print(flush=True)
    if keep is not None:
        keep.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")


def read(kept: Path) -> list[Figure]:
    return [Figure(**one) for one in json.loads(kept.read_text(encoding="utf-8"))]


def as_markdown(found: Sequence[Figure]) -> str:
    """Return the same tables for a document."""
    lines: list[str] = []
    for table in dict.fromkeys(one.table for one in found):
        lines += [f"\n### {table}\n", "| | median | quarters | |", "| --- | ---: | ---: | --- |"]
        lines += [
            f"| {one.what} | {number_of(one.middle)} | {_quarters(one)} | {one.unit} |"
            for one in found
            if one.table == table
        ]
    return "\n".join(lines) + "\n"


def _quarters(one: Figure) -> str:
    return "" if one.low == one.high else f"{number_of(one.low)} to {number_of(one.high)}"


def number_of(value: float) -> str:
    """Return the number with as many digits as it is worth."""
    if value == int(value) and value < 1000:
        return str(int(value))
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
