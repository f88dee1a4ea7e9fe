"""Sealing everything again under the first key of each ring, and retiring the keys that nothing needs (R8.1, R9.2).

It runs beside live traffic and may be killed at any moment: the key id in a row says whether the row is done, so
another run goes on where the last one stopped. docs/keys.md says how to use it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils import timezone

from accounts.people.first_administrator import FROM_THE_TERMINAL
from accounts.programs.enrolment import LASTS as ENROLMENT_LASTS
from accounts.programs.sessions import ACCESS_LASTS
from audit.actions import Action
from audit.models import AuditBlock
from audit.services import record
from foundation.keys import records as key_records
from foundation.keys.columns import (
    SealedTable,
    as_stored,
    current_kid,
    replace,
    rows_by_key,
    sealed_anew,
    sealed_tables,
    under_old_keys,
)
from foundation.keys.encryption import DecryptionFailed
from foundation.models import KeyRecord
from foundation.transactions import own_transaction

# A row that is read and saved meanwhile by an old process is under the old key again: repeat until nothing is left, but
# not forever, in case a machine goes on sealing with the old key.
_MOST_PASSES = 5

_ROTATED = ("FIELD_KEYS", "LOOKUP_KEYS")

Progress = Callable[[SealedTable, int, int], None]


class CannotRetire(Exception):
    """The key must stay for now; the text tells the operator why."""


@dataclass
class Rotation:
    """The result of a run: the number of rows sealed again for each table, and the rows, as (table, primary key), that
    do not open."""

    sealed_anew: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[str, Any]] = field(default_factory=list)


def rotate_keys(*, batch_size: int, progress: Progress) -> Rotation:
    """Put every sealed value and every look-up digest under the first key of its ring, a short transaction a batch.

    From the terminal only: a person who may run it has the keys. A row that does not open is left unchanged. An edit
    made meanwhile is never overwritten: such a row is tried again.

    Raises:
        WrongKey: a key is not the one that its id stood for; nothing was written.
    """
    key_records.note_keys()
    waiting = {table: under_old_keys(table).count() for table in sealed_tables()}
    to_do = {str(table): count for table, count in waiting.items() if count}
    done = Rotation()
    if not to_do:
        return done
    keys = {ring: current_kid(ring) for ring in _ROTATED}
    # Before the first row: a run that is killed must leave a trace, too.
    _record(Action.KEY_ROTATION_BEGAN, {"keys": keys, "rows": to_do})
    for table, count in waiting.items():
        if count:
            _rotate_table(table, count, batch_size, done, progress)
    unreadable = len(done.unreadable)
    _record(Action.KEYS_ROTATED, {"keys": keys, "rows": done.sealed_anew, "unreadable": unreadable})
    return done


def usage() -> dict[tuple[str, str], int]:
    """Return how many values need each key, as (ring, kid), that the bank has or had; under ("…_KEYS", "") values that
    name a key it never had. For AUDIT_KEYS: the blocks that need that key to be verified."""
    kids = {(key.ring, key.kid) for key in key_records.configured_keys()}
    kids |= set(KeyRecord.objects.values_list("ring", "kid"))
    counts = {pair: 0 for pair in sorted(kids) if pair[0] in key_records.RINGS_OF_ROWS}
    rotated = [pair for pair in counts if pair[0] in _ROTATED]
    for table in sealed_tables():
        for pair, count in rows_by_key(table, rotated).items():
            counts[pair] = counts.get(pair, 0) + count
    for ring, kid in list(counts):
        if ring == "AUDIT_KEYS":
            counts[ring, kid] = AuditBlock.objects.filter(key_id__startswith=f"{kid}.").count()
    return counts


def retire_key(*, ring: str, kid: str, lost: bool = False) -> None:
    """Mark a key as retired: nothing needs it, and it must never seal again; it may be removed from the environment.

    `lost` gives up values under a key that no environment has any more.

    Raises:
        CannotRetire: there is no such key, it is the one that seals, or something needs it.
        WrongKey
    """
    key_records.note_keys()
    row = KeyRecord.objects.filter(ring=ring, kid=kid).first()
    given = {(key.ring, key.kid): key.is_current for key in key_records.configured_keys()}
    if row is None or ring not in key_records.RINGS:
        raise CannotRetire(f"The bank knows no key {kid} of {ring}.")
    if given.get((ring, kid)):
        raise CannotRetire(f"{ring}: the key {kid} stands first and seals. Put a new one before it, then rotate.")
    if lost and (ring, kid) in given:
        raise CannotRetire(f"{ring}: the key {kid} is not lost, it is in the environment.")
    needed = usage().get((ring, kid), 0)
    if needed and not lost:
        raise CannotRetire(f"{ring}: the key {kid} is still needed for {needed} {_things(ring)}. {_advice(ring)}")
    if ring == "TOKEN_KEYS" and not lost and timezone.now() < _former_tokens_end():
        raise CannotRetire(f"{ring}: tokens signed with the key {kid} may still be good. Wait a quarter of an hour.")
    _mark_retired(row, needed)


def _former_tokens_end() -> datetime:
    """Return when the last token expires that was signed before the current key came first."""
    row = KeyRecord.objects.get(ring="TOKEN_KEYS", kid=current_kid("TOKEN_KEYS"))
    return (row.first_used_at or timezone.now()) + max(ACCESS_LASTS, ENROLMENT_LASTS)


def _things(ring: str) -> str:
    return "sealed blocks of the audit log" if ring == "AUDIT_KEYS" else "values"


def _advice(ring: str) -> str:
    if ring == "AUDIT_KEYS":
        return "Blocks are never sealed anew, so it stays as long as the log is to be verified (ADR 10)."
    return "Run rotate_keys first."


@own_transaction
def _mark_retired(row: KeyRecord, given_up: int) -> None:
    if KeyRecord.objects.filter(pk=row.pk, retired_at=None).update(retired_at=timezone.now()):
        details = {"ring": row.ring, "kid": row.kid, "values_given_up": given_up}
        record(Action.KEY_RETIRED, actor=None, actor_label=FROM_THE_TERMINAL, subject=row, details=details)


@own_transaction
def _record(action: Action, details: dict[str, Any]) -> None:
    record(action, actor=None, actor_label=FROM_THE_TERMINAL, details=details)


def _rotate_table(table: SealedTable, count: int, batch_size: int, done: Rotation, progress: Progress) -> None:
    name, unreadable = str(table), set[Any]()
    done.sealed_anew[name] = 0
    for _ in range(_MOST_PASSES):
        met = 0
        for rows in _batches(table, batch_size):
            changes = _changes(table, [row for row in rows if row.pk not in unreadable], unreadable)
            met += len(changes)
            done.sealed_anew[name] += _write(table, changes)
            progress(table, done.sealed_anew[name], count)
        if not met:
            break
    done.unreadable += [(name, pk) for pk in sorted(unreadable)]


def _batches(table: SealedTable, size: int) -> Iterator[list[Model]]:
    """Yield the rows that wait, by primary key; a row that changes meanwhile is met once."""
    waiting = under_old_keys(table).order_by("pk")
    rows = list(waiting[:size])
    while rows:
        yield rows
        rows = list(waiting.filter(pk__gt=rows[-1].pk)[:size])


_Change = tuple[int, dict[str, Any], dict[str, str]]


def _changes(table: SealedTable, rows: list[Model], unreadable: set[Any]) -> list[_Change]:
    """Return what to write, as (primary key, stored values, new values), computed before the transaction begins, so
    that nobody waits for it."""
    changes = []
    for row in rows:
        stored = as_stored(table, row)
        try:
            anew = sealed_anew(table, row)
        except DecryptionFailed:
            unreadable.add(row.pk)
        else:
            changes.append((row.pk, stored, anew))
    return changes


@own_transaction
def _write(table: SealedTable, changes: list[_Change]) -> int:
    return sum(replace(table, pk, stored=stored, anew=anew) for pk, stored, anew in changes)
