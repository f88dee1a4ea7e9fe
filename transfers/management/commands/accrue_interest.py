from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from foundation.money import format_money
from foundation.progress import ProgressLine
from transfers.interest.posting import NotOverYet, accrue_interest, last_countable_day


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-01.") from error


class Command(BaseCommand):
    help = (
        "Count the interest of savings for each day that is over, and post each month that is. Makes up for missed "
        "days; may be stopped and run again. Fit for a scheduler, daily: run_scheduled does it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--until", type=_day, metavar="DATE", help="last day to count; if not given, the last that is over"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *args: Any, verbosity: int, until: date | None, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        last = until or last_countable_day(now)
        with ProgressLine(self, verbosity) as line:

            def progress(done: int, total: int) -> None:
                line.say(f"accounts: {done} of {total}")

            try:
                run = accrue_interest(until=last, at=now, dry_run=dry_run, progress=progress)
            except NotOverYet as error:
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"Interest up to {last}: {run.days} days of {run.accounts} accounts counted, "
            f"{run.postings} payments posted, {format_money(run.posted)} in all."
            + (" Nothing was changed: this was a dry run." if dry_run else "")
        )
