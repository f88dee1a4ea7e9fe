import resource
import sys
from argparse import ArgumentParser
from concurrent.futures import BrokenExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from foundation.progress import ProgressLine
from transfers.ledger.verification import Work, faults


class Command(BaseCommand):
    help = (
        "Look at the whole ledger and name each row that does not add up; exits 1 if there is one, 2 if it cannot "
        "look. It only reads, so it can be stopped and run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--processes",
            type=int,
            default=1,
            metavar="N",
            help="share the work among N processes, each with a connection of its own; more than there are cores to "
            "spare, here and at the database, gain nothing",
        )

    def handle(self, *args: Any, verbosity: int, processes: int, **options: Any) -> None:
        if processes < 1:
            raise CommandError("--processes is 1 or more.", returncode=2)
        counts: dict[str, int] = {}
        work, found = Work(), 0
        with ProgressLine(self, verbosity) as line:

            def progress(what: str, count: int) -> None:
                counts[what] = count
                line.say(f"{what}: {count}")

            try:
                for fault in faults(progress, processes=processes, work=work):
                    found += 1
                    self.stdout.write(self.style.ERROR(fault))
            except Error as error:
                raise CommandError(f"The database could not be read: {error}", returncode=2) from error
            except BrokenExecutor as error:
                raise CommandError(f"A process that shared the work was killed: {error}", returncode=2) from error
            except ValueError as error:
                raise CommandError(f"The ledger cannot be read to its end: {error}") from error
        read = ", ".join(f"{count} {what}" for what, count in counts.items())
        if found:
            raise CommandError(f"The ledger does not add up: {found} faults. Read {read}.")
        self.stdout.write(f"The ledger adds up. Read {read}.")
        self.stdout.write(_rates(work, processes))


def _rates(work: Work, processes: int) -> str:
    """Return how fast it was, by the clock of each process, and how much memory the largest took."""
    each = " in each process" if processes > 1 else ""
    return (
        f"Sums, sequences and balances: {_a_second(work.entries, work.sums.clock)} entries a second{each}. "
        f"Digests: {_a_second(work.transactions, work.digests.clock)} transactions a second{each}. "
        f"Peak memory: {_peak_megabytes()} MB{each}."
    )


def _a_second(count: int, seconds: float) -> int:
    return round(count / seconds) if seconds else 0


def _peak_megabytes() -> int:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    bytes_of_one = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others kilobytes
    return max(usage.ru_maxrss for usage in usages) * bytes_of_one // 1024**2
