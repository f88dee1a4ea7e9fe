"""Checks of what the database holds: the ledger, the audit log, the triggers that guard both, the keys' ages."""

from collections.abc import Iterator
from itertools import islice

from django.db import connection

from audit import verification as log_verification
from audit.append_only import append_only_models, missing_triggers
from audit.digests import UnknownKey
from audit.sealing import unsealed
from bankproject.security_audit.results import Result, failed, passed
from transfers import verification as ledger_verification

# `verify_ledger` and `verify_audit_log --all` name every one.
_NAMED = 20


def ledger() -> Result:
    """The ledger adds up, and the audit log reports every movement in it (`manage.py verify_ledger`)."""
    counts: dict[str, int] = {}
    found = _first_faults(ledger_verification.faults(counts.__setitem__))
    read = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing"
    if found:
        return failed(f"The ledger does not add up. Read {read}.", found)
    return passed(f"The ledger adds up. Read {read}.")


def audit_log() -> Result:
    """The audit log is as it was sealed (`manage.py verify_audit_log`)."""
    counts = {"blocks": 0, "entries": 0}

    def progress(blocks: int, entries: int) -> None:
        counts.update(blocks=blocks, entries=entries)

    found = _first_faults(log_verification.faults(progress=progress))
    read = f"{counts['entries']} entries in {counts['blocks']} blocks"
    if found:
        return failed(f"The audit log was tampered with. Read {read}.", found)
    return passed(f"The audit log is as it was sealed: {read}; {unsealed().count()} entries wait to be sealed.")


def triggers() -> Result:
    """Every trigger that keeps rows from being changed stands in the database, with our own text."""
    tables = set(connection.introspection.table_names())
    guarded = [model._meta.db_table for model in append_only_models()]
    found = [f"{table}: there is no such table" for table in guarded if table not in tables]
    found += [f"{name} is missing" for name in missing_triggers(connection)]
    if found:
        return failed("Rows that must never change can be changed.", found)
    return passed(f"The append-only triggers of {len(guarded)} tables stand.")


def _first_faults(faults: Iterator[str]) -> list[str]:
    """What was found, up to some; what cannot be read, or not with these keys, is found too."""
    found: list[str] = []
    try:
        for fault in islice(faults, _NAMED):
            found.append(fault)
        if next(faults, None):
            found.append("… and more")
    except UnknownKey as error:
        # Not merely "not reachable": a planted block under a key that nobody has must not excuse all others.
        found.append(f"nothing was verified: {error}")
    except (TypeError, ValueError) as error:
        found.append(f"it cannot be read to its end: {error}")
    return found
