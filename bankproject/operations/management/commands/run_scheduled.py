import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from bankproject.operations.models import ScheduledJob
from bankproject.operations.scheduler import Scheduler
from foundation import currency_record
from foundation.stopping import Stop

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Run the periodic jobs when they are due, until told to stop. Every fifteen minutes: carry_out_pending_acts. "
        "Hourly: seal_audit_log, clean_up, expire_holds. Nightly: accrue_interest, verify_ledger, verify_audit_log. "
        "Several machines may run it: each job runs on one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tick", type=float, default=5.0, metavar="SECONDS", help="look every SECONDS (5)")
        parser.add_argument("--once", action="store_true", help="run what is due now, wait for it, and end")
        parser.add_argument("--status", action="store_true", help="say when each job ran and is due, and end")

    def handle(self, *args: Any, tick: float, once: bool, status: bool, **options: Any) -> None:
        if status:
            self._say_status()
            return
        currency_record.begin()
        stop = Stop()
        stop.listen()
        scheduler = Scheduler()
        try:
            while not stop.is_set():
                self._step(scheduler)
                if once and not scheduler.is_busy:
                    if scheduler.failed:
                        raise CommandError(f"Failed: {', '.join(scheduler.failed)}.")
                    return
                stop.wait(min(tick, 0.2) if once else tick)
        finally:
            scheduler.shut_down()

    def _step(self, scheduler: Scheduler) -> None:
        try:
            scheduler.step()
        except Error:  # a database that is away comes back; a scheduler that ended would not
            logger.exception("The scheduler cannot see what is due.")

    def _say_status(self) -> None:
        for row in ScheduledJob.objects.order_by("next_at"):
            state = (
                "runs now" if row.running_until and row.running_until > timezone.now() else f"due {_at(row.next_at)}"
            )
            failed = f", failed {row.failures} times since" if row.failures else ""
            self.stdout.write(f"{row.name}: {state}; last succeeded {_at(row.succeeded_at)}{failed}")


def _at(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else "never"
