from typing import Any

from django.core.management.base import BaseCommand

from bankproject.operations.housekeeping import clean_up


class Command(BaseCommand):
    help = "Delete expired sessions, links, counts and old mails. run_scheduled does it hourly."

    def handle(self, *args: Any, **options: Any) -> None:
        for what, count in clean_up().items():
            self.stdout.write(f"{what}: {count}")
