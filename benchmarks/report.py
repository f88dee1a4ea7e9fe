"""Make the tables of docs/performance.md from the results of `make bench`.

    python benchmarks/report.py [--results FOLDER] [--write [DOCUMENT]]

Prints them as Markdown; with `--write` they replace those in the document, between its two marks.
"""
# ruff: noqa: T201 - a program prints

import argparse
from pathlib import Path

from bench import RESULTS, RUNS
from figures import as_markdown, read
from hand_sql import printed
from scratch_bank import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: from make bench, by benchmarks/report.py -->", "<!-- end of figures -->"


def tables(results: Path) -> str:
    """Return the tables of every run that has left figures, in the order of the runs.

    Raises:
        SystemExit: there are none.
    """
    kept = [results / f"{name}.json" for name in ("machine", *RUNS)]
    found = [one for path in kept if path.exists() for one in read(path)]
    if not found:
        raise SystemExit(f"There are no figures in {results}: run make bench first.")
    return f"{as_markdown(found)}\n### The hand-written SQL, between BEGIN and COMMIT\n\n```sql\n{printed()}```\n"


def written_into(document: str, text: str) -> str:
    """Return the document with these tables between its marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("The document has lost its marks.")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables for docs/performance.md out of what make bench has left.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", type=Path, nargs="?", const=DOCUMENT, metavar="DOCUMENT", help="put them in there")
    options = parser.parse_args()
    text = tables(options.results)
    if options.write:
        options.write.write_text(written_into(options.write.read_text(encoding="utf-8"), text), encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
