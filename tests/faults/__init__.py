"""Money under fire: a bank that is served as in production, clients that pay, faults that strike, and books that are
checked after each (`make faults`; docs/reliability.md).

The benchmarks' scratch banks and their plain HTTP (`benchmarks/scratch_bank.py`, `benchmarks/servers.py`) are used here
too. They are programs and not a package, and find one another in their own folder: it is added to the end of the path
here, so that everything below `tests.faults` finds them.
"""

import sys
from pathlib import Path

_BENCHMARKS = str(Path(__file__).resolve().parent.parent.parent / "benchmarks")
if _BENCHMARKS not in sys.path:
    sys.path.append(_BENCHMARKS)
