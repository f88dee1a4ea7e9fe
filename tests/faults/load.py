"""The customers of a round: four processes with eight of them each, which pay until they are told to pause."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.faults.client import Part
from tests.faults.fault import Violation
from tests.faults.journal import Journal
from tests.faults.programs import PATIENCE_SECONDS, spoken_with
from tests.faults.running import ServedBank

PROCESSES, THREADS = 4, 8
# At most, between two transfers of a customer: as much as two mail workers keep up with on two cores.
PAUSE_SECONDS = 1.0


class Clients:
    """Customers of a bank, paused until they are told to `pay()`."""

    def __init__(self, bank: ServedBank, processes: "list[subprocess.Popen[str]]", journal: Journal) -> None:
        self.bank, self.journal, self._processes = bank, journal, processes
        bank.acknowledged = self.acknowledged

    @classmethod
    @contextmanager
    def begun(
        cls, bank: ServedBank, seed: str, *, processes: int = PROCESSES, pause: float = PAUSE_SECONDS
    ) -> Iterator["Clients"]:
        """Start them; they end with the block."""
        files = [bank.folder / f"client{number}.journal" for number in range(processes)]
        accounts = [asdict(account) for account in bank.accounts]
        parts = [
            Part(number, seed, bank.port, THREADS, pause, str(file), accounts) for number, file in enumerate(files)
        ]
        with ExitStack() as stack:
            started = [stack.enter_context(_started(part, bank.folder / f"client{part.number}.log")) for part in parts]
            for file in files:
                file.touch()
            yield cls(bank, started, Journal(files))

    def acknowledged(self) -> int:
        self.journal.read_on()
        return self.journal.acknowledged

    def pay(self) -> None:
        self._tell("pay")

    def pause(self) -> None:
        """Return when none of them waits for an answer, the bank has nothing of theirs left to do, and each outcome is
        known.

        Raises:
            Violation: some outcomes cannot be found out.
        """
        self._tell("pause")
        self.bank.wait_until_nothing_is_on_its_way()
        left = sum(int(said.split()[1]) for said in self._tell(f"settle {PATIENCE_SECONDS}"))
        if left:
            raise Violation(f"What became of {left} transfers could not be found out in {PATIENCE_SECONDS} s.")
        self.journal.read_on()

    def _tell(self, order: str) -> list[str]:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{order}\n")
            process.stdin.flush()
        return [_line_of(process) for process in self._processes]


@contextmanager
def _started(part: Part, log: Path) -> "Iterator[subprocess.Popen[str]]":
    with spoken_with("tests.faults.client", log=log) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(part)) + "\n")
        process.stdin.flush()
        yield process


def _line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError("A client has ended; its log says why.")
    return line
