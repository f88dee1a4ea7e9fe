from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from foundation.progress import ProgressLine
from transfers.ledger.verification import faults


class Command(BaseCommand):
    help = "Read the whole ledger and name each row that does not add up; exits 1 if there is one, 2 if it cannot look."

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        counts: dict[str, int] = {}

        found = 0
        with ProgressLine(self, verbosity) as line:

            def progress(what: str, count: int) -> None:
                counts[what] = count
                line.say(f"{what}: {count}")

            try:
                for fault in faults(progress):
                    found += 1
                    self.stdout.write(self.style.ERROR(fault))
            except Error as error:
                raise CommandError(f"The database could not be read: {error}", returncode=2) from error
            except ValueError as error:
                raise CommandError(f"The ledger cannot be read to its end: {error}") from error
        read = ", ".join(f"{count} {what}" for what, count in counts.items())
        if found:
            raise CommandError(f"The ledger does not add up: {found} faults. Read {read}.")
        self.stdout.write(f"The ledger adds up. Read {read}.")
