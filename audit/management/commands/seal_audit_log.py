from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.digests import UnknownKey
from audit.sealing import last_block, seal


class Command(BaseCommand):
    help = "Seal the audit entries that wait. Fit for a scheduler; the mail worker does it hourly, too."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealed = seal()
        except UnknownKey as error:
            raise CommandError(f"Nothing was sealed. {error}") from error
        last = last_block()
        self.stdout.write(f"Sealed {sealed} entries. The last block is {last.number if last else 'not made yet'}.")
