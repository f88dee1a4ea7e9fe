"""Which keys the bank has used, and whether those in the environment are the same (R8.1, R8.7).

A wrong key under a known id would open nothing and, worse, seal values that nobody else can open. So each key leaves a
keyed check value in the database, and a process whose key does not match refuses to start. docs/keys.md says how keys
are made, rolled out and retired.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connections, transaction
from django.utils import timezone

from foundation.keys.columns import rings_of_strangers, sealed_tables
from foundation.models import KeyRecord

logger = logging.getLogger(__name__)

RINGS = ("FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")
# The rings that seal rows, find them or prove them; tokens are forgotten within the hour, so their ring is not among
# them.
RINGS_OF_ROWS = ("FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS")

_HINT = "See docs/keys.md."

Known = dict[tuple[str, str], KeyRecord]


class WrongKey(ImproperlyConfigured):
    """A key in the environment is not the one that its id stood for; names ring and id, never a key."""


class _Key(NamedTuple):
    ring: str
    kid: str
    check_value: str
    is_current: bool


class KeyAge(NamedTuple):
    """How long a key has been the one that seals; `days` is 0 for a key that waits behind another, unused so far."""

    ring: str
    kid: str
    days: int
    is_current: bool


def check_value(key: bytes) -> str:
    """Return the HMAC-SHA-256 of a fixed text under the key: it tells one key from another, and reveals neither."""
    return hmac.new(key, b"check value of a key of the bank", hashlib.sha256).hexdigest()


def configured_keys() -> Iterator[_Key]:
    """Return the keys in the environment; the first of each ring is current. SECRET_KEY has its check value as its
    id."""
    for ring in RINGS:
        for place, (kid, key) in enumerate(getattr(settings, ring).items()):
            yield _Key(ring, kid, check_value(key), place == 0)
    for place, text in enumerate((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        value = check_value(text.encode())
        yield _Key("SECRET_KEY", value[:8], value, place == 0)


def verify(using: str = DEFAULT_DB_ALIAS) -> None:
    """Compare every key in the environment with its record, in one statement; it writes nothing.

    Raises:
        WrongKey: one differs, or one that was retired stands first.
    """
    _refuse(_wrong_keys(_records(using)))


_verified = False


def verify_once() -> None:
    """Call `verify()` until it has succeeded once in this process: a wrong key is refused each time."""
    global _verified
    if not _verified:
        verify()
        _verified = True


def note_keys(using: str = DEFAULT_DB_ALIAS) -> None:
    """Write a record for each key that has none, and the time since which the first key of each ring has been first.

    Any number of processes may do so at once: one of them writes, the others compare.

    Raises:
        WrongKey: as `verify()`; then nothing was written over.
    """
    known = _records(using)
    _refuse(_wrong_keys(known))
    begun = {ring for ring, _ in known}
    now = timezone.now()
    for key in configured_keys():
        record = known.get((key.ring, key.kid))
        if record is None:
            # A database that knows no key of this ring yet may be older than these records: any key may be in use.
            _add(using, key, first_used_at=now if key.is_current or key.ring not in begun else None)
        elif key.is_current and record.first_used_at is None:
            KeyRecord.objects.using(using).filter(pk=record.pk, first_used_at=None).update(first_used_at=now)
    verify(using)


def begin() -> None:
    """Refuse wrong keys and record new ones, before a web worker's first request.

    Raises:
        WrongKey
    """
    try:
        note_keys()
    except DatabaseError as error:
        # Not there yet, or we may not write: then the first use of a key compares, before any row is opened.
        logger.warning("The keys could not be noted at the start: %s", type(error).__name__)


def note_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Record the keys after the first `migrate` (Django's `post_migrate`)."""
    if _is_made(using):
        note_keys(using)


