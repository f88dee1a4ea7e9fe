from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from bankproject.operations.alone import alone


class Command(migrate.Command):
    help = "Update the tables, after any other migrate."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check_unapplied"] or options["plan"]:
            super().handle(*args, **options)
            return
        with alone(connections[options["database"]], waits=self._say_that_it_waits):
            super().handle(*args, **options)

    def _say_that_it_waits(self) -> None:
        self.stderr.write("Another migrate is at work on this database. This one waits until it has ended.")
