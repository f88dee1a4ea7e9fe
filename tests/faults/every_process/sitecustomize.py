"""The first code of every Python process with this folder in PYTHONPATH: take the wall clock from the machine's and
from the file that BANK_CLOCK names, which says by how many seconds that one is wrong (`tests.faults.clock`)."""

import mmap
import os
import struct
import sys
from pathlib import Path

_SECOND_NS = 1_000_000_000


def _follow(path: Path) -> None:
    # time-machine would load it into each process of the bank.
    sys.modules["pytest"] = None  # type: ignore[assignment]  # so Python takes it for missing
    import time_machine

    del sys.modules["pytest"]
    with path.open("rb") as file:
        wrong = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    right_ns = time_machine.escape_hatch.time.time_ns
    traveller = time_machine.travel(0).start()
    # Asked by all functions that tell the time, in processes that were forked, too.
    now_ns = lambda: right_ns() + struct.unpack("q", wrong)[0] * _SECOND_NS  # noqa: E731 - put in a method's place
    traveller.time_ns = now_ns  # type: ignore[method-assign]  # on purpose: it follows the file


if "BANK_CLOCK" in os.environ:
    _follow(Path(os.environ["BANK_CLOCK"]))
