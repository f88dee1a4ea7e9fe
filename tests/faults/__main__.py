"""Money under fire: the bank as it is served in production, customers who pay, and faults that strike meanwhile.

    make faults MINUTES=10 [SEED=…] [ARGS="--only 'web server killed' --site SQLite --json runs.json --keep FOLDER"]

Exits with 1 if a promise was not kept (docs/reliability.md), and says what differs.
"""
# ruff: noqa: T201 - a program prints

import argparse
import itertools
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NoReturn

from tests.faults import of_databases, of_machine, of_services, rounds
from tests.faults.fault import Fault, Site
from tests.faults.report import Figures, keep, table
from tests.faults.turns import Turns

ALL: tuple[Fault, ...] = (*of_services.FAULTS, *of_databases.FAULTS, *of_machine.FAULTS)
# After this many faults a run finds nothing new.
_MOST_VIOLATIONS = 10


def faults_of(only: Sequence[str], sites: Sequence[Site]) -> list[Fault]:
    """Return the kinds that may strike, each on those of its sites that were chosen.

    Raises:
        SystemExit: there is no such kind, or it strikes none of these sites.
    """
    names = {fault.name for fault in ALL}
    if unknown := set(only) - names:
        sys.exit(f"No kind of fault is called {', '.join(sorted(unknown))}. There are: {', '.join(sorted(names))}.")
    found = []
    for fault in ALL:
        here = tuple(site for site in fault.sites if site in sites)
        if here and (fault.name in only or not only):
            found.append(replace(fault, sites=here))
    if not found:
        sys.exit("None of these faults strikes there.")
    return found


def run(folder: Path, options: argparse.Namespace, faults: list[Fault], figures: Figures) -> None:
    """Run rounds until the minutes are over; their results are added to the figures."""
    begun = time.monotonic()
    until = begun + options.minutes * 60
    turns = Turns(faults, Random(options.seed))
    for number in itertools.count(1):
        if time.monotonic() >= until or len(figures.violations) >= _MOST_VIOLATIONS:
            return
        site = turns.next_site()
        here = folder / f"round{number}"
        here.mkdir()

        def next_fault(struck: int, site: Site = site) -> Fault | None:
            due = turns.due_at(site)
            if not due or struck == rounds.FAULTS_IN_A_ROUND:
                return None
            turns.note(due[0], site)
            return due[0]

        seed = f"{options.seed}-{number}"
        went_well = rounds.play(site, here, seed=seed, figures=figures, next_fault=next_fault, until=until, say=_say)
        figures.seconds = time.monotonic() - begun
        if options.keep and not went_well:
            shutil.copytree(here, options.keep / here.name, symlinks=True, ignore=_no_files, dirs_exist_ok=True)
        shutil.rmtree(here, ignore_errors=True)


def _no_files(folder: str, names: list[str]) -> set[str]:
    """Leave out sockets, which a killed server leaves behind: they cannot be copied."""
    return {name for name in names if (Path(folder) / name).is_socket()}


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _end(number: int, frame: object) -> NoReturn:
    """Leave through all clean-up; a second signal does not disturb it."""
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="decides who pays whom, and which fault is next")
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND", help="these kinds of faults alone")
    parser.add_argument("--site", nargs="*", type=Site, default=list(Site), choices=list(Site), metavar="SITE")
    parser.add_argument("--json", type=Path, help="add the figures to this file, and sum up all runs in it")
    parser.add_argument("--keep", type=Path, help="keep the folders of rounds in which something was wrong, there")
    options = parser.parse_args()
    faults = faults_of(options.only, options.site)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    figures = Figures(seed=options.seed)
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="bank-faults-"))
    try:
        folder.chmod(0o711)  # a database server's own user has to get through
        run(folder, options, faults, figures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        print(*table(figures), sep="\n", flush=True)
        if options.json:
            runs = keep(figures, options.json)
            whole = Figures()
            for one in runs:
                whole.add(one)
            print(f"\nAll {len(runs)} runs in {options.json}:", *table(whole), sep="\n", flush=True)
        print(f"seed {options.seed}", flush=True)
    sys.exit(bool(figures.violations))


if __name__ == "__main__":
    main()
