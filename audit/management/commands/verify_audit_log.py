import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from audit.digests import UnknownKey
from audit.sealing import unsealed
from audit.verification import faults
from foundation.progress import ProgressLine


class Command(BaseCommand):
    help = (
        "Read the whole sealed audit log and name the first entry that was altered, removed or inserted; "
        "exits 1 if there is one, 2 if it could not look."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", type=Path, metavar="FILE", help="from export_audit_head: prove that no tail was cut off since"
        )
        parser.add_argument("--all", action="store_true", help="name every fault, not only the first")

    def handle(self, *args: Any, verbosity: int, all: bool, head: Path | None, **options: Any) -> None:
        kept = _head_in(head) if head else None
        counts = {"blocks": 0, "entries": 0}
        found = 0
        with ProgressLine(self, verbosity) as line:

            def progress(blocks: int, entries: int) -> None:
                counts.update(blocks=blocks, entries=entries)
                line.say(f"blocks: {blocks}, entries: {entries}")

            try:
                for fault in faults(head=kept, progress=progress):
                    found += 1
                    self.stdout.write(self.style.ERROR(fault))
                    if not all:
                        break
            except UnknownKey as error:
                raise CommandError(f"Nothing was verified. {error}", returncode=2) from error
            except Error as error:
                raise CommandError(f"The database could not be read: {error}", returncode=2) from error
            except (TypeError, ValueError) as error:
                raise CommandError(f"The audit log cannot be read to its end: {error}") from error
        if found:
            raise CommandError("The audit log was tampered with.")
        read = f"{counts['entries']} entries in {counts['blocks']} blocks"
        self.stdout.write(
            f"The audit log is as it was sealed: {read}. {unsealed().count()} entries are not sealed yet."
        )


def _head_in(path: Path) -> dict[str, Any]:
    """Return what export_audit_head wrote.

    Raises:
        CommandError: no such file, or another kind of file.
    """
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        return {"number": int(head["number"]), "hash": str(head["hash"])}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CommandError(f"{path} holds no head of the audit log: {error}", returncode=2) from error
