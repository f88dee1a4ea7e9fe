import json
import textwrap
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from bankproject.security_audit import catalogue
from bankproject.security_audit.dependencies import OSV
from bankproject.security_audit.results import Result, State, Verdict, exit_status, verdict_of

# The version of the report for machines: raised when a key changes its meaning, not when one is added.
_FORMAT = 1
_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Look at the bank as an auditor would: code, dependencies, secrets, settings, ledger, audit log, keys. "
        "Exit status 0, or 1 for FAIL; with --strict 2 for NOT REACHABLE."
    )
    # This check runs the system checks in a process of its own: a fault there must not hide all others.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="what could not be looked at is fatal too")
        parser.add_argument("--json", action="store_true", help="write the result for machines")
        parser.add_argument(
            "--only", nargs="+", choices=catalogue.CHECKS, metavar="NAME", help=", ".join(catalogue.CHECKS)
        )
        parser.add_argument("--advisories", default=OSV, metavar="URL", help="an OSV service other than osv.dev")

    def handle(self, *args: Any, strict: bool, only: list[str] | None, advisories: str, **options: Any) -> None:
        found: dict[str, Result] = {}
        for name, result in catalogue.look_at(
            catalogue.Subject(settings.BASE_DIR, advisories), only or catalogue.CHECKS
        ):
            found[name] = result
            if not options["json"]:
                self._show(name, result)
        verdict = verdict_of(list(found.values()))
        status = exit_status(verdict, strict=strict)
        if options["json"]:
            self.stdout.write(json.dumps(_for_machines(found, verdict, status, strict=strict), indent=2))
        else:
            self.stdout.write(f"\nVerdict: {self._coloured(verdict.value, verdict.value.lower())}")
        if status:
            raise CommandError(f"The security audit ends with {verdict}.", returncode=status)

    def _show(self, name: str, result: Result) -> None:
        head = f"{name:<13} {self._coloured(f'{result.state:<14}', result.state)} "
        self.stdout.write(head + ("\n" + " " * 29).join(textwrap.wrap(result.sentence, 90)))
        for line in result.details[:_SHOWN]:
            self.stdout.write(" " * 29 + f"- {line}")
        if len(result.details) > _SHOWN:
            self.stdout.write(" " * 29 + f"- … and {len(result.details) - _SHOWN} more; --json has all")

    def _coloured(self, text: str, state: str) -> str:
        styles = {State.PASS: self.style.SUCCESS, State.FAIL: self.style.ERROR, State.NOT_REACHABLE: self.style.WARNING}
        return styles.get(State(state), str)(text)


def _for_machines(found: dict[str, Result], verdict: Verdict, status: int, *, strict: bool) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "at": timezone.now().isoformat(timespec="seconds"),
        "verdict": verdict.value,
        "strict": strict,
        "exit_status": status,
        "checks": [
            {"name": name, "state": result.state.value, "sentence": result.sentence, "details": list(result.details)}
            for name, result in found.items()
        ],
    }
