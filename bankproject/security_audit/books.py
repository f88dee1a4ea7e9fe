"""Checks of the database's content: the ledger, the audit log, the triggers that guard both, people's names, the keys'
ages."""

from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection

from accounts.models import User
from accounts.people.names import is_the_banks
from audit import verification as log_verification
from audit.digests import UnknownKey
from audit.sealing import unsealed
from bankproject.security_audit.results import Result, failed, information, passed
from foundation.append_only import append_only_models, missing_triggers
from foundation.keys.records import KeyAge, check_keys, key_ages
from foundation.slices import batches
from transfers.ledger import verification as ledger_verification

# `verify_ledger` and `verify_audit_log --all` name every one.
_NAMED = 20


def ledger() -> Result:
    """Check that the ledger adds up, and that the audit log reports every movement in it (`manage.py
    verify_ledger`)."""
    counts: dict[str, int] = {}
    found = _first_faults(ledger_verification.faults(counts.__setitem__))
    read = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing"
    if found:
        return failed(f"The ledger does not add up. Read {read}.", found)
    return passed(f"The ledger adds up. Read {read}.")


def audit_log() -> Result:
    """Check that the audit log is as it was sealed (`manage.py verify_audit_log`)."""
    counts = {"blocks": 0, "entries": 0}

    def progress(blocks: int, entries: int) -> None:
        counts.update(blocks=blocks, entries=entries)

    found = _first_faults(log_verification.faults(progress=progress))
    read = f"{counts['entries']} entries in {counts['blocks']} blocks"
    if found:
        return failed(f"The audit log was tampered with. Read {read}.", found)
    return passed(f"The audit log is as it was sealed: {read}; {unsealed().count()} entries wait to be sealed.")


def _first_faults(faults: Iterator[str]) -> list[str]:
    """Return the first faults found; an unreadable value, or one that these keys do not read, is a fault too."""
    found: list[str] = []
    try:
        for fault in islice(faults, _NAMED):
            found.append(fault)
        if next(faults, None):
            found.append("… and more")
    except UnknownKey as error:
        # Not merely "not reachable": a planted block under an unknown key must not excuse all others.
        found.append(f"nothing was verified: {error}")
    except (TypeError, ValueError) as error:
        found.append(f"it cannot be read to its end: {error}")
    return found


def triggers() -> Result:
    """Check that every trigger against changes of rows is in the database, with our own text."""
    tables = set(connection.introspection.table_names())
    guarded = [model._meta.db_table for model in append_only_models()]
    found = [f"{table}: there is no such table" for table in guarded if table not in tables]
    found += [f"{name} is missing" for name in missing_triggers(connection)]
    if found:
        return failed("Rows that must never change can be changed.", found)
    return passed(f"The append-only triggers of {len(guarded)} tables stand.")


def names() -> Result:
    """Check that nobody has the bank's own name or a look-alike: a name may be older than that rule, or than the bank's
    present name."""
    people = User.objects.filter(is_active=True).only("public_id", "first_name", "last_name")
    count, found = 0, []
    for batch in batches(people):
        count += len(batch)
        found += [f"user {user.public_id}" for user in batch if is_the_banks(user.get_full_name())]
    if found:
        more = ["… and more"] if len(found) > _NAMED else []
        sentence = f"{len(found)} of {count} people have the bank's own name, or one that looks like it."
        return failed(sentence, found[:_NAMED] + more)
    return passed(f"None of {count} people has the bank's own name.")


def key_ages_in_bounds() -> Result:
    """Check that every key is the recorded one, and that none has sealed for longer than KEY_MAX_AGE_DAYS.

    A key behind another seals nothing more; keys of AUDIT_KEYS stay forever, for others the result says that they may
    be removed.
    """
    wrong = [str(message.msg) for message in check_keys([DEFAULT_DB_ALIAS])]
    if wrong:
        return failed("The keys are not those that this bank has used.", wrong)
    ages, oldest = key_ages(), settings.KEY_MAX_AGE_DAYS
    current = [key for key in ages if key.is_current]
    old = [_said(key) for key in current if key.days > oldest]
    if old:
        return failed(f"{len(old)} keys have been in use for more than {oldest} days: see docs/keys.md.", old)
    kept = [_said(key) for key in ages if not key.is_current and key.days > oldest and key.ring != "AUDIT_KEYS"]
    if kept:
        return information(f"{len(kept)} keys of more than {oldest} days still open what they sealed.", kept)
    return passed(f"The {len(current)} keys in use are {max(key.days for key in current)} days old at most.")


def _said(key: KeyAge) -> str:
    return f"{key.ring}: the key {key.kid} is {key.days} days old"
