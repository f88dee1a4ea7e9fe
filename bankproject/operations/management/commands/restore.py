from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from bankproject.operations import backups, probes
from bankproject.operations.backups import BackupError
from foundation.append_only import missing_triggers
from foundation.keys import records as key_records
from foundation.progress import ProgressLine


class Command(BaseCommand):
    help = (
        "Put a backup of a bank on SQLite back, then verify ledger and audit log and sign everybody out. Exits 1 if "
        "something is wrong, 2 if the database is back and was not verified. On other engines print what their "
        "administrator runs; then --finish."
    )
    # It may replace a database that is damaged.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("file", type=Path, nargs="?", metavar="FILE", help="written by `backup`")
        what.add_argument(
            "--finish", action="store_true", help="the database is back already: verify it, sign everybody out"
        )
        parser.add_argument("--replace", action="store_true", help="move the present database aside")

    def handle(self, *args: Any, file: Path | None, replace: bool, verbosity: int, **options: Any) -> None:
        if file is not None:
            self._put_back(file, replace, verbosity)
        self._finish(verbosity)

    def _put_back(self, file: Path, replace: bool, verbosity: int) -> None:
        instead = backups.how_to_restore(file)
        if instead is not None:
            self.stdout.write(instead)
            raise CommandError("Nothing was restored: run that where the database is, then --finish.", returncode=2)
        with ProgressLine(self, verbosity) as line:

            def progress(done: int, pages: int) -> None:
                line.say(f"pages: {done} of {pages}")

            try:
                former = backups.restore(file, replace=replace, at=timezone.now(), progress=progress)
            except BackupError as error:
                raise CommandError(f"{error} Nothing was changed.") from error
        if former is not None:
            self.stdout.write(f"The former database is {former}.")

    def _finish(self, verbosity: int) -> None:
        """Do what `restore` promises after the copy.

        Raises:
            CommandError: something does not verify (1), or could not be checked (2).
        """
        states = probes.readiness()
        if states["database"] != probes.OK:
            raise CommandError("The database does not answer: nothing was verified.", returncode=2)
        if states["migrations"] != probes.OK:
            raise CommandError(
                "The database is back, and older than this version of the bank. Run migrate, then restore --finish.",
                returncode=2,
            )
        try:
            key_records.verify()
        except key_records.WrongKey as error:
            raise CommandError(f"The database is back, and sealed with other keys. {error}", returncode=2) from error
        # First: whatever else is wrong, no session may be open again.
        ended = backups.begin_anew()
        if missing := missing_triggers(connection):
            raise CommandError(
                f"The database is back, and rows that are written once can be changed: {missing[0]} is missing."
            )
        for command in ("verify_ledger", "verify_audit_log"):
            call_command(command, verbosity=verbosity, stdout=self.stdout, stderr=self.stderr)
        self.stdout.write(f"Restored and verified. Sessions ended: {ended}; everybody signs in again.")
