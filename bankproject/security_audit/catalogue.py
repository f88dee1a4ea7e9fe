"""The list of checks, in the order in which they run: quick and decisive ones first (R8.5)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, InterfaceError

from bankproject.security_audit import books, code, dependencies, start, whole_database
from bankproject.security_audit.results import CannotLook, Result, not_reachable


@dataclass(frozen=True)
class Subject:
    """What is audited: a folder with the bank's source, and the source of advisories to ask."""

    folder: Path
    advisories: str = dependencies.OSV


CHECKS: dict[str, Callable[[Subject], Result]] = {
    "settings": lambda subject: start.weakening(),
    "deploy": lambda subject: start.deploy(subject.folder),
    "refusals": lambda subject: start.refusals(subject.folder),
    "triggers": lambda subject: books.triggers(),
    "ledger": lambda subject: books.ledger(),
    "audit-log": lambda subject: books.audit_log(),
    "names": lambda subject: books.names(),
    "encryption": lambda subject: whole_database.whole_database(),
    "keys": lambda subject: books.key_ages_in_bounds(),
    "bandit": lambda subject: code.bandit(subject.folder),
    "ruff": lambda subject: code.ruff(subject.folder),
    "secrets": lambda subject: code.secrets(subject.folder),
    "dependencies": lambda subject: dependencies.dependencies(subject.folder, subject.advisories),
}


def look_at(subject: Subject, names: Iterable[str]) -> Iterator[tuple[str, Result]]:
    """Run the named checks. One that cannot look says so, and the others go on."""
    for name in names:
        try:
            yield name, CHECKS[name](subject)
        except CannotLook as error:
            yield name, not_reachable(str(error))
        except (DatabaseError, InterfaceError) as error:
            yield name, not_reachable(f"The database did not answer, or was not migrated: {error}")
