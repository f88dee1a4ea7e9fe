from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from foundation.money import format_money
from foundation.progress import ProgressLine
from transfers.interest.counted_rates import late_rates
from transfers.interest.posting import NotOverYet, Run, accrue_interest, last_countable_day


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-01.") from error


class Command(BaseCommand):
    help = (
        "Count the interest of savings for each day that is over, and post each month that is. Makes up for missed "
        "days; may be stopped and run again. Fit for a scheduler, daily: run_scheduled does it. Warns of a rate that "
        "was announced for days which were counted at another one, and of accounts that it had to leave out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--until", type=_day, metavar="DATE", help="last day to count; if not given, the last that is over"
        )
        parser.add_argument(
            "--correct",
            action="store_true",
            help="post, too, what a rate that was announced late makes of days which were counted already",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(
        self, *args: Any, verbosity: int, until: date | None, correct: bool, dry_run: bool, **options: Any
    ) -> None:
        now = timezone.now()
        last = until or last_countable_day(now)
        with ProgressLine(self, verbosity) as line:

            def progress(done: int, total: int) -> None:
                line.say(f"accounts: {done} of {total}")

            try:
                run = accrue_interest(until=last, at=now, correct=correct, dry_run=dry_run, progress=progress)
            except NotOverYet as error:
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"Interest up to {last}: {run.days} days of {run.accounts} accounts counted, "
            f"{run.postings} payments posted, {format_money(run.posted)} in all."
            + (f" {run.corrections} accounts corrected by {format_money(run.corrected)}." if run.corrections else "")
            + (" Nothing was changed: this was a dry run." if dry_run else "")
        )
        for warning in _warnings(run):
            self.stderr.write(self.style.WARNING(warning))


def _warnings(run: Run) -> Iterator[str]:
    """Yield what a person has to look at: rates that came late, and accounts whose owner or number was changed."""
    for late in late_rates():
        yield f"Warning: {late}"
    for pk in run.left_out:
        yield (
            f"Left out: the number of account {pk} does not open for its owner. Somebody has changed the account in "
            "the database; nothing is counted for it until that is undone."
        )
