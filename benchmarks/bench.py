"""Run the benchmarks one after the other, beside a PostgreSQL of their own with fsync (`make bench`).

    python benchmarks/bench.py [--base FOLDER] [--only payment-sqlite,whole] [--quick] [--results FOLDER]

Each program prints its table and leaves its figures in the folder of results, one JSON file for each run; `report.py`
writes them into docs/performance.md and benchmarks/figures.md. Servers listen on loopback and end with the
run, whatever ends it.
"""
# ruff: noqa: T201 - a program prints

import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import Figure, figure, program, tell
from scratch_bank import ROOT
from servers import running

RESULTS = ROOT / ".bench"


@dataclass(frozen=True)
class Run:
    """One program with its arguments; `on_postgres` gets the address of the server."""

    program: str
    arguments: tuple[str, ...] = ()
    on_postgres: bool = False
    has_base: bool = False  # it takes `--base`


RUNS = {
    "payment-sqlite": Run("payment.py", has_base=True),
    "payment-postgresql": Run("payment.py", on_postgres=True, has_base=True),
    "api-sqlite": Run("api.py", has_base=True),
    "api-postgresql": Run("api.py", ("--rounds", "3"), on_postgres=True, has_base=True),
    "parallel": Run("parallel.py", on_postgres=True),
    "whole": Run("whole.py", ("--workers", "2")),
    "mail": Run("mail.py"),
    "history": Run("history.py"),
    "pages": Run("pages.py", has_base=True),
    "verification": Run("verification.py", ("--entries", "500000"), has_base=True),
}


def machine(folder: Path) -> list[Figure]:
    """Return what the other figures are to be read against."""
    table = f"This machine: Python {platform.python_version()}, {platform.system()} on {platform.machine()}"
    cores = os.cpu_count() or 1
    return [
        Figure(table, "cores", "", cores, cores, cores),
        figure(table, "one page of 4 KiB written and synced to the disk", "ms", _synced(folder / "page")),
        figure(table, "a million additions in Python, processor", "ms", _added()),
    ]


def _synced(path: Path) -> list[float]:
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(40):
            begun = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - begun))
    return taken


def _added() -> list[float]:
    taken = []
    for _ in range(7):
        begun, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number
        taken.append(1000 * (time.process_time() - begun))
    return taken


def command_of(name: str, server: str, options: Any) -> list[str | Path]:
    run = RUNS[name]
    command = [sys.executable, ROOT / "benchmarks" / run.program, *run.arguments]
    command += ["--json", options.results / f"{name}.json", *["--quick"] * options.quick]
    command += ["--database-url", server] if run.on_postgres else []
    command += ["--base", options.base.resolve()] if run.has_base and options.base else []
    return command


def run_all(names: list[str], server: str, options: Any) -> list[str]:
    """Run them in turn; return the names of those that failed."""
    failed = []
    for name in names:
        print(f"--- {name}", flush=True)
        begun = time.perf_counter()
        with running(command_of(name, server, options), environment={}) as process:
            failed += [name] * (process.wait() != 0)
        print(f"({time.perf_counter() - begun:.0f} s)\n", flush=True)
    return failed


def main() -> None:
    parser = program(__doc__ or "", rounds=0)
    parser.add_argument("--base", type=Path, help="a checkout of commit 11100bd with its .venv, to compare with")
    parser.add_argument("--only", default="", help=f"some of {','.join(RUNS)}")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name] or list(RUNS)
    if unknown := set(names) - set(RUNS):
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    options.results = options.results.resolve()
    options.results.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bank-benchmark-")))
        tell(machine(folder), options.results / "machine.json")
        server = options.database_url
        if not server and any(RUNS[name].on_postgres for name in names):
            sys.path.insert(0, str(ROOT))
            from tests.postgres_server import postgres_server

            server = stack.enter_context(postgres_server(durable=True))
        failed = run_all(names, server, options)
    print(f"The figures are in {os.path.relpath(options.results)}; benchmarks/report.py makes tables of them.")
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
