from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bankproject.operations import backups
from bankproject.operations.backups import BackupError
from foundation.progress import ProgressLine


class Command(BaseCommand):
    help = (
        "Copy a bank on SQLite to a new file, while it serves, and check the copy. On other engines print what their "
        "administrator runs, and exit with 2: then nothing was backed up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="must not be there yet")

    def handle(self, *args: Any, file: Path, verbosity: int, **options: Any) -> None:
        instead = backups.how_to_back_up(file)
        if instead is not None:
            self.stdout.write(instead)
            raise CommandError("Nothing was backed up: run that where the database is.", returncode=2)
        with ProgressLine(self, verbosity) as line:

            def progress(done: int, pages: int) -> None:
                line.say(f"pages: {done} of {pages}")

            try:
                made = backups.back_up(file, progress=progress)
            except BackupError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"{made.sha256}  {made.path}")
        self.stdout.write(f"{made.size} bytes, read back and found whole. Its keys are not in it: keep them elsewhere.")
