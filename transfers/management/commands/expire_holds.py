from typing import Any

from django.core.management.base import BaseCommand, CommandError

from foundation.progress import ProgressLine
from transfers.orders.expiry import expire_holds


class Command(BaseCommand):
    help = (
        "Give back the money of payments that were held for HOLD_EXPIRES_DAYS without a decision. May be stopped and "
        "run again. Fit for a scheduler, hourly: run_scheduled does it."
    )

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        with ProgressLine(self, verbosity) as line:
            run = expire_holds(progress=lambda done: line.say(f"expired: {done}"))
        noun = "payment has" if run.expired == 1 else "payments have"
        self.stdout.write(f"{run.expired} held {noun} expired.")
        if run.failed:
            raise CommandError(f"{run.failed} could not be given back: see the log.")