def check_keys(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that every key is the recorded one and none is missing: `manage.py check --database default`, and so
    `migrate`."""
    return [message for using in databases or [] if _is_made(using) for message in _messages(using)]


def _messages(using: str) -> Iterator[checks.CheckMessage]:
    known = _records(using)
    given = {(key.ring, key.kid) for key in configured_keys()}
    retired = {pair for pair, record in known.items() if record.retired_at is not None}
    for number, faults in (
        ("accounts.E001", _wrong_keys(known)),
        ("accounts.E002", _missing_keys(known, given)),
        ("accounts.E003", lost := _strangers(given | retired, using)),
    ):
        yield from (checks.Error(fault, hint=_HINT, id=number) for fault in faults)
    # It was given up as lost, which must not stop the bank forever; or a machine went on with a retired key.
    given_up = [fault for fault in _strangers(given, using) if fault not in lost] if retired - given else []
    yield from (checks.Warning(fault, hint=_HINT, id="accounts.W001") for fault in given_up)


def known_keys() -> set[tuple[str, str]]:
    """Return the keys that the bank has or had, as (ring, id)."""
    return set(_records(DEFAULT_DB_ALIAS))


def retired_keys() -> set[tuple[str, str]]:
    """Return those of them that must not seal any more."""
    return {pair for pair, record in _records(DEFAULT_DB_ALIAS).items() if record.retired_at is not None}


def key_ages(now: datetime | None = None) -> list[KeyAge]:
    """Return how old each key in the environment is, ring by ring, the current one first."""
    now, known = now or timezone.now(), _records(DEFAULT_DB_ALIAS)
    return [
        KeyAge(key.ring, key.kid, _days(known.get((key.ring, key.kid)), now), key.is_current)
        for key in configured_keys()
    ]


def _days(record: KeyRecord | None, now: datetime) -> int:
    return (now - record.first_used_at).days if record and record.first_used_at else 0


def _records(using: str) -> Known:
    return {(record.ring, record.kid): record for record in KeyRecord.objects.using(using)}


def _is_made(using: str) -> bool:
    return KeyRecord._meta.db_table in connections[using].introspection.table_names()


def _add(using: str, key: _Key, first_used_at: datetime | None) -> None:
    row = KeyRecord(ring=key.ring, kid=key.kid, check_value=key.check_value, first_used_at=first_used_at)
    try:
        with transaction.atomic(using=using):
            row.save(using=using)
    except IntegrityError:
        # Another process was faster; whether it has the same key is compared next.
        logger.info("The key %s of %s was noted by another process.", key.kid, key.ring)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise WrongKey(" ".join(faults))


def _wrong_keys(known: Known) -> list[str]:
    faults = []
    spellings = {(ring, kid.lower()): kid for ring, kid in known}
    for key in configured_keys():
        record = known.get((key.ring, key.kid))
        if record is None:
            former = spellings.get((key.ring, key.kid.lower()))
            if former:  # some databases would take the two for the same
                faults.append(f"{key.ring}: the id {key.kid} was {former} before; a new key takes a new id.")
        elif not hmac.compare_digest(record.check_value, key.check_value):
            faults.append(
                f"{key.ring}: the key {key.kid} is not the one that this bank has used under that id. "
                f"{_whose(key, known)}Bring the right one back; a new key takes a new id."
            )
        elif key.is_current and record.retired_at is not None and key.ring in RINGS:
            faults.append(f"{key.ring}: the key {key.kid} was retired and stands first; it must seal nothing more.")
    return faults


def _whose(key: _Key, known: Known) -> str:
    """Return whose key it is: two swapped ids are worth reporting."""
    owners = [f"{ring} {kid}" for (ring, kid), record in known.items() if record.check_value == key.check_value]
    return f"It is that of {owners[0]}. " if owners else ""


def _strangers(kids: set[tuple[str, str]], using: str) -> list[str]:
    """Return the rows that no record covers: older than the records, or brought from another bank."""
    made = set(connections[using].introspection.table_names())
    return [
        f"{ring}: {table} has rows under a key that is not in the environment."
        for table in sealed_tables()
        if table.table_name in made
        for ring in sorted(rings_of_strangers(table, kids, using))
    ]


def _missing_keys(known: Known, given: set[tuple[str, str]]) -> list[str]:
    return [
        f"{ring}: the key {kid} has been used, was never retired, and is missing from the environment."
        for (ring, kid), record in sorted(known.items())
        if ring in RINGS_OF_ROWS
        and record.first_used_at is not None
        and record.retired_at is None
        and (ring, kid) not in given
    ]
