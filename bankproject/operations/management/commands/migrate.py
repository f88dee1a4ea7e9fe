from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from bankproject.operations.alone import alone


class Command(migrate.Command):
    help = "Update the tables, after any other migrate."

    def execute(self, *args: Any, **options: Any) -> str | None:
        if options["check_unapplied"] or options["plan"]:
            return super().execute(*args, **options)
        # Its checks look at the tables, too.
        with alone(connections[options["database"]], waits=self._say_that_it_waits):
            return super().execute(*args, **options)

    def _say_that_it_waits(self) -> None:
        self.stderr.write(
            "Another migrate is at work on this database. This one waits until it has ended. If none is at work, a"
            " pooler in between has kept its lock: migrate past it."
        )
