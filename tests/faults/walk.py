"""Long random walks through the bank, beside its model, on banks of their own that are thrown away (docs/adr/0029).

    python -m tests.faults.walk --seed 1 --steps 5000 --runs 20 --processes 2 --json FILE

walks from the seeds 1 to 20. A seed walks the same way each time. A failure is reported with its seed, the shortest
steps that fail, and the differences; `--replay FILE` repeats these steps.
"""
# ruff: noqa: T201 - a program prints

import argparse
import gc
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from foundation.processes import spread
from tests.faults.walks.steps import Step, drawn

# Nothing here imports models: a process that shares the work imports this before Django is set up.


@dataclass(frozen=True)
class Part:
    """One walk: from a seed, or with these steps."""

    folder: Path
    seed: int
    steps: int
    replayed: Sequence[Step] | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 if the bank ever differed from the model."""
    asked = _parsed(arguments)
    print(f"seed {asked.seed}: {asked.runs} runs of {asked.steps} steps, {asked.processes} processes", flush=True)
    replayed = json.loads(Path(asked.replay).read_text(encoding="utf-8")) if asked.replay else None
    with _folder() as folder:
        _begin(folder)
        parts = [Part(folder, asked.seed + number, asked.steps, replayed) for number in range(asked.runs)]
        outcomes = spread(run, parts, processes=asked.processes) if asked.processes > 1 else map(run, parts)
        return _summed(outcomes, Path(asked.json) if asked.json else None)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Random walks through the bank, beside its model.")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="of the first run; drawn, if not given"
    )
    parser.add_argument("--steps", type=int, default=5000, help="of each run")
    parser.add_argument("--runs", type=int, default=1, help="each with the seed behind the last one's")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", help="append a line of figures for each run to this file")
    parser.add_argument("--replay", help="take the steps in this file")
    return parser.parse_args(arguments)


# --- The bank ----------------------------------------------------------------------------------------------------


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that is gone in the end, however this ends: the processes that share the work end with this one."""
    folder = Path(tempfile.mkdtemp(prefix="bank-walk-"))

    def end(number: int, frame: object) -> NoReturn:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: Path) -> None:
    """Load the bank with the settings of the tests, and migrate the database that each process copies."""
    os.environ |= {"TEST_RUN_FOLDER": str(folder), "DJANGO_SETTINGS_MODULE": "bankproject.settings"}
    os.environ.pop("TEST_DATABASE_URL", None)
    import tests.plugin  # noqa: F401 - it sets the environment

    gc.enable()
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    _use(folder / "migrated.sqlite3")
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _use(file: Path) -> None:
    """Let this process work on that database, which need not outlive it."""
    from django.conf import settings
    from django.db import connection

    settings.DEBUG = False  # or every statement is logged
    logging.disable(logging.WARNING)
    connection.settings_dict["NAME"] = str(file)
    options = connection.settings_dict["OPTIONS"]
    options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")


_opened = list[Path]()  # the database of this process


def _open(folder: Path) -> None:
    """Keep a copy of the migrated bank in memory, once for each process, to begin each walk with."""
    if _opened:
        return
    from django.db import connection

    from tests import migrated_database

    file = folder / f"{os.getpid()}.sqlite3"
    shutil.copyfile(folder / "migrated.sqlite3", file)
    connection.close()
    _use(file)
    migrated_database.remember()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    _opened.append(file)


def run(part: Part) -> dict[str, Any]:
    """Walk once, and find the shortest steps that fail, if it fails; return its figures."""
    _open(part.folder)
    from tests.faults.walks import running

    steps = drawn(part.seed, part.steps) if part.replayed is None else part.replayed
    began, worked = time.perf_counter(), time.process_time()
    outcome = running.walked(part.seed, steps)
    figures = {
        "seed": part.seed,
        "administrators": running.administrators_of(part.seed),
        "steps": outcome.steps,
        "operations": outcome.acts.total(),
        "acts": dict(outcome.acts),
        "words": dict(outcome.words),
        "written": sorted(outcome.written),
        "row_checks": outcome.steps,
        "full_checks": outcome.checks,
        "violations": int(outcome.failed_after is not None),
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
    }
    told = f"seed {part.seed}: {figures['operations']} operations, {figures['seconds']} s, no violation"
    if outcome.failed_after is not None:
        told = running.told(running.shortest(outcome, steps))
    print(told, flush=True)
    return figures


def _summed(outcomes: Iterable[dict[str, Any]], file: Path | None) -> int:
    """Keep the figures of each run, print those of all; return 1 if there was a violation."""
    sums, acts, words = Counter[str](), Counter[str](), Counter[str]()
    for figures in outcomes:
        if file is not None:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(figures) + "\n")
        sums.update({name: value for name, value in figures.items() if isinstance(value, int | float)})
        acts.update(figures["acts"])
        words.update(figures["words"])
    for title, counted in (("operations", acts), ("answers", words)):
        print(f"\n{title}:")
        for name, count in counted.most_common():
            print(f"{count:>10}  {name}")
    rate = sums["operations"] / max(sums["processor_seconds"], 0.1)
    print(
        f"\n{sums['operations']} operations ({rate:.0f} for each second of a processor), {sums['row_checks']} checks "
        f"of the rows touched, {sums['full_checks']} of all rows, {sums['violations']} violations"
    )
    return int(sums["violations"] > 0)


if __name__ == "__main__":
    sys.exit(main())
