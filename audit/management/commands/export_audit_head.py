import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.sealing import head


class Command(BaseCommand):
    help = "Write the head of the audit log, which later proves its end whole. Keep it where the bank cannot write."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="standard output, if not given")

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        found = head()
        if found is None:
            raise CommandError("Nothing is sealed yet: run seal_audit_log first.")
        text = json.dumps(found, indent=2)
        if file is None:
            self.stdout.write(text)
            return
        try:
            file.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"The head was not written: {error}") from error
