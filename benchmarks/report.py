"""Write the results of `make bench` into docs/performance.md and benchmarks/figures.md.

    python benchmarks/report.py [--results FOLDER] [--write [PROJECT]]

Prints all tables as Markdown. With `--write` they become benchmarks/figures.md, and the lines that readers ask for
first replace those between the two marks of docs/performance.md.
"""
# ruff: noqa: T201 - a program prints

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import RESULTS, RUNS
from figures import Figure, as_markdown, number_of, read
from hand_sql import printed
from scratch_bank import ROOT

DOCUMENT, TABLES = Path("docs", "performance.md"), Path("benchmarks", "figures.md")
BEGIN, END = "<!-- figures: from make bench, by benchmarks/report.py -->", "<!-- end of figures -->"
HEAD = "# All figures of make bench\n\nWritten by `benchmarks/report.py`. What they mean: docs/performance.md.\n"
ENGINES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Line:
    """One line of the document: its words, and where its figure is.

    `table` is how the title of the table begins. With `{}` in it, the line has a figure for each engine.
    """

    words: str
    table: str
    what: str


PAYMENT = "A payment on {}"
ROUTES = "Routes of the API, eight clients, on {}"
CLIENTS = "Payments by so many clients, on {}"
KINDS = "Kinds of payments, four clients, on {}"
PROCESSES = "8 processes on PostgreSQL, "
PAGES = "Pages: processor time"
LONG = "The page of a history"

CHOSEN = (
    Line("a payment by the service, by the clock", PAYMENT, "the service, by the clock"),
    Line("the same by hand-written SQL", PAYMENT, "hand-written SQL, by the clock"),
    Line("service ÷ hand-written SQL, by the clock", PAYMENT, "the service ÷ hand-written SQL, by the clock"),
    Line("statements of a payment", "What a payment asks", "to a known payee, by the service: statements"),
    Line("`ledger.post_many`, for each of 1,000", PAYMENT, "ledger.post_many of 1,000, by the clock"),
    Line("`POST transfer`, processor time", ROUTES, "POST transfer: processor time of the workers"),
    Line("`POST transfer`, 1 client", CLIENTS, "POST transfer, 1 client: throughput"),
    Line("8 clients", CLIENTS, "POST transfer, 8 clients: throughput"),
    Line("8 clients, p50", CLIENTS, "POST transfer, 8 clients: p50"),
    Line("8 clients, p99", CLIENTS, "POST transfer, 8 clients: p99"),
    Line("a first payment, with its code, p50", KINDS, "first payment, with its code: p50"),
    Line("a refused payment, p50", KINDS, "refused, no funds: p50"),
    Line("8 processes, 1,000 accounts: service ÷ SQL", f"{PROCESSES}among", "the service ÷ hand-written SQL"),
    Line("payments with mails ÷ without", "A payment whole", "payments with mails ÷ without"),
    Line("mails handed over by one worker", "Both mails", "mails handed over, workers: 1"),
    Line("dashboard, processor time", PAGES, "dashboard"),
    Line("page of the history, processor time", PAGES, "history"),
    Line("the deepest page, of the first", LONG, "the deepest page: processor time, of the first"),
    Line("`verify_ledger`, entries a second", "verify_ledger", "whole: entries a second by the clock"),
    Line("`verify_ledger`, memory of a process", "verify_ledger", "peak memory of a process"),
)  # fmt: skip


def kept(results: Path) -> list[Figure]:
    """Return the figures of each run that has left some, in the order of the runs.

    Raises:
        SystemExit: there are none.
    """
    files = [results / f"{name}.json" for name in ("machine", *RUNS)]
    found = [one for path in files if path.exists() for one in read(path)]
    if not found:
        raise SystemExit(f"There are no figures in {results}: run make bench first.")
    return found


def all_tables(found: Sequence[Figure]) -> str:
    sql = f"### The hand-written SQL, between BEGIN and COMMIT\n\n```sql\n{printed()}```\n"
    return f"{HEAD}{as_markdown(found)}\n{sql}"


def chosen(found: Sequence[Figure]) -> str:
    """Return the table of the document, without lines for which nothing was measured."""
    rows = ["| Median | On SQLite | On PostgreSQL |", "| --- | ---: | ---: |"]
    for line in CHOSEN:
        cells = [_cell(line, engine, found) for engine in ENGINES]
        if any(cells):
            rows.append(f"| {line.words} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(line: Line, engine: str, found: Sequence[Figure]) -> str:
    """Return the figure; "" if there is none, or if its table is for the other engine."""
    title = line.table.format(engine)
    for one in found:
        if one.what == line.what and one.table.startswith(title) and _engine_of(one) == engine:
            return f"{number_of(one.middle)} {one.unit}".strip()
    return ""


def _engine_of(one: Figure) -> str:
    return "PostgreSQL" if "PostgreSQL" in one.table else "SQLite"


def written_into(document: str, text: str) -> str:
    """Return the document with this table between its marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("The document has lost its marks.")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the figures that make bench has left into the documents.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", type=Path, nargs="?", const=ROOT, metavar="PROJECT", help="into the files there")
    options = parser.parse_args()
    found = kept(options.results)
    if options.write:
        document = options.write / DOCUMENT
        document.write_text(written_into(document.read_text(encoding="utf-8"), chosen(found)), encoding="utf-8")
        (options.write / TABLES).write_text(all_tables(found), encoding="utf-8")
    else:
        print(all_tables(found))


if __name__ == "__main__":
    main()
