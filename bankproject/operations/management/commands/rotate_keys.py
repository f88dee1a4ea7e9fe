from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bankproject.operations import key_rotation
from bankproject.operations.key_rotation import CannotRetire
from foundation.keys import records as key_records
from foundation.keys.columns import SealedTable, current_kid, sealed_tables, under_old_keys


class Command(BaseCommand):
    help = (
        "Seal every encrypted column and every look-up digest again under the first key of its ring, while the bank "
        "serves. It can be killed and run again. Exits 1 if a row does not open. docs/keys.md says how to use it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, metavar="ROWS", help="rows in one transaction (500)")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--dry-run", action="store_true", help="say what there is to do, and do nothing")
        only.add_argument(
            "--retire",
            metavar="[RING:]KEY",
            help="mark a key as retired, after proving that nothing needs it; without RING, of FIELD_KEYS and "
            "LOOKUP_KEYS wherever it does not stand first",
        )
        parser.add_argument(
            "--lost", action="store_true", help="with --retire: give up what only a lost key could have opened"
        )

    def handle(self, *args: Any, batch: int, dry_run: bool, retire: str | None, lost: bool, **options: Any) -> None:
        if not 1 <= batch <= 10_000:
            raise CommandError("--batch is a number of rows from 1 to 10000.")
        if lost and not retire:
            raise CommandError("--lost goes with --retire.")
        try:
            if retire:
                self._retire(retire, lost)
            elif dry_run:
                self._say_what_waits()
            else:
                self._rotate(batch)
        except key_records.WrongKey as error:
            raise CommandError(f"Nothing was written. {error}") from error

    def _rotate(self, batch: int) -> None:
        done = key_rotation.rotate_keys(batch_size=batch, progress=self._show)
        for table, count in done.sealed_anew.items():
            self.stdout.write(f"{table}: {count} rows sealed anew.")
        for table, pk in done.unreadable:
            self.stderr.write(self.style.ERROR(f"{table} {pk} does not open; it was left as it is."))
        strangers = self._say_who_needs_what()
        if done.unreadable or strangers:
            raise CommandError("Not everything could be opened. Bring back the key, or the row from a backup.")

    def _show(self, table: SealedTable, done: int, count: int) -> None:
        self.stdout.write(f"{table}: {done} of {count}")
        self.stdout.flush()

    def _say_what_waits(self) -> None:
        key_records.verify()
        for table in sealed_tables():
            self.stdout.write(f"{table}: {under_old_keys(table).count()} rows to seal anew.")
        self._say_who_needs_what()

    def _say_who_needs_what(self) -> int:
        """Write one line for each key of each ring; return how many values name a key that the bank never had."""
        retired = key_records.retired_keys()
        strangers = 0
        for (ring, kid), count in key_rotation.usage().items():
            if not kid:
                strangers += count
                if count:
                    self.stderr.write(self.style.ERROR(f"{ring}: {count} values name a key that the bank never had."))
                continue
            self.stdout.write(f"{ring} {kid}: {count} {_standing(ring, kid, count, (ring, kid) in retired)}")
        return strangers

    def _retire(self, named: str, lost: bool) -> None:
        ring, _, kid = named.rpartition(":")
        rings = [ring] if ring else _rings_where_it_is_old(kid)
        if not rings:
            raise CommandError(f"No ring has a key {kid} behind another one.")
        for one in rings:
            try:
                key_rotation.retire_key(ring=one, kid=kid, lost=lost)
            except CannotRetire as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{one}: the key {kid} is retired. Take it out of the environment of every machine.")


def _rings_where_it_is_old(kid: str) -> list[str]:
    known = key_records.known_keys()
    return [ring for ring in ("FIELD_KEYS", "LOOKUP_KEYS") if (ring, kid) in known and current_kid(ring) != kid]


def _standing(ring: str, kid: str, count: int, retired: bool) -> str:
    if ring == "AUDIT_KEYS":
        return "blocks; " + ("seals now." if current_kid(ring) == kid else "keep it while they are to be verified.")
    if current_kid(ring) == kid:
        return "values; seals now."
    if retired and count:
        return "values, though it was retired: find the machine that still seals with it, and rotate again."
    if retired:
        return "values; retired, take it out of the environment."
    return "values; still needed." if count else f"values; rotate_keys --retire {ring}:{kid}, then take it out."
