import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.digests import UnknownKey
from audit.sealing import head, last_block, seal


class Command(BaseCommand):
    help = "Seal the audit entries that wait. Fit for a scheduler: run_scheduled does it hourly."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealed = seal()
        except UnknownKey as error:
            raise CommandError(f"Nothing was sealed. {error}") from error
        last = last_block()
        self.stdout.write(f"Sealed {sealed} entries. The last block is {last.number if last else 'not made yet'}.")
        if sealed:
            # A scheduler writes it to its log: sent elsewhere, it is proof like an exported one, in the same form.
            self.stdout.write(f"The head of the audit log: {json.dumps(head())}")
