"""The outcome of the mutants: a table by module, and those that no test noticed."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults.mutation.trying import KILLED, NOT_RUN, SURVIVED, TIMED_OUT

# Mutants that break no promise, each with its reason.
SURVIVORS = Path(__file__).parent.parent / "survivors.md"


def of(rows: Iterable[dict[str, Any]], modules: list[str]) -> str:
    """Return the table as Markdown, then each mutant that was not killed, with its reason if there is one."""
    chosen = sorted((row for row in rows if row["module"] in modules), key=lambda row: (row["module"], row["line"]))
    lines = ["| Module | Made | Killed | Survived | Timed out | Not run | Killed of all |", "|" + " --- |" * 7]
    for module in [*modules, "all"]:
        counts = Counter(row["outcome"] for row in chosen if module in {row["module"], "all"})
        made = counts.total()
        share = f"{100 * counts[KILLED] / made:.1f} %" if made else "-"
        cells = [module, made, counts[KILLED], counts[SURVIVED], counts[TIMED_OUT], counts[NOT_RUN], share]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    reasons = _reasons()
    for row in chosen:
        if row["outcome"] != KILLED:
            why = reasons.get((row["module"], row["after"]), "no reason is listed")
            lines.append(f"\n{row['module']}:{row['line']} {row['operator']}, {row['outcome']} ({row['by']}): {why}")
            lines += [f"  - {row['before']}", f"  + {row['after']}"]
    return "\n".join(lines) + "\n"


def _reasons() -> dict[tuple[str, str], str]:
    """Return why a survivor needs no test, by its module and the changed line."""
    if not SURVIVORS.exists():
        return {}
    rows = re.findall(r"^\| (\S+) \| `` (.+) `` \| (.+) \|$", SURVIVORS.read_text(encoding="utf-8"), re.MULTILINE)
    return {(module, after.replace("\\|", "|")): why for module, after, why in rows}
