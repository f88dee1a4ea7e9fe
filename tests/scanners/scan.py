"""sqlmap and wapiti against a demo bank on loopback, signed in (issue: attacks by tools, bounded).

    make scan [SQLMAP=path] [WAPITI=path] [MINUTES=10]
    python -m tests.scanners.scan [--minutes 10] [--only sqlmap] [--targets 'history|send'] [--json report.json]

The bank does not depend on the scanners: install them in a virtual environment of their own, since they pin other
versions than we do, and name the two programs:

    python3 -m venv ~/scanners && ~/scanners/bin/pip install --require-hashes -r tests/scanners/requirements.txt

Every limit of time and number is raised for the bank that is scanned (`demo_bank.RAISED`), and DEBUG is on, so that
nothing seems safe only because it was never reached.

Exits with 1 if anything was found, if the bank answered with a fault (5xx), or if its ledger or its audit log do
not hold afterwards; with 2 if a scanner is missing.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.scanners import sqlmap, wapiti
from tests.scanners.bounded import Result
from tests.scanners.demo_bank import DemoBank

# Part of the whole time, if both run.
SHARES = {"sqlmap": 0.6, "wapiti": 0.4}


def program(given: str) -> str:
    path = shutil.which(given)
    if path is None:
        print(f"{given} is not installed; see the head of {Path(__file__).name}.", file=sys.stderr)
        raise SystemExit(2)
    return path


def show(results: list[Result], bank: DemoBank, took: float) -> bool:
    """Print the table; return whether nothing was found."""
    for result in results:
        print(f"{result.tool:<7} {result.target:<34} {result.parameters:<44} {result.said}")
        for finding in result.findings:
            print(f"        ! {finding}")
    statuses, faults, problems = bank.statuses(), bank.faults(), bank.problems()
    answered = ", ".join(f"{number} x {status}" for status, number in sorted(statuses.items()))
    print(f"{sum(statuses.values())} requests in {took:.0f} s, answered {answered}")
    for line in [*faults, *problems]:
        print(f"        ! {line}")
    if not problems:
        print("The ledger and the audit log hold.", flush=True)
    return not (faults or problems or any(result.findings for result in results))


def attack(tool: str, program: str, seconds: int, only: str) -> tuple[list[Result], bool]:
    """Start a bank of its own for each: wapiti presses every button, also those that remove what sqlmap needs."""
    runs = {"wapiti": wapiti.run, "sqlmap": sqlmap.run}
    with tempfile.TemporaryDirectory(prefix="bank-scan-") as folder, DemoBank(Path(folder)).served() as bank:
        begun = time.monotonic()
        results = runs[tool](program, bank, seconds=seconds, only=only)
        return results, show(results, bank, time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sqlmap", default="sqlmap")
    parser.add_argument("--wapiti", default="wapiti")
    parser.add_argument("--only", nargs="*", default=["sqlmap", "wapiti"])
    parser.add_argument("--targets", default="", help="sqlmap: those whose names match, such as what time cut short")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    programs = {tool: program(getattr(arguments, tool)) for tool in arguments.only}
    report, is_clean = [], True
    for tool, path in programs.items():
        share = SHARES[tool] if len(programs) > 1 else 1
        results, nothing_found = attack(tool, path, int(arguments.minutes * 60 * share), arguments.targets)
        report += [asdict(each) for each in results]
        is_clean = is_clean and nothing_found
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))
    raise SystemExit(not is_clean)


if __name__ == "__main__":
    main()
