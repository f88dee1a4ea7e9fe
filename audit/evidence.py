"""What entries report, compared with what is stored elsewhere (R6.3); the apps above say how.

This app knows no other. An app that writes entries with an evidence digest registers, in its AppConfig.ready(), a
function that computes the digest again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.db import InterfaceError, OperationalError

from audit.models import AuditEntry

# Takes entries of its subject type, some hundreds at a time; returns what is wrong, by entry id.
Check = Callable[[Sequence[AuditEntry]], Mapping[int, str]]

_checks: dict[str, Check] = {}


def register(subject_type: str, check: Check) -> None:
    """Let `check` verify the evidence of entries with this `subject_type`.

    Raises:
        ValueError: another function is registered for it.
    """
    if _checks.setdefault(subject_type, check) is not check:
        raise ValueError(f"The evidence of {subject_type} has its check already.")


def faults_of(entries: Iterable[AuditEntry]) -> dict[int, str]:
    """Return what is wrong with the evidence of these entries, by entry id. Evidence that no function checks is a
    fault, and so is an entry on which a check fails: one entry must not keep the others from being verified.

    Raises:
        OperationalError, InterfaceError: the database did not answer.
    """
    by_type: dict[str, list[AuditEntry]] = defaultdict(list)
    for entry in entries:
        if entry.evidence_digest:
            by_type[entry.subject_type].append(entry)
    found: dict[int, str] = {}
    for subject_type, group in by_type.items():
        found |= _checked(_checks.get(subject_type, _unknown), group)
    return found


def _checked(check: Check, entries: Sequence[AuditEntry]) -> Mapping[int, str]:
    """Return what the check finds; if it fails, ask about each entry alone, so that the one to blame is named."""
    try:
        return check(entries)
    except (OperationalError, InterfaceError):
        raise  # says nothing about the entry
    except Exception as error:  # noqa: BLE001 - entries may be an intruder's, and ending here is what they would want
        if len(entries) > 1:
            return {pk: fault for entry in entries for pk, fault in _checked(check, [entry]).items()}
        return {entries[0].pk: f"its evidence could not be checked ({type(error).__name__}: {error})"}


def _unknown(entries: Sequence[AuditEntry]) -> dict[int, str]:
    return {entry.pk: f"nobody can check its evidence, a {entry.subject_type!r}" for entry in entries}
