"""The results of a run, as a table, and added to a file with those of other runs."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.journal import HISTORY, PAGE, Journal, Outcome, Purpose

SEPARATOR = " | "


@dataclass
class Figures:
    """Sums over all rounds of a run."""

    seed: str = ""
    seconds: float = 0
    rounds: int = 0
    transfers: int = 0
    requests: int = 0
    acknowledged: int = 0
    refused: int = 0
    resolved: int = 0  # of them whose first answer was missing
    replays: int = 0
    twins: int = 0
    conflicts: int = 0
    snapshots: int = 0
    pages: int = 0
    looks: int = 0
    checks: int = 0
    mails: int = 0
    doubled: int = 0
    restarts: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # kind, SEPARATOR, site
    violations: list[str] = field(default_factory=list)

    def take_in(self, journal: Journal) -> None:
        """Take in the results of a round's customers."""
        self.transfers += len(journal.transfers)
        self.requests += sum(journal.purposes.values())
        self.acknowledged += len(journal.with_outcome(Outcome.ACKNOWLEDGED))
        self.refused += len(journal.with_outcome(Outcome.REFUSED))
        self.resolved += sum(one.was_unknown and one.outcome != Outcome.UNKNOWN for one in journal.transfers.values())
        self.replays += journal.purposes[Purpose.AGAIN]
        self.twins += journal.purposes[Purpose.TWIN]
        self.conflicts += journal.conflicts
        self.pages += journal.reads[HISTORY]
        self.looks += journal.reads[PAGE]
        self.answers += journal.answers

    def note(self, kind: str, site: str) -> None:
        """Record a fault that strikes."""
        self.faults[f"{kind}{SEPARATOR}{site}"] += 1

    def add(self, other: dict[str, Any]) -> None:
        """Add the figures of another run."""
        for name, value in other.items():
            if name != "seed":
                setattr(self, name, getattr(self, name) + (Counter(value) if isinstance(value, dict) else value))
        self.seed = f"{self.seed}, {other['seed']}" if self.seed else other["seed"]


_ROWS = {
    "rounds": "rounds, each a bank of its own",
    "transfers": "operations: transfers asked for",
    "requests": "requests made for them",
    "acknowledged": "acknowledged",
    "refused": "refused",
    "resolved": "unknown, and resolved by their key",
    "replays": "replays: the same request again later",
    "twins": "the same request twice at once",
    "conflicts": "another amount under a used key, refused",
    "snapshots": "snapshots of all balances, whose sums were compared",
    "pages": "pages of histories, whose balances were followed",
    "looks": "answers to people with a browser",
    "restarts": "programs that ended unasked and were started again",
    "checks": "checks of all books",
    "mails": "mails that came",
    "doubled": "of them again",
}


def table(figures: Figures) -> Iterator[str]:
    """Return the lines of the table."""
    yield f"seed {figures.seed}; {figures.seconds / 60:.1f} minutes"
    yield from (f"  {text:<60}{getattr(figures, name):>9,}" for name, text in _ROWS.items())
    yield "answers, by status and code"
    yield from (f"  {answer:<60}{times:>9,}" for answer, times in sorted(figures.answers.items()))
    yield "faults, by kind and site"
    yield from (f"  {kind:<60}{sum(sites.values()):>9,}  {_listed(sites)}" for kind, sites in _by_kind(figures))
    yield f"  {'in all':<60}{figures.faults.total():>9,}"
    yield f"{'violations':<62}{len(figures.violations):>9,}"
    for violation in figures.violations:
        yield from (f"  ! {line}" for line in violation.splitlines())


def _by_kind(figures: Figures) -> list[tuple[str, Counter[str]]]:
    """Return how often each kind of fault struck at each site."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for fault, times in figures.faults.items():
        kind, _, site = fault.partition(SEPARATOR)
        kinds[kind][site] += times
    return sorted(kinds.items())


def _listed(sites: Counter[str]) -> str:
    return "; ".join(f"{site}: {times}" for site, times in sorted(sites.items()))


def keep(figures: Figures, file: Path) -> Sequence[dict[str, Any]]:
    """Add a run to those in the file; return all of them."""
    runs = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    runs.append(dict(vars(figures)))  # `asdict` makes a Counter of pairs, which JSON cannot write
    file.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    return runs
