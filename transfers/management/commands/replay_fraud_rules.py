from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from foundation.progress import ProgressLine
from transfers import periods
from transfers.history.replay import flagged_payments
from transfers.orders.fraud import LABELS, PAYMENT_RULES, Rule
from transfers.orders.screening import thresholds


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-01.") from error
    if not periods.FIRST_DAY <= day <= periods.LAST_DAY:
        raise ArgumentTypeError(f"{text} is not between {periods.FIRST_DAY} and {periods.LAST_DAY}.")
    return day


class Command(BaseCommand):
    help = "Say which past payments the fraud rules would flag with their present thresholds. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=_day, required=True, metavar="DATE", help="first day, like 2026-11-01")
        parser.add_argument("--until", type=_day, metavar="DATE", help="last day; today, if not given")

    def handle(self, *args: Any, verbosity: int, since: date, until: date | None, **options: Any) -> None:
        today = periods.day_of(timezone.now())
        last = until or today
        if since > today:
            raise CommandError(f"{since} has not come yet.")
        if last < since:
            raise CommandError(f"{last} is before {since}.")
        judged = 0
        found: dict[Rule, list[str]] = {rule.rule: [] for rule in PAYMENT_RULES}
        starts_at, ends_at = periods.start_of_day(since), periods.end_of_day(last)
        with ProgressLine(self, verbosity) as line:

            def progress(payments: int) -> None:
                nonlocal judged
                judged = payments
                line.say(f"payments: {payments}")

            for payment, rules in flagged_payments(
                since=starts_at, until=ends_at, thresholds=thresholds(), progress=progress
            ):
                for rule in rules:
                    found[rule].append(payment.reference)
        self.stdout.write(f"{judged} payments from {since} to {last}. With the present thresholds, flagged would be:")
        for rule, references in found.items():
            self.stdout.write(f"{LABELS[rule]}: {len(references)}")
            for reference in references:
                self.stdout.write(f"  {reference}")
