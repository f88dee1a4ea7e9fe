"""How fast is `verify_ledger`, in how much memory, with 5,000,000 entries?

    python benchmarks/verification.py [--entries 5000000] [--processes 1] [--base FOLDER] [--quick]

Writes a bank into a SQLite file of its own (0.9 GB for a million entries), verifies it in a process of its own, and
prints:

  sums      sequences and balances of the entries, compared by window functions, and the sums of the transactions
  digests   of the transactions, made in Python and looked for in the audit log
  whole     all that `verify_ledger` looks at: numbers, holds, orders and payees besides

by the clock and by the processor of the process, which is nearly all there is with SQLite; with several processes, of
all together. The peak of memory is that of the largest process.

With `--base` the digests are made as at commit 11100bd too, in turns: `git worktree add FOLDER 11100bd`, and a .venv in
it if the one that runs this does not do. Then as there every transaction is added up, and its digest is made and
looked for; the first 100,000 of them, three times.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import Figure, figure, program, ratios, tell
from scratch_bank import ROOT, set_up

SAMPLE = 100_000
ROUNDS = 3

# In a process of its own, or its memory would count for the processes which it starts.
WRITE = """
import sys
from datetime import UTC, datetime
import django
django.setup()
sys.path.insert(0, "benchmarks")
import movements
print(movements.write(int(sys.argv[1]), datetime.now(UTC)))
"""

VERIFY = """
import json, resource, sys, time
import django
if __name__ == "__main__":
    django.setup()
    from transfers.ledger import verification
    work, begin, processor = verification.Work(), time.perf_counter(), time.process_time()
    faults = list(verification.faults(processes=int(sys.argv[1]), work=work))
    clock = time.perf_counter() - begin
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = time.process_time() - processor + usages[1].ru_utime + usages[1].ru_stime
    print(json.dumps({
        "faults": faults[:5],
        "megabytes": max(usage.ru_maxrss for usage in usages) // 1024,
        "sums": [work.entries, work.sums.clock, work.sums.processor],
        "digests": [work.transactions, work.digests.clock, work.digests.processor],
        "whole": [work.entries, clock, processor],
    }))
"""

NOW = """
import json, sys, time
import django
django.setup()
from foundation.slices import ranges, within
from transfers.ledger import evidence, soundness
from transfers.models import Transaction
low, high = next(ranges(Transaction.objects.all(), size=int(sys.argv[1])))
processor, count = time.process_time(), 0
for ends in ranges(within(Transaction.objects.all(), low, high), size=20_000):
    assert soundness.sums_are_sound(within(Transaction.objects.all(), *ends))
    for piece in evidence.slices(*ends):
        assert piece.is_sound
        count += piece.count
print(json.dumps([count, time.process_time() - processor]))
"""

BASE = """
import json, sys, time
import django
django.setup()
from transfers import verification
class Enough(Exception):
    pass
done = 0
def progress(what, count):
    global done
    done = count
    if count >= int(sys.argv[1]):
        raise Enough
processor = time.process_time()
try:
    assert not list(verification._faults_of_transactions(progress))
except Enough:
    pass
print(json.dumps([done, time.process_time() - processor]))
"""


def said_by(text: str, argument: int, *, folder: Path = ROOT) -> Any:
    """Return what a program prints that runs among the modules of `folder`, on our scratch bank."""
    own = folder / ".venv/bin/python"
    with tempfile.TemporaryDirectory(prefix="bank-program-") as place:
        # A file, since processes that it starts read it again.
        path = Path(place, "program.py")
        path.write_text(text)
        done = subprocess.run(  # noqa: S603 - programs of this file
            [str(own) if own.exists() else sys.executable, str(path), str(argument)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)


def against(base: Path, transactions: int) -> dict[str, list[float]]:
    """Return transactions a second of the processor, now and at that commit, by rounds."""
    rates: dict[str, list[float]] = {"now": [], "base": []}
    for _ in range(ROUNDS):
        for name, text, folder in (("base", BASE, base), ("now", NOW, ROOT)):
            count, processor = said_by(text, transactions, folder=folder)
            rates[name].append(count / processor)
    return rates


def figures_of(found: dict[str, Any], entries: int) -> Iterator[Figure]:
    table = f"verify_ledger with {entries:,} entries, on SQLite"
    for name in ("sums", "digests", "whole"):
        count, clock, processor = found[name]
        of_what = "transactions" if name == "digests" else "entries"
        for how, seconds in (("by the clock", clock), ("of the processor", processor)):
            rate = count / seconds
            yield Figure(table, f"{name}: {of_what} a second {how}", "", rate, rate, rate)
    yield Figure(table, "peak memory of a process", "MB", *[found["megabytes"]] * 3)
    if base := found.get("base"):
        what = "digests: transactions a second of the processor"
        yield figure(table, f"{what}, the first ones", "", base["now"])
        yield figure(table, f"{what}, 11100bd", "", base["base"])
        yield figure(table, f"{what} ÷ those at 11100bd", "×", ratios(base["now"], base["base"]))


def main() -> None:
    parser = program(__doc__ or "", rounds=ROUNDS)
    parser.add_argument("--entries", type=int, default=5_000_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--base", type=Path, help="a folder with commit 11100bd: its digests are measured beside")
    options = parser.parse_args()
    entries = 20_000 if options.quick else options.entries
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        set_up(folder)
        from django.db import connection

        connection.close()
        said_by(WRITE, entries)
        found = said_by(VERIFY, options.processes)
        if options.base:
            found["base"] = against(options.base.resolve(), min(SAMPLE, entries // 2))
    tell(list(figures_of(found, entries)), options.json)
    if found["faults"]:
        raise SystemExit("The ledger does not add up: " + found["faults"][0])


if __name__ == "__main__":
    main()
